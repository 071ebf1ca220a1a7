//! What a call answers, whatever comes in.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that finds something else than it looks for has failed"
)]

use std::collections::BTreeMap;

use bytes::Bytes;
use function_inference::function::{Memory, RESPONSE_LIMIT, run, run_again};
use function_inference::protocol::official as wire;
use function_inference::protocol::{caller, from_struct, to_struct, view};
use prost::Message;
use serde_json::{Value, json};

fn manifest() -> Value {
    json!({
        "apiVersion": "inference.devopstoolkit.ai/v1alpha1",
        "kind": "LLMInference",
        "metadata": {"name": "llama", "namespace": "team-a", "uid": "0c8fbe4c-1"},
        "spec": {"model": "meta-llama/Llama-3.3-70B-Instruct", "gpu": 8, "providerConfigName": "gpu-cluster"},
    })
}

fn hosted() -> Value {
    let mut manifest = manifest();
    manifest["spec"]["host"] = json!("llama.example.com");
    manifest["spec"]["scaling"] = json!({"enabled": true});
    manifest["spec"]["maxReplicas"] = json!(4);
    manifest
}

fn bytes(value: &Value) -> Bytes {
    to_struct(value).unwrap().into()
}

fn request(composite: Bytes) -> view::RunFunctionRequest {
    view::RunFunctionRequest {
        meta: Some(view::RequestMeta { tag: "the-tag".to_owned(), capabilities: vec![] }),
        observed: Some(view::ObservedState {
            composite: Some(view::ObservedResource { resource: vec![composite] }),
            resources: vec![],
        }),
        ..view::RunFunctionRequest::default()
    }
}

/// The answer as Crossplane reads it, which must be the same twice, remembered or not.
fn answer(request: &view::RunFunctionRequest) -> wire::RunFunctionResponse {
    let bytes = run(request).encode_to_vec();
    assert_eq!(bytes, run(request).encode_to_vec(), "the same request gives the same bytes");
    let memory = Memory::of(1024 * 1024);
    for call in ["first", "second"] {
        let (response, _) = run_again(request, &memory);
        assert_eq!(bytes, response.encode_to_vec(), "the {call} of many gives the same bytes");
    }
    wire::RunFunctionResponse::decode(bytes.as_slice()).unwrap()
}

fn fatal(response: &wire::RunFunctionResponse) -> &str {
    assert_eq!(response.meta.as_ref().unwrap().tag, "the-tag");
    let [result] = response.results.as_slice() else { panic!("{:?}", response.results) };
    assert_eq!(result.severity(), wire::Severity::Fatal, "{result:?}");
    assert_eq!(response.conditions.len(), 4, "all conditions at every call");
    for condition in &response.conditions {
        assert_eq!(condition.status(), wire::Status::ConditionUnknown, "{condition:?}");
    }
    &result.message
}

fn keys(response: &wire::RunFunctionResponse) -> Vec<&str> {
    response.desired.as_ref().unwrap().resources.keys().map(String::as_str).collect()
}

#[test]
fn a_model_without_a_host_is_workload_and_monitoring() {
    let response = answer(&request(bytes(&manifest())));
    assert!(response.results.is_empty(), "{:?}", response.results);
    assert_eq!(
        keys(&response),
        ["model_metrics_service", "model_pod_disruption_budget", "service_monitor", "vllm_runtime"]
    );
}

