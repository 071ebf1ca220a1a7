//! The Gateway: somebody else's, observed for its listeners and addresses.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::api::settings::GatewayRef;
use crate::kinds::Foreign;
use crate::kinds::gateway_api::{API_VERSION, GATEWAY};

/// Its identity and nothing more: no owner mark, since nothing of ours is written to it.
pub(super) fn observed(gateway: &GatewayRef) -> Foreign {
    Foreign {
        api_version: API_VERSION,
        kind: GATEWAY,
        metadata: ObjectMeta {
            name: Some(gateway.name.clone()),
            namespace: Some(gateway.namespace.clone()),
            ..ObjectMeta::default()
        },
    }
}
