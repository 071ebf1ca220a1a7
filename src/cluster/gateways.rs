//! The collection of a cluster's Gateways, among which models find theirs.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use crate::api::settings::{Delivery, Target, Wanted};
use crate::deliver;
use crate::kinds::gateway_api;
use crate::kinds::provider_kubernetes::{
    CLUSTER_COLLECTION_API_VERSION, CollectionSpec, NAMESPACED_API_VERSION, OBSERVED_OBJECT_COLLECTION,
    ObjectTemplate, ObserveObjects, ObservedObjectCollection, TemplateMetadata,
};
use crate::plan::names::gateways_label;

use super::{Composed, Key, Observed, Resource};

/// What is desired of it.
pub(super) fn compose(wanted: &Wanted, observed: &Observed) -> Option<Composed> {
    let may_come = wanted.missing.is_empty() || observed.gateways.is_some();
    (wanted.discovery && may_come).then(|| Composed {
        key: Key::Gateways,
        resource: Resource::Collection(Box::new(collection(&wanted.delivery))),
        ready: observed.gateways.as_ref().is_some_and(|collection| collection.ready),
    })
}

/// Its members carry the label by which a model asks for them, and are where the provider configuration means the same to
/// both.
fn collection(delivery: &Delivery) -> ObservedObjectCollection {
    let api_version = match delivery.target {
        Target::NamespacedObject => NAMESPACED_API_VERSION,
        Target::ClusterObject => CLUSTER_COLLECTION_API_VERSION,
    };
    let label = gateways_label(&delivery.provider_config_name);
    ObservedObjectCollection {
        api_version,
        kind: OBSERVED_OBJECT_COLLECTION,
        spec: CollectionSpec {
            provider_config_ref: deliver::provider_config_ref(delivery),
            observe_objects: ObserveObjects {
                api_version: gateway_api::API_VERSION,
                kind: gateway_api::GATEWAY,
                selector: LabelSelector::default(),
            },
            object_template: ObjectTemplate {
                metadata: TemplateMetadata { labels: BTreeMap::from([label]) },
            },
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::settings::{Extension, MissingFlag, ProviderConfigKind, Transport};
    use crate::cluster::fixtures::{extension, observed};
    use crate::cluster::observe::ObservedCollection;
    use crate::cluster::report::Reason;
    use crate::cluster::{Answer, extend};
    use crate::observe::Synced;

    fn discovering() -> Extension {
        let mut extension = extension();
        extension.wanted.as_mut().unwrap().discovery = true;
        extension
    }

    fn composed(answer: &Answer) -> Option<(Value, bool)> {
        let found = answer.composed.iter().find(|composed| composed.key == Key::Gateways)?;
        Some((serde_json::to_value(&found.resource).unwrap(), found.ready))
    }

    fn seen(collection: Option<ObservedCollection>) -> Observed {
        Observed { gateways: collection, ..observed(&[]) }
    }

    #[test]
    fn a_model_asks_for_what_the_members_are() {
        use ProviderConfigKind::{ClusterProviderConfig, ProviderConfig};
        use Target::{ClusterObject, NamespacedObject};

        let cases = [
            (
                NamespacedObject,
                ProviderConfig,
                "kubernetes.m.crossplane.io/v1alpha1",
                json!("ProviderConfig"),
            ),
            (
                NamespacedObject,
                ClusterProviderConfig,
                "kubernetes.m.crossplane.io/v1alpha1",
                json!("ClusterProviderConfig"),
            ),
            (ClusterObject, ProviderConfig, "kubernetes.crossplane.io/v1alpha1", Value::Null),
        ];
        for (target, kind, api_version, reference) in cases {
            let mut extension = discovering();
            let delivery = &mut extension.wanted.as_mut().unwrap().delivery;
            (delivery.target, delivery.provider_config_kind) = (target, kind);
            let asked = deliver::gateways(&Transport::Objects(delivery.clone()), Some("clusters"));
            let (collection, _) = composed(&extend(&extension, &seen(None))).unwrap();
            assert_eq!(collection["apiVersion"], api_version, "{target:?}");
            assert_eq!(collection["kind"], "ObservedObjectCollection");
            assert_eq!(collection["spec"]["providerConfigRef"]["kind"], reference, "{target:?}");
            let labels = collection["spec"]["objectTemplate"]["metadata"]["labels"].as_object().unwrap();
            let wanted: serde_json::Map<_, _> =
                asked.labels.into_iter().map(|(label, value)| (label, value.into())).collect();
            assert_eq!(*labels, wanted, "{target:?}");
            // A provider configuration of a namespace is not that of another, whatever it is called.
            assert_eq!(asked.namespace.is_some(), (target, kind) == (NamespacedObject, ProviderConfig));
        }
    }

    #[test]
    fn it_stays_for_as_long_as_the_extension_and_comes_with_what_that_needs() {
        let ready = || Some(ObservedCollection { synced: Some(Synced::True), ready: true });
        let lacking = || {
            let mut extension = discovering();
            let flag = MissingFlag { path: "spec.y".to_owned(), seen: "false".to_owned() };
            extension.wanted.as_mut().unwrap().missing = vec![flag];
            extension
        };
        let off = || Extension { wanted: None, ..discovering() };
        let cases = [
            (discovering(), None, Some(false), "it is asked for"),
            (discovering(), Some(ObservedCollection::default()), Some(false), "nobody has come round to it"),
            (discovering(), ready(), Some(true), "it is there"),
            (lacking(), None, None, "nothing is added"),
            (lacking(), ready(), Some(true), "what exists is kept"),
            (extension(), ready(), None, "it is not asked for any more"),
            (off(), ready(), None, "nothing is"),
        ];
        for (extension, collection, want, reason) in cases {
            let answer = extend(&extension, &seen(collection));
            assert_eq!(composed(&answer).map(|(_, ready)| ready), want, "{reason}");
        }
    }

    #[test]
    fn the_condition_follows_it() {
        let failing = Synced::False("error fetching objects".to_owned());
        let cases = [
            (None, Reason::Creating, "is being made"),
            (
                Some(ObservedCollection { synced: Some(failing), ready: true }),
                Reason::ObjectNotSynced,
                "cannot be reconciled: error fetching objects.",
            ),
            (
                Some(ObservedCollection { synced: Some(Synced::True), ready: true }),
                Reason::Installed,
                "Models can find its Gateways.",
            ),
        ];
        for (collection, reason, words) in cases {
            let condition = extend(&discovering(), &seen(collection)).condition;
            assert_eq!(condition.reason, reason, "{}", condition.message);
            assert!(condition.message.contains(words), "{}", condition.message);
        }
    }
}