/// Crossplane asks again until nothing else is asked for, so what is asked for must not depend on what was found.
#[test]
fn without_objects_the_gateway_is_asked_for_at_every_call_and_nothing_else_is() {
    let direct = |manifest: &Value| {
        let mut manifest = manifest.clone();
        manifest["spec"].as_object_mut().unwrap().remove("providerConfigName");
        let input = json!({
            "apiVersion": "inference.fn.crossplane.io/v1beta1",
            "kind": "ModelStack",
            "spec": {"target": "Direct"},
        });
        view::RunFunctionRequest { input: vec![bytes(&input)], ..request(bytes(&manifest)) }
    };
    let found = |items: &[Value]| {
        let items = items.iter().map(|item| view::ObservedResource { resource: vec![bytes(item)] }).collect();
        let value = Some(view::RequiredResources { items });
        vec![view::RequiredEntry { key: "gateway".to_owned(), value }]
    };
    let gateway = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": {"name": "eg", "namespace": "envoy-gateway-system"},
        "spec": {"listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]},
    });
    let want = wire::Requirements {
        resources: BTreeMap::from([(
            "gateway".to_owned(),
            wire::ResourceSelector {
                api_version: "gateway.networking.k8s.io/v1".to_owned(),
                kind: "Gateway".to_owned(),
                namespace: Some("envoy-gateway-system".to_owned()),
                r#match: Some(wire::resource_selector::Match::MatchName("eg".to_owned())),
            },
        )]),
        ..wire::Requirements::default()
    };
    let cases = [
        (vec![], "Creating", None, "nobody has looked"),
        (found(&[]), "NoGateway", None, "there is none"),
        (found(&[gateway]), "Creating", Some("http://llama.example.com"), "it is there, the pool is not"),
    ];
    for (required_resources, reason, url, why) in cases {
        let request = view::RunFunctionRequest { required_resources, ..direct(&hosted()) };
        let response = answer(&request);
        assert_eq!(response.requirements, Some(want.clone()), "{why}");
        let condition = response.conditions.iter().find(|condition| condition.r#type == "GatewayReady");
        assert_eq!(condition.unwrap().reason, reason, "{why}");
        assert!(!keys(&response).contains(&"gateway"), "{why}");
        let desired = response.desired.unwrap();
        let object = |resource: wire::Resource| caller::from_struct(resource.resource.unwrap());
        assert_eq!(object(desired.composite.unwrap())["status"]["url"].as_str(), url, "{why}");
        for resource in desired.resources.into_values() {
            assert_ne!(object(resource)["kind"], "Object", "{why}");
        }
    }
    assert_eq!(answer(&direct(&manifest())).requirements, None, "unset where there is nothing to ask for");
    assert_eq!(answer(&request(bytes(&hosted()))).requirements, None, "an Object looks at the Gateway");
}

