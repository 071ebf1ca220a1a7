//! Who may read the Endpoint Picker's metrics, where not everybody may.

use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, RoleRef};

use crate::plan::Plan;
use crate::plan::keys::Key;
use crate::plan::names::{ENDPOINT_PICKER, METRICS_PATH};

use super::picker::{RBAC_GROUP, account};
use super::{labelled, meta};

/// Where the token is in its Secret: Kubernetes' own choice.
pub(super) const TOKEN_KEY: &str = "token";
/// The kind of both roles that are bound here.
const CLUSTER_ROLE: &str = "ClusterRole";
/// Kubernetes' own role for whoever asks the API server about others (`TokenReview`, `SubjectAccessReview`), bound as it
/// is: to write its rules down again, one would need to have them.
const AUTH_DELEGATOR: &str = "system:auth-delegator";
/// The annotation by which Kubernetes fills in the token of that account.
const ACCOUNT_ANNOTATION: &str = "kubernetes.io/service-account.name";

/// Lets the picker ask the API server whose token it was shown, and whether that one may read metrics.
pub(super) fn auth_delegator(plan: &Plan) -> ClusterRoleBinding {
    bind(plan, Key::EppClusterRoleBindingAuthDelegator, AUTH_DELEGATOR.to_owned(), plan.name.picker())
}

/// Who reads them. Nobody runs as this account, so no pod needs its token.
pub(super) fn service_account(plan: &Plan) -> ServiceAccount {
    ServiceAccount {
        metadata: labelled(plan, Key::EppMetricsServiceAccount, plan.component_labels(ENDPOINT_PICKER)),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}

/// That account's token, which the cluster itself fills in: it does not expire, since Prometheus could not renew it.
pub(super) fn token(plan: &Plan) -> Secret {
    let mut metadata = labelled(plan, Key::EppMetricsToken, plan.component_labels(ENDPOINT_PICKER));
    let annotations = metadata.annotations.get_or_insert_default();
    annotations.insert(ACCOUNT_ANNOTATION.to_owned(), plan.name.picker_metrics());
    Secret { metadata, type_: Some("kubernetes.io/service-account-token".to_owned()), ..Secret::default() }
}

/// Lets that account read metrics, and nothing else.
pub(super) fn cluster_role(plan: &Plan) -> ClusterRole {
    ClusterRole {
        metadata: meta(plan, Key::EppMetricsClusterRole),
        rules: Some(vec![PolicyRule {
            non_resource_urls: Some(vec![METRICS_PATH.to_owned()]),
            verbs: vec!["get".to_owned()],
            ..PolicyRule::default()
        }]),
        aggregation_rule: None,
    }
}

/// Binds it.
pub(super) fn cluster_role_binding(plan: &Plan) -> ClusterRoleBinding {
    let (_, role) = plan.place_of(Key::EppMetricsClusterRole);
    bind(plan, Key::EppMetricsClusterRoleBinding, role, plan.name.picker_metrics())
}

fn bind(plan: &Plan, key: Key, role: String, to: String) -> ClusterRoleBinding {
    ClusterRoleBinding {
        metadata: meta(plan, key),
        role_ref: RoleRef { api_group: RBAC_GROUP.to_owned(), kind: CLUSTER_ROLE.to_owned(), name: role },
        subjects: Some(vec![account(plan, to)]),
    }
}
