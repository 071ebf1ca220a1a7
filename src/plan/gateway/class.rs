//! What implements a Gateway, where its class is to say it: the controller that the class names.

use crate::api::settings::GatewayRef;
use crate::observe::{Facts, FoundGateway, Observed, Synced, is_missing};
use crate::plan::keys::Key;

use super::Implementation;

/// Why it is not known what implements the Gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Untold {
    /// Nobody has seen the Gateway, or its class.
    Unseen,
    /// There is no such class.
    NoClass,
    /// Of that controller nothing is known.
    Controller(String),
}

/// The class that the Gateway names. One that was looked at stays so while the Gateway cannot be seen.
pub(super) fn name(gateway: &GatewayRef, observed: &Observed) -> Option<String> {
    let named = match observed.live(Key::Gateway).map(|live| &live.facts) {
        Some(Facts::Gateway(gateway)) => gateway.class.clone(),
        Some(_) | None => None,
    };
    let is_it =
        |found: &&FoundGateway| (&found.name, &found.namespace) == (&gateway.name, &gateway.namespace);
    named
        .or_else(|| observed.gateways.iter().flatten().find(is_it)?.class.clone())
        .or_else(|| observed.objects.get(&Key::GatewayClass)?.asked.name.clone())
}

/// The implementation that the platform names, else the one that the class tells. What a live route was made for stays
/// where the class tells nothing: a class that nobody sees for a while, or that changes, costs no model its route.
pub(super) fn implementation(
    named: Option<Implementation>,
    class: Option<&str>,
    observed: &Observed,
) -> Result<Implementation, Untold> {
    if let Some(named) = named {
        return Ok(named);
    }
    let is_live = [Key::HttpRoute, Key::AiGatewayRoute].iter().any(|key| observed.objects.contains_key(key));
    let former = observed.implementation.as_deref().filter(|_| is_live);
    told(class, observed).or_else(|untold| former.and_then(Implementation::named).ok_or(untold))
}