/// A picker that is already there is looked for, as the Gateway is, and composed by nobody.
#[test]
fn without_objects_a_picker_that_is_already_there_is_asked_for_too() {
    let mut manifest = hosted();
    manifest["spec"].as_object_mut().unwrap().remove("providerConfigName");
    let input = json!({
        "apiVersion": "inference.fn.crossplane.io/v1beta1",
        "kind": "ModelStack",
        "spec": {"target": "Direct", "endpointPicker": {"existing": {"name": "shared-epp"}}},
    });
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shared-epp", "namespace": "team-a"}});
    let entry = |items: &[Value]| {
        let items = items.iter().map(|item| view::ObservedResource { resource: vec![bytes(item)] }).collect();
        let value = Some(view::RequiredResources { items });
        vec![view::RequiredEntry { key: "epp_existing_service".to_owned(), value }]
    };
    for (required_resources, reason) in
        [(vec![], "Creating"), (entry(&[]), "NoEndpointPicker"), (entry(&[service]), "NotManaged")]
    {
        let request = view::RunFunctionRequest {
            input: vec![bytes(&input)],
            required_resources,
            ..request(bytes(&manifest))
        };
        let response = answer(&request);
        let asked = &response.requirements.as_ref().unwrap().resources["epp_existing_service"];
        assert_eq!((asked.kind.as_str(), asked.namespace.as_deref()), ("Service", Some("team-a")));
        assert_eq!(asked.r#match, Some(wire::resource_selector::Match::MatchName("shared-epp".to_owned())));
        let condition =
            response.conditions.iter().find(|condition| condition.r#type == "EndpointPickerReady");
        assert_eq!(condition.unwrap().reason, reason);
        assert!(
            !keys(&response).iter().any(|key| key.starts_with("epp_")),
            "nothing of a picker is composed"
        );
    }
}

/// The collection's members, or all there are of the kind: by settings alone, whatever was found.
#[test]
fn what_a_gateway_is_found_among_is_asked_for_at_every_call() {
    let selector = |kind: &str, namespace: Option<&str>, labels: &[(&str, &str)]| {
        let api_version = match kind {
            "Object" if labels.is_empty() => panic!("all Objects"),
            "Object" => "kubernetes.m.crossplane.io/v1alpha1",
            _ => "gateway.networking.k8s.io/v1",
        };
        let labels = labels.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned())).collect();
        wire::ResourceSelector {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.map(str::to_owned),
            r#match: Some(wire::resource_selector::Match::MatchLabels(wire::MatchLabels { labels })),
        }
    };
    let ours = [("inference.devopstoolkit.ai/gateways", "gpu-cluster")];
    let cases = [
        (
            json!({"gateway": {"discovery": true}}),
            vec![("gateways", selector("Object", Some("team-a"), &ours))],
        ),
        (
            json!({"gateway": {"discovery": true, "implementation": "Auto"}, "providerConfigKind": "ClusterProviderConfig"}),
            vec![("gateways", selector("Object", None, &ours))],
        ),
        (
            json!({"gateway": {"implementation": "Auto", "ref": {"name": "eg", "namespace": "gateways"}}}),
            vec![],
        ),
        (
            json!({"gateway": {"discovery": true}, "target": "Direct"}),
            vec![("gateways", selector("Gateway", None, &[]))],
        ),
        (
            json!({"gateway": {"discovery": true, "implementation": "Auto"}, "target": "Direct"}),
            vec![
                ("gateways", selector("Gateway", None, &[])),
                ("gateway_classes", selector("GatewayClass", None, &[])),
            ],
        ),
    ];
    let gateway = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": {"name": "eg", "namespace": "gateways"}, "spec": {"gatewayClassName": "eg"},
    });
    let class = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": "eg"},
        "spec": {"controllerName": "gateway.envoyproxy.io/gatewayclass-controller"},
    });
    let member = json!({
        "spec": {"providerConfigRef": {"kind": "ProviderConfig", "name": "gpu-cluster"}}, "status": {"atProvider": {"manifest": gateway}},
    });
    let entry = |key: &str, item: &Value| view::RequiredEntry {
        key: key.to_owned(),
        value: Some(view::RequiredResources {
            items: vec![view::ObservedResource { resource: vec![bytes(item)] }],
        }),
    };
    for (spec, wanted) in cases {
        let mut manifest = hosted();
        let is_direct = spec["target"] == "Direct";
        if is_direct {
            manifest["spec"].as_object_mut().unwrap().remove("providerConfigName");
        }
        let input = json!({
            "apiVersion": "inference.fn.crossplane.io/v1beta1", "kind": "ModelStack", "spec": spec,
        });
        let request = view::RunFunctionRequest { input: vec![bytes(&input)], ..request(bytes(&manifest)) };
        let resources: BTreeMap<_, _> =
            wanted.into_iter().map(|(key, selector)| (key.to_owned(), selector)).collect();
        let want = (!resources.is_empty())
            .then(|| wire::Requirements { resources, ..wire::Requirements::default() });
        let first = answer(&request);
        assert_eq!(first.requirements, want, "{spec}");
        assert!(!keys(&first).contains(&"http_route"), "{spec}: nobody knows to which Gateway, or how");
        let there = if is_direct { &gateway } else { &member };
        let required_resources = vec![entry("gateways", there), entry("gateway_classes", &class)];
        let second = answer(&view::RunFunctionRequest { required_resources, ..request });
        assert_eq!(second.requirements, want, "{spec}: what was found changes nothing");
        // A Gateway of that namespace's provider configuration is not one of the cluster's, and what implements the one
        // that is named an Object has yet to see.
        let is_known = is_direct || spec["gateway"]["implementation"] != "Auto";
        assert_eq!(keys(&second).contains(&"http_route"), is_known, "{spec}");
    }
}

