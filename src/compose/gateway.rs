//! The Gateway and its class: somebody else's, observed for listeners, addresses and who implements them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::api::settings::GatewayRef;
use crate::kinds::Foreign;
use crate::kinds::gateway_api::{API_VERSION, GATEWAY, GATEWAY_CLASS};

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

/// The same of its class.
pub(super) fn class(name: &str) -> Foreign {
    Foreign {
        api_version: API_VERSION,
        kind: GATEWAY_CLASS,
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
    }
}
