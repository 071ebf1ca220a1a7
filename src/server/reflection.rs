//! gRPC reflection in both versions that clients ask for, about every service of the server.
//!
//! It shows the official protocol. The view on which the server itself runs is the same on the wire.

use tonic_reflection::pb;
use tonic_reflection::server::{Builder, Error, v1, v1alpha};

use crate::protocol;

/// For clients of today.
pub(super) fn current() -> Result<v1::ServerReflectionServer<impl v1::ServerReflection>, Error> {
    services().build_v1()
}

/// For clients from before 2023; the official SDKs still serve them.
pub(super) fn alpha() -> Result<v1alpha::ServerReflectionServer<impl v1alpha::ServerReflection>, Error> {
    services().build_v1alpha()
}

fn services() -> Builder<'static> {
    [
        protocol::FILE_DESCRIPTOR_SET,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        pb::v1::FILE_DESCRIPTOR_SET,
        pb::v1alpha::FILE_DESCRIPTOR_SET,
    ]
    .into_iter()
    // By default each version knows of itself alone.
    .fold(
        Builder::configure().include_reflection_service(false),
        Builder::register_encoded_file_descriptor_set,
    )
}