fn told(class: Option<&str>, observed: &Observed) -> Result<Implementation, Untold> {
    let class = class.ok_or(Untold::Unseen)?;
    let controller = if let Some(classes) = &observed.classes {
        classes.get(class).ok_or(Untold::NoClass)?.as_ref()
    } else {
        let object = observed.objects.get(&Key::GatewayClass).ok_or(Untold::Unseen)?;
        match (&object.synced, object.live.as_ref().map(|live| &live.facts)) {
            (_, Some(Facts::GatewayClass(controller))) => controller.as_ref(),
            (Some(Synced::False(why)), _) if is_missing(why) => return Err(Untold::NoClass),
            _ => None,
        }
    };
    let controller = controller.ok_or(Untold::Unseen)?;
    Implementation::of_controller(controller).ok_or_else(|| Untold::Controller(controller.clone()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::observe::fixtures::{Cluster, cluster};

    fn gateway(class: &str) -> Value {
        json!({"spec": {"gatewayClassName": class}})
    }

    fn class(controller: &str) -> Value {
        json!({"spec": {"controllerName": controller}})
    }

    fn reference() -> GatewayRef {
        GatewayRef { name: "eg".to_owned(), namespace: "gateways".to_owned(), section_name: None }
    }

    fn seen(cluster: &Cluster) -> Result<Implementation, Untold> {
        let observed = cluster.observed();
        implementation(None, name(&reference(), &observed).as_deref(), &observed)
    }

    #[test]
    fn the_controller_of_the_class_tells() {
        let rows = [
            ("gateway.envoyproxy.io/gatewayclass-controller", Implementation::EnvoyAiGateway),
            ("istio.io/gateway-controller", Implementation::Istio),
            ("openshift.io/gateway-controller/v1", Implementation::Istio),
            ("agentgateway.dev/agentgateway", Implementation::Agentgateway),
            ("networking.gke.io/gateway", Implementation::Gke),
            ("gateway.nginx.org/nginx-gateway-controller", Implementation::Nginx),
        ];
        for (controller, want) in rows {
            let cluster =
                cluster().holding(Key::Gateway, gateway("any")).holding(Key::GatewayClass, class(controller));
            assert_eq!(seen(&cluster), Ok(want), "{controller}");
            let named = implementation(Some(Implementation::Other), Some("any"), &cluster.observed());
            assert_eq!(named, Ok(Implementation::Other), "who names one is asked nothing");
        }
    }

    #[test]
    fn the_page_names_every_controller() {
        let page = include_str!("../../../docs/gateways.md");
        for implementation in Implementation::ALL {
            let row = format!("| `{}` |", implementation.traits().name);
            for controller in implementation.traits().controllers {
                let named = format!("`{controller}`");
                assert!(
                    page.lines().any(|line| line.contains(&named) && line.ends_with(&row)),
                    "{controller}"
                );
            }
        }
    }

    #[test]
    fn until_it_tells_nothing_is_known_but_what_a_live_route_was_made_for() {
        let unknown = "example.com/gateway";
        let there = || cluster().holding(Key::Gateway, gateway("any"));
        let missing = "observe failed: external resource does not exist";
        let cases = [
            (cluster(), Untold::Unseen, "nothing has been looked at"),
            (there(), Untold::Unseen, "the Gateway has"),
            (there().broken(Key::GatewayClass, "connect failed"), Untold::Unseen, "it cannot be looked at"),
            (there().broken(Key::GatewayClass, missing), Untold::NoClass, "it is not there"),
            (
                there().holding(Key::GatewayClass, class(unknown)),
                Untold::Controller(unknown.to_owned()),
                "nobody knows that one",
            ),
        ];
        for (cluster, want, reason) in cases {
            assert_eq!(seen(&cluster), Err(want.clone()), "{reason}");
            let remembered = cluster.clone().written_for("Istio");
            assert_eq!(seen(&remembered), Err(want.clone()), "{reason}; there is no route to keep");
            for route in [Key::HttpRoute, Key::AiGatewayRoute] {
                let live = cluster.clone().broken(route, "connect failed");
                assert_eq!(seen(&live), Err(want.clone()), "{reason}; what was is not known either");
                assert_eq!(seen(&live.written_for("Istio")), Ok(Implementation::Istio), "{reason}");
            }
        }
        let known = there().holding(Key::GatewayClass, class("agentgateway.dev/agentgateway"));
        let moved = known.holding(Key::HttpRoute, json!({})).written_for("Istio");
        assert_eq!(seen(&moved), Ok(Implementation::Agentgateway), "what is seen counts more than what was");
    }

    #[test]
    fn a_class_that_was_looked_at_is_looked_at_until_the_gateway_names_another() {
        let looked_at =
            cluster().broken(Key::Gateway, "connect failed").holding(Key::GatewayClass, class("x"));
        let name = |observed: &Observed| super::name(&reference(), observed);
        assert_eq!(name(&looked_at.observed()).as_deref(), Some("llama"), "that of the fixture");
        let found = |name: &str, class: &str| FoundGateway {
            name: name.to_owned(),
            namespace: "gateways".to_owned(),
            labels: [].into(),
            class: Some(class.to_owned()),
        };
        let mut collected = looked_at.observed();
        collected.gateways = Some(vec![found("web", "nginx"), found("eg", "envoy")]);
        assert_eq!(name(&collected).as_deref(), Some("envoy"), "the collection knows it first");
        let named = looked_at.holding(Key::Gateway, gateway("other"));
        assert_eq!(name(&named.observed()).as_deref(), Some("other"));
    }

    /// Without Objects Crossplane is asked for all classes, since asking for one would hang on an answer.
    #[test]
    fn among_all_classes_that_of_the_gateway_tells() {
        let mut observed = cluster().holding(Key::Gateway, gateway("istio")).observed();
        let classes = [("istio", Some("istio.io/gateway-controller")), ("odd", None)];
        let classes = classes.map(|(name, controller)| (name.to_owned(), controller.map(str::to_owned)));
        observed.classes = Some(classes.into());
        let told = |class| implementation(None, Some(class), &observed);
        assert_eq!(told("istio"), Ok(Implementation::Istio));
        assert_eq!(told("odd"), Err(Untold::Unseen), "it says nothing yet");
        assert_eq!(told("other"), Err(Untold::NoClass));
    }
}