#[test]
fn the_full_stack_has_every_object() {
    let response = answer(&request(bytes(&hosted())));
    assert!(response.results.is_empty(), "{:?}", response.results);
    assert_eq!(
        keys(&response),
        [
            "epp_config_map",
            "epp_deployment",
            "epp_role_binding_pod_reader",
            "epp_role_binding_pool_reader",
            "epp_role_pod_reader",
            "epp_role_pool_reader",
            "epp_service",
            "epp_service_account",
            "gateway",
            "http_route",
            "inference_objective",
            "inference_pool",
            "model_metrics_service",
            "model_pod_disruption_budget",
            "scaled_object",
            "service_monitor",
            "vllm_runtime",
        ]
    );
    let meta = response.meta.unwrap();
    assert_eq!(meta.tag, "the-tag");
    assert_eq!(meta.ttl.unwrap().seconds, 30, "something is under way");
    assert_eq!(response.conditions.len(), 4);
    let desired = response.desired.unwrap();
    assert_eq!(desired.composite.unwrap().ready(), wire::Ready::Unspecified, "that would mask other steps");
    for (key, resource) in desired.resources {
        let want = match key.as_str() {
            "service_monitor" | "model_pod_disruption_budget" => wire::Ready::True,
            _ => wire::Ready::False,
        };
        assert_eq!(
            resource.ready(),
            want,
            "{key}: optional things never hold back Ready, all else is not yet"
        );
    }
}

#[test]
fn what_cannot_be_read_is_fatal() {
    let cases = [
        (view::RunFunctionRequest::default(), "the request has no observed composite resource"),
        (request(Bytes::from_static(b"\x0a\xff")), "cannot read the composite resource: malformed protobuf"),
    ];
    for (mut request, want) in cases {
        request.meta = Some(view::RequestMeta { tag: "the-tag".to_owned(), capabilities: vec![] });
        let response = answer(&request);
        assert_eq!(fatal(&response), want);
    }
    let mut with_input = request(bytes(&manifest()));
    with_input.input = vec![Bytes::from_static(b"\x0a\xff")];
    assert_eq!(fatal(&answer(&with_input)), "cannot read the Input: malformed protobuf");
}

/// `count` lists, each in the one before, as a `Struct` whose only field is the outermost.
fn nested_lists(key: &str, count: usize) -> Bytes {
    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2];
        prost::encoding::encode_varint(content.len() as u64, &mut out);
        out.extend_from_slice(content);
        out
    }
    let mut value = field(3, b"bottom");
    for _ in 0..count {
        value = field(6, &field(1, &value));
    }
    let mut entry = field(1, key.as_bytes());
    entry.extend(field(2, &value));
    field(1, &entry).into()
}

#[test]
fn ten_thousand_nested_lists_are_fatal_and_nothing_worse() {
    let response = answer(&request(nested_lists("spec", 10_000)));
    assert_eq!(
        fatal(&response),
        "cannot read the composite resource: spec: nested too deep: more than 100 objects and lists in each other"
    );

    let object = bytes(&json!({"apiVersion": "kubernetes.m.crossplane.io/v1alpha1", "kind": "Object"}));
    let mut observed = request(bytes(&manifest()));
    observed.observed.as_mut().unwrap().resources.push(view::ObservedEntry {
        key: "vllm_runtime".to_owned(),
        value: Some(view::ObservedResource { resource: vec![object, nested_lists("elsewhere", 10_000)] }),
    });
    let response = answer(&observed);
    assert!(response.results.iter().all(|result| result.severity() != wire::Severity::Fatal), "{response:?}");
    assert!(response.desired.is_some(), "the stack is composed all the same");
}

#[test]
fn an_observed_resource_of_ours_that_cannot_be_read_is_fatal_and_others_are_not_looked_at() {
    let broken = |key: &str| {
        let mut request = request(bytes(&manifest()));
        request.observed.as_mut().unwrap().resources.push(view::ObservedEntry {
            key: key.to_owned(),
            value: Some(view::ObservedResource { resource: vec![Bytes::from_static(b"\x0a\xff")] }),
        });
        answer(&request)
    };
    let response = broken("vllm_runtime");
    assert!(fatal(&response).contains("vllm_runtime"), "{}", fatal(&response));
    assert!(broken("somebody-elses").results.is_empty());
}

