use serde_json::{Value, json};

use super::super::fixtures::{OWNER, arrived, extension, observed, with_router};
use super::super::report::Reason;
use super::super::{Answer, Key, Observed, ObservedObject, ObservedRelease, extend};
use crate::api::settings::{Caller, Extension, InferenceRelease, MissingFlag, Target};
use crate::observe::{Claim, Marks, Synced};

use Key::{
    BodyBasedRouter as Release, BodyBasedRouterDeployment as Deployment,
    BodyBasedRouterDestinationRule as Rule, BodyBasedRouterDisruptionBudget as Budget,
    BodyBasedRouterFilter as Filter, BodyBasedRouterPolicy as Policy,
};

const EVERYTHING: [Key; 5] = [Release, Deployment, Budget, Rule, Filter];

fn unknown() -> Extension {
    with_router(|_| Caller::Unknown)
}

fn off(mut extension: Extension) -> Extension {
    extension.wanted.as_mut().unwrap().router.enabled = false;
    extension
}

fn lacking_envoy(mut extension: Extension) -> Extension {
    let path = "spec.y".to_owned();
    extension.wanted.as_mut().unwrap().missing = vec![MissingFlag { path, seen: "false".to_owned() }];
    extension
}

/// What is desired beside the CRD.
fn keys(extension: &Extension, observed: &Observed) -> Vec<Key> {
    let keys = extend(extension, observed).composed.into_iter().map(|composed| composed.key);
    keys.filter(|key| *key != Key::InferencePoolCrd).collect()
}

fn resource(extension: &Extension, observed: &Observed, key: Key) -> Value {
    let composed = extend(extension, observed).composed;
    let composed = composed.iter().find(|composed| composed.key == key).unwrap();
    serde_json::to_value(&composed.resource).unwrap()
}

fn manifest(extension: &Extension, key: Key) -> Value {
    resource(extension, &observed(&EVERYTHING), key)["spec"]["forProvider"]["manifest"].clone()
}

/// A Gateway that asks what is not there refuses every request.
#[test]
fn nothing_asks_the_router_before_one_answers_and_it_goes_when_nothing_asks() {
    let istio = with_router(Caller::Istio);
    let mut silent = observed(&[Release, Deployment, Budget, Rule]);
    silent.objects.get_mut(&Deployment).unwrap().available_replicas = Some(0);
    let mut restarting = observed(&EVERYTHING);
    restarting.objects.get_mut(&Deployment).unwrap().available_replicas = None;
    let mut uninstalled = observed(&EVERYTHING);
    uninstalled.router = Some(ObservedRelease::default());

    let cases = [
        (&istio, observed(&[]), vec![Release], "its namespace comes with the chart"),
        (&istio, observed(&[Release]), vec![Release, Deployment, Budget, Rule], "the rule before the filter"),
        (&istio, silent, vec![Release, Deployment, Budget, Rule], "no replica answers"),
        (&istio, observed(&[Release, Deployment, Budget, Rule]), EVERYTHING.to_vec(), "now one does"),
        (
            &istio,
            restarting,
            EVERYTHING.to_vec(),
            "what is there stays: it says itself when it does not answer",
        ),
        (&istio, uninstalled, EVERYTHING.to_vec(), "likewise"),
        (
            &off(istio.clone()),
            observed(&EVERYTHING),
            vec![Release, Deployment, Budget, Rule],
            "the filter first",
        ),
        (&off(istio.clone()), observed(&[Release, Deployment, Budget, Rule]), vec![], "and then the rest"),
        (&with_router(Caller::Agentgateway), observed(&[]), vec![Policy], "agentgateway needs no router"),
        (
            &with_router(Caller::Agentgateway),
            observed(&EVERYTHING),
            vec![Release, Deployment, Budget, Rule, Policy],
            "from Istio to agentgateway",
        ),
        (&unknown(), observed(&[Release]), vec![Release, Deployment, Budget], "nothing asks it"),
        (
            &with_router(Caller::Gke),
            observed(&[Release]),
            vec![Release, Deployment, Budget],
            "the chart does it",
        ),
        (&extension(), observed(&[]), vec![], "switched off"),
        (&lacking_envoy(istio.clone()), observed(&[]), vec![], "nothing is added"),
        (&lacking_envoy(istio.clone()), observed(&[Release]), vec![Release], "what is there stays, alone"),
        (&lacking_envoy(istio.clone()), observed(&EVERYTHING), EVERYTHING.to_vec(), "what is there stays"),
    ];
    for (extension, observed, want, reason) in cases {
        assert_eq!(keys(extension, &observed), want, "{reason}");
    }
}