/// A `State` as an earlier step would have left it.
fn desired_by_others(resources: &[(&str, Value)], composite: Option<&Value>) -> Bytes {
    let resource = |value: &Value| wire::Resource {
        resource: Some(prost_types::Struct::decode(bytes(value)).unwrap()),
        ..wire::Resource::default()
    };
    let state = wire::State {
        composite: composite.map(&resource),
        resources: resources.iter().map(|(key, value)| ((*key).to_owned(), resource(value))).collect(),
    };
    state.encode_to_vec().into()
}

#[test]
fn a_key_of_ours_that_another_step_wants_is_fatal() {
    let mut request = request(bytes(&manifest()));
    request.desired = vec![desired_by_others(&[("bucket", json!({})), ("vllm_runtime", json!({}))], None)];
    let response = answer(&request);
    assert!(fatal(&response).contains("\"vllm_runtime\""), "{}", fatal(&response));
    assert_eq!(keys(&response), ["bucket", "vllm_runtime"], "what others want goes back as it came");
}

#[test]
fn other_steps_state_and_context_go_back_as_they_came() {
    let bucket = json!({"apiVersion": "s3/v1", "kind": "Bucket", "spec": {"region": "eu"}});
    let theirs = json!({"status": {"replicas": {"other": 7}, "bucket": "b-1"}});
    let mut request = request(bytes(&manifest()));
    // Field 15 of State is from a future version of the protocol.
    let mut state = desired_by_others(&[("bucket", bucket.clone())], Some(&theirs)).to_vec();
    state.extend_from_slice(b"\x7a\x03new");
    request.desired = vec![state.clone().into()];
    request.context = vec![bytes(&json!({"apiextensions.crossplane.io/environment": {"a": 1}}))];

    let response = run(&request);
    assert_eq!(response.desired[0], state, "byte for byte, unknown fields included");
    assert_eq!(response.context, request.context);

    let response = answer(&request);
    let desired = response.desired.unwrap();
    assert_eq!(
        desired.resources["bucket"].resource.as_ref().unwrap().encode_to_vec(),
        to_struct(&bucket).unwrap()
    );
    let composite = desired.composite.unwrap().resource.unwrap();
    let status = composite.fields["status"].encode_to_vec();
    let text = String::from_utf8_lossy(&status).into_owned();
    for word in ["bucket", "b-1", "other", "modelName"] {
        assert!(text.contains(word), "{word} is missing: statuses are merged deeply");
    }
}

#[test]
fn an_answer_that_crossplane_could_not_receive_is_fatal_with_its_size() {
    let mut request = request(bytes(&manifest()));
    let large = json!({"data": "x".repeat(RESPONSE_LIMIT)});
    request.desired = vec![desired_by_others(&[("large", large)], None)];
    let bytes = run(&request).encode_to_vec();
    assert!(bytes.len() < RESPONSE_LIMIT, "the refusal itself must arrive");
    let response = wire::RunFunctionResponse::decode(bytes.as_slice()).unwrap();
    let message = fatal(&response);
    assert!(message.contains("4194304") && message.contains("41"), "{message}");
}

#[test]
fn an_input_of_another_kind_is_fatal() {
    for (input, want) in [
        (json!({"apiVersion": "inference.fn.crossplane.io/v1", "kind": "ModelStack"}), "v1beta1"),
        (
            json!({"apiVersion": "inference.fn.crossplane.io/v1beta1", "kind": "Model"}),
            "must be ModelStack or ClusterExtension",
        ),
    ] {
        let mut request = request(bytes(&manifest()));
        request.input = vec![bytes(&input)];
        let response = answer(&request);
        assert!(fatal(&response).contains(want), "{}", fatal(&response));
    }
}

#[test]
fn the_answer_does_not_depend_on_the_order_of_what_is_observed() {
    let entry = |key: &str| view::ObservedEntry {
        key: key.to_owned(),
        value: Some(view::ObservedResource {
            resource: vec![bytes(&json!({"apiVersion": "v1", "kind": "Object", "metadata": {"name": key}}))],
        }),
    };
    let with = |keys: &[&str]| {
        let mut request = request(bytes(&hosted()));
        request.observed.as_mut().unwrap().resources = keys.iter().map(|key| entry(key)).collect();
        run(&request).encode_to_vec()
    };
    assert_eq!(with(&["ingress", "vllm_runtime", "x"]), with(&["x", "vllm_runtime", "ingress"]));
}

#[test]
fn statuses_are_what_the_contract_says() {
    let response = answer(&request(bytes(&hosted())));
    let conditions: BTreeMap<String, (String, String)> = response
        .conditions
        .iter()
        .map(|c| (c.r#type.clone(), (c.status().as_str_name().to_owned(), c.reason.clone())))
        .collect();
    assert_eq!(conditions["WorkloadReady"].1, "Creating");
    for kind in ["WorkloadReady", "EndpointPickerReady", "GatewayReady", "ScalingReady"] {
        assert_eq!(conditions[kind].0, "STATUS_CONDITION_FALSE", "{kind}");
    }
}

fn cluster_request(apps: &Value, spec: &Value) -> view::RunFunctionRequest {
    let composite = json!({
        "apiVersion": "example.com/v1", "kind": "Cluster",
        "metadata": {"name": "gpu", "namespace": "clusters"},
        "spec": {"parameters": {"apps": apps}},
    });
    let input = json!({
        "apiVersion": "inference.fn.crossplane.io/v1beta1", "kind": "ClusterExtension", "spec": spec,
    });
    let mut request = request(bytes(&composite));
    request.input = vec![bytes(&input)];
    request
}

fn only_condition(response: &wire::RunFunctionResponse) -> (&str, &str) {
    let [condition] = response.conditions.as_slice() else { panic!("{:?}", response.conditions) };
    (&condition.r#type, &condition.reason)
}

#[test]
fn the_inputs_kind_chooses_the_job() {
    let apps = json!({"envoyGateway": {"enabled": true}, "gatewayInferenceExtension": {"enabled": true}});
    let response = answer(&cluster_request(&apps, &json!({})));
    assert_eq!(keys(&response), ["body_based_router", "inference_pool_crd"]);
    assert_eq!(only_condition(&response), ("InferenceExtensionReady", "Creating"));
    assert_eq!(response.results, []);
    assert_eq!(response.desired.unwrap().composite, None, "a cluster's status is somebody else's");
}

#[test]
fn an_extension_that_is_not_asked_for_leaves_everything_as_it_was() {
    let apps = json!({"gatewayInferenceExtension": {"enabled": false}});
    let mut request = cluster_request(&apps, &json!({}));
    let bucket = json!({"apiVersion": "example.com/v1", "kind": "Bucket"});
    request.desired = vec![desired_by_others(&[("bucket", bucket)], None)];
    assert_eq!(run(&request).desired, request.desired, "byte for byte, and nothing added");
    assert_eq!(only_condition(&answer(&request)), ("InferenceExtensionReady", "NotRequested"));
}

#[test]
fn a_fatal_result_of_an_extension_has_the_extensions_condition() {
    let apps = json!({"gatewayInferenceExtension": {"enabled": true}});
    let response = answer(&cluster_request(&apps, &json!({"onMissing": "Fail"})));
    assert_eq!(only_condition(&response), ("InferenceExtensionReady", "InvalidSpec"));
    assert!(response.results[0].message.contains("envoyGateway.enabled"), "{:?}", response.results);

    let apps = json!({"envoyGateway": {"enabled": true}, "gatewayInferenceExtension": {"enabled": true}});
    let mut taken = cluster_request(&apps, &json!({}));
    taken.desired = vec![desired_by_others(&[("inference_pool_crd", json!({"kind": "Mine"}))], None)];
    let response = answer(&taken);
    assert_eq!(only_condition(&response), ("InferenceExtensionReady", "FatalError"));
    assert!(response.results[0].message.contains("inference_pool_crd"), "{:?}", response.results);
}

/// As provider-kubernetes v1.2.1 shows an object that two composites have applied.
fn applied(claims: &Value) -> Value {
    let mut annotations = json!({"inference.devopstoolkit.ai/owner": "team-a/llama"});
    annotations.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    json!({
        "apiVersion": "kubernetes.m.crossplane.io/v1alpha1",
        "kind": "Object",
        "metadata": {"name": "llama-0123456789ab"},
        "spec": {"forProvider": {"manifest": {"metadata": {"name": "llama", "namespace": "team-a"}}}},
        "status": {
            "conditions": [{"type": "Synced", "status": "True", "reason": "ReconcileSuccess"}],
            "atProvider": {"manifest": {"metadata": {"annotations": annotations}}},
        },
    })
}

/// What is desired under a key: all of it, and `None` for nothing.
fn desired(response: &wire::RunFunctionResponse, key: &str) -> Option<Value> {
    let resource = response.desired.as_ref().unwrap().resources.get(key)?;
    Some(from_struct(&resource.resource.as_ref().unwrap().encode_to_vec()).unwrap())
}

/// The answer where only the model servers' Object has been seen.
fn answer_to(composite: &Value, vllm_runtime: &Value) -> wire::RunFunctionResponse {
    let mut request = request(bytes(composite));
    request.observed.as_mut().unwrap().resources = vec![view::ObservedEntry {
        key: "vllm_runtime".to_owned(),
        value: Some(view::ObservedResource { resource: vec![bytes(vllm_runtime)] }),
    }];
    answer(&request)
}

#[test]
fn what_an_older_composite_claims_is_looked_at_and_no_more() {
    let mut composite = manifest();
    composite["metadata"]["creationTimestamp"] = json!("2026-11-21T04:00:00Z");
    let first = desired(&answer(&request(bytes(&composite))), "vllm_runtime").unwrap();
    let marks = first["spec"]["forProvider"]["manifest"]["metadata"]["annotations"].clone();
    let (ours, claim) = marks.as_object().unwrap().iter().next().unwrap();
    assert!(ours.starts_with("claim.inference.devopstoolkit.ai/"), "{marks}");
    assert_eq!(claim, "2026-11-21T04:00:00Z team-a/llama");

    let claimed = |created: &str| {
        let theirs = format!("{created} team-b/llama");
        applied(&json!({ours.as_str(): claim, "claim.inference.devopstoolkit.ai/theirs": theirs}))
    };
    for (created, want) in
        [("2026-11-21T03:59:59Z", json!(["Observe"])), ("2026-11-21T04:00:01Z", Value::Null)]
    {
        let response = answer_to(&composite, &claimed(created));
        assert_eq!(
            desired(&response, "vllm_runtime").unwrap()["spec"]["managementPolicies"],
            want,
            "{created}"
        );
        let monitor = desired(&response, "service_monitor").unwrap();
        assert_eq!(monitor["spec"]["managementPolicies"], Value::Null, "{created}");
        let reason = &response.conditions[0].reason;
        assert_eq!(reason == "NameTaken", want.is_array(), "{created}: {reason}");
    }

    // The status of an Object that only looked outlives what it looked at, so the Object goes before the name is taken.
    let mut freed = claimed("2026-11-21T03:59:59Z");
    freed["spec"]["managementPolicies"] = json!(["Observe"]);
    freed["status"]["conditions"][0] = json!({
        "type": "Synced", "status": "False", "message": "observe failed: external resource does not exist",
    });
    let response = answer_to(&composite, &freed);
    assert_eq!(desired(&response, "vllm_runtime"), None);
    assert_eq!(response.conditions[0].reason, "Creating");
    let composite = response.desired.as_ref().unwrap().composite.as_ref().unwrap();
    assert_eq!(
        composite.ready(),
        wire::Ready::False,
        "what is composed may all be ready, and the model is not"
    );
    assert_eq!(response.meta.unwrap().ttl.unwrap().seconds, 30, "asked again soon");
}