/// Two composites extend one cluster, and mean the same objects.
#[test]
fn what_connects_the_gateway_is_left_to_who_had_it_first() {
    const OTHER: &str = "clusters/other";
    let claimed = |created: &str| {
        let claims = vec![Claim { created: created.to_owned(), owner: OTHER.to_owned() }];
        Some(Marks { owner: Some(OTHER.to_owned()), claims })
    };
    let (early, late) = ("2026-11-20T04:00:00Z", "2026-11-22T04:00:00Z");
    let there = || ObservedObject { synced: Some(Synced::True), ..ObservedObject::default() };
    let looked = |why: &str| ObservedObject {
        synced: Some(Synced::False(why.to_owned())),
        only_looks: true,
        ..ObservedObject::default()
    };
    let by_hand = Some(Marks { owner: Some(OTHER.to_owned()), claims: vec![] });
    let gone = "observe failed: external resource does not exist";
    let taken = Some((true, Reason::NameTaken));
    let cases = [
        (ObservedObject { marks: claimed(early), ..there() }, taken, "it is the older one's"),
        (
            ObservedObject { marks: claimed(late), ..there() },
            Some((false, Reason::Installed)),
            "and ours here",
        ),
        (ObservedObject { marks: by_hand, ..there() }, taken, "marked by somebody who claims nothing"),
        (looked("connect failed"), taken, "what cannot be seen has not changed hands"),
        (looked(gone), None, "the Object that looked goes before we write"),
    ];
    for (caller, keys) in [
        (Caller::Istio as fn(_) -> _, [Rule, Filter].as_slice()),
        (Caller::Agentgateway, [Policy].as_slice()),
    ] {
        let extension = with_router(caller);
        for key in keys {
            for (object, want, reason) in &cases {
                let mut observed = observed(&[Release, Deployment, Budget]);
                observed.objects.extend(keys.iter().map(|key| (*key, there())));
                observed.objects.insert(*key, object.clone());
                let Answer { composed, condition, .. } = extend(&extension, &observed);
                let composed = composed.iter().find(|composed| composed.key == *key);
                let Some((looks, want)) = want else {
                    assert!(composed.is_none(), "{key:?}, {reason}: {composed:?}");
                    assert_eq!(condition.reason, Reason::RouterStarting, "{key:?}, {reason}");
                    continue;
                };
                let composed = composed.unwrap();
                let object = serde_json::to_value(&composed.resource).unwrap();
                let policies = &object["spec"]["managementPolicies"];
                assert_eq!(*policies == json!(["Observe"]), *looks, "{key:?}, {reason}: {policies}");
                assert_eq!(composed.ready, !looks, "{key:?}, {reason}");
                assert_eq!(condition.reason, *want, "{key:?}, {reason}: {}", condition.message);
                let names_both = condition.message.contains(OWNER);
                assert_eq!(names_both, *looks, "{key:?}, {reason}: {}", condition.message);
            }
        }
    }
}

#[test]
fn what_stands_beside_the_router_says_whose_it_is() {
    for key in [Budget, Rule, Filter] {
        let annotations = &manifest(&with_router(Caller::Istio), key)["metadata"]["annotations"];
        let annotations = annotations.as_object().unwrap();
        assert_eq!(annotations["inference.devopstoolkit.ai/owner"], OWNER, "{key:?}");
        let claims =
            annotations.iter().filter(|(name, _)| name.starts_with("claim.inference.devopstoolkit.ai/"));
        assert_eq!(claims.count(), 1, "{key:?}: {annotations:?}");
    }
}

#[test]
fn nothing_is_left_of_it_where_the_block_is_switched_off() {
    let gone = Extension { wanted: None, ..with_router(Caller::Istio) };
    assert_eq!(extend(&gone, &observed(&EVERYTHING)).composed, []);
}

#[test]
fn one_replica_has_no_disruption_budget_since_it_could_only_block_drains() {
    let mut alone = unknown();
    alone.wanted.as_mut().unwrap().router.replicas = 1;
    assert_eq!(keys(&alone, &observed(&[Release])), [Release, Deployment]);
}

#[test]
fn the_release_is_what_provider_helm_installs() {
    let mut extension = unknown();
    let wanted = extension.wanted.as_mut().unwrap();
    wanted.router.values = json!({"bbr": {"image": {"tag": "v9"}, "multiNamespace": false}, "more": null})
        .as_object()
        .unwrap()
        .clone();
    assert_eq!(
        resource(&extension, &observed(&[]), Release),
        json!({
            "apiVersion": "helm.m.crossplane.io/v1beta1",
            "kind": "Release",
            "metadata": {"annotations": {"crossplane.io/external-name": "body-based-router"}},
            "spec": {
                "providerConfigRef": {"kind": "ProviderConfig", "name": "gpu"},
                "forProvider": {
                    "chart": {"url": "oci://charts.example.com/router:v1"},
                    "namespace": "router",
                    "values": {
                        "bbr": {
                            "name": "body-based-router", "port": 9004, "replicas": 2, "multiNamespace": false,
                            "image": {"tag": "v9"},
                        },
                        "more": null,
                        "provider": {"name": "none"},
                    },
                },
                "rollbackLimit": 5,
            },
        })
    );
    extension.wanted.as_mut().unwrap().delivery.target = Target::ClusterObject;
    let release = resource(&extension, &observed(&[]), Release);
    assert_eq!(release["apiVersion"], "helm.crossplane.io/v1beta1");
    assert_eq!(release["spec"]["providerConfigRef"], json!({"name": "gpu"}), "it knows one kind only");
}

/// The chart's own filter would change more than one Gateway.
#[test]
fn the_chart_makes_nothing_for_a_gateway_but_on_gke() {
    for caller in [Caller::Istio, Caller::Agentgateway, |_| Caller::Unknown] {
        let mut extension = with_router(caller);
        let release = |extension: &Extension| {
            let there = observed(&EVERYTHING);
            resource(extension, &there, Release)["spec"]["forProvider"]["values"].clone()
        };
        assert_eq!(release(&extension)["provider"], json!({"name": "none"}));
        extension.wanted.as_mut().unwrap().release = InferenceRelease::V1_5_0;
        assert_eq!(release(&extension)["provider"], json!({"name": "none"}));
    }
    let values =
        resource(&with_router(Caller::Gke), &observed(&[]), Release)["spec"]["forProvider"]["values"].clone();
    assert_eq!(values["provider"], json!({"name": "gke"}));
    assert_eq!(values["inferenceGateway"], json!({"name": "inference"}));
}

#[test]
fn a_filter_is_bound_to_one_gateway_and_asks_the_router_where_it_is() {
    let mut extension = with_router(Caller::Istio);
    for (release, response) in
        [(InferenceRelease::V1_3_1, "NONE"), (InferenceRelease::V1_5_0, "FULL_DUPLEX_STREAMED")]
    {
        extension.wanted.as_mut().unwrap().release = release;
        let filter = manifest(&extension, Filter);
        assert_eq!(
            filter["metadata"]["namespace"], "gateways",
            "targetRefs are of the filter's own namespace"
        );
        assert_eq!(filter["metadata"]["annotations"]["inference.devopstoolkit.ai/owner"], OWNER);
        assert_eq!(
            filter["spec"]["targetRefs"],
            json!([{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "inference"}])
        );
        let [patch] = filter["spec"]["configPatches"].as_array().unwrap().as_slice() else {
            panic!("{filter}")
        };
        assert_eq!(patch["match"]["context"], "GATEWAY");
        let config = &patch["patch"]["value"]["typed_config"];
        assert_eq!(config["failure_mode_allow"], false);
        assert_eq!(config["processing_mode"]["response_body_mode"], response);
        assert_eq!(
            config["grpc_service"]["envoy_grpc"]["cluster_name"],
            "outbound|9004||body-based-router.router.svc.cluster.local"
        );
        let rule = manifest(&extension, Rule);
        assert_eq!(
            (&rule["metadata"]["namespace"], &rule["spec"]["host"]),
            (&json!("router"), &json!("body-based-router"))
        );
    }
}

#[test]
fn agentgateway_overwrites_the_header_before_it_chooses_a_route() {
    let policy = manifest(&with_router(Caller::Agentgateway), Policy);
    assert_eq!(policy["metadata"]["namespace"], "gateways");
    assert_eq!(
        policy["spec"]["traffic"],
        json!({
            "phase": "PreRouting",
            "transformation": {"request": {"set": [
                {"name": "X-Gateway-Model-Name", "value": "json(request.body).model"},
            ]}},
        })
    );
}

#[test]
fn the_deployment_is_only_looked_at() {
    let deployment = resource(&unknown(), &observed(&[Release]), Deployment);
    assert_eq!(deployment["spec"]["managementPolicies"], json!(["Observe"]));
}

#[test]
fn the_condition_follows_the_router() {
    let release = |synced, ready, failure: Option<&str>| {
        let failure = failure.map(str::to_owned);
        let router = Some(ObservedRelease { synced: Some(synced), ready, failure });
        Observed { router, ..observed(&[]) }
    };
    let refused = Synced::False("no credentials.".to_owned());
    let mut unconnected = observed(&EVERYTHING);
    let filter = ObservedObject {
        synced: Some(Synced::False("no EnvoyFilter".to_owned())),
        ..ObservedObject::default()
    };
    unconnected.objects.insert(Filter, filter);
    let mut silent = observed(&[Release, Deployment]);
    silent.objects.get_mut(&Deployment).unwrap().available_replicas = None;
    let istio = || with_router(Caller::Istio);

    let cases = [
        (unknown(), observed(&[]), Reason::RouterStarting, "is being installed"),
        (
            unknown(),
            release(refused, false, None),
            Reason::RouterFailed,
            "cannot be reconciled: no credentials.",
        ),
        (
            unknown(),
            release(Synced::True, false, Some("exists")),
            Reason::RouterFailed,
            "cannot be installed: exists",
        ),
        (
            unknown(),
            silent,
            Reason::RouterStarting,
            "no available replica. Describe its pods in namespace router",
        ),
        (
            unknown(),
            observed(&[Release, Deployment]),
            Reason::Installed,
            "runs; nothing that is composed with it asks it",
        ),
        (
            istio(),
            observed(&[Release, Deployment, Rule]),
            Reason::RouterStarting,
            "gateways/inference is being connected",
        ),
        (
            istio(),
            unconnected,
            Reason::ObjectNotSynced,
            "body_based_router_filter, cannot be reconciled: no EnvoyFilter",
        ),
        (
            istio(),
            observed(&EVERYTHING),
            Reason::Installed,
            "v1.3.1. The body-based router runs, and Gateway gateways/inference asks it.",
        ),
        (
            with_router(Caller::Gke),
            observed(&[Release, Deployment]),
            Reason::Installed,
            "its chart has Gateway",
        ),
        (with_router(Caller::Agentgateway), observed(&[]), Reason::RouterStarting, "is being connected"),
        (
            with_router(Caller::Agentgateway),
            observed(&[Policy]),
            Reason::Installed,
            "reads the model of requests itself",
        ),
        (off(istio()), observed(&EVERYTHING), Reason::Installed, "is being removed"),
        (off(istio()), observed(&[]), Reason::Installed, "serves InferencePool of v1.3.1."),
    ];
    for (extension, observed, want, words) in cases {
        let Answer { condition, .. } = extend(&extension, &observed);
        assert_eq!(condition.reason, want, "{}", condition.message);
        assert!(condition.message.contains(words), "{}", condition.message);
    }
}

#[test]
fn a_release_is_read_as_provider_helm_writes_it() {
    let read = |state: &str, ready: &str| -> ObservedRelease {
        arrived(
            &json!({
                "apiVersion": "helm.m.crossplane.io/v1beta1", "kind": "Release",
                "spec": {"forProvider": {}},
                "status": {
                    "conditions": [
                        {"type": "Ready", "status": ready, "reason": "Available"},
                        {"type": "Synced", "status": "True", "reason": "ReconcileSuccess"},
                    ],
                    "atProvider": {"state": state, "releaseDescription": "Install complete", "revision": 1},
                },
            }),
            ObservedRelease::of,
        )
    };
    let failure = Some("Install complete".to_owned());
    assert_eq!(
        read("deployed", "True"),
        ObservedRelease { synced: Some(Synced::True), ready: true, failure: None }
    );
    assert_eq!(
        read("failed", "False"),
        ObservedRelease { synced: Some(Synced::True), ready: false, failure }
    );
    let new = arrived(&json!({"spec": {}}), ObservedRelease::of);
    assert_eq!(new, ObservedRelease::default(), "just created");
}
