//! The contract of routing by model: what a real body-based router sets is what the routes that we emit match.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use e2e::controlplane::ControlPlane;
use e2e::controlplane::cluster::text;
use e2e::controlplane::crds::Source;
use e2e::controlplane::wait::until;
use e2e::files::set;
use e2e::picker::ask::Answer;
use e2e::picker::router::Router;
use e2e::render::{self, Answer as Preview};
use e2e::tools::{self, Tool};
use e2e::wrapped::delivered;
use e2e::{helm, workspace};
use serde_json::{Value, json};

/// A `ConfigMap` is seen within a second on an idle machine.
const LIMIT: Duration = Duration::from_mins(1);

/// The releases whose router is installed, and their charts.
const RELEASES: [(&str, Source); 2] =
    [("v1.3.1", helm::BODY_BASED_ROUTER_1_3), ("v1.5.0", helm::BODY_BASED_ROUTER_1_5)];

/// Two models at one host, the second one with adapters.
const EXAMPLES: [&str; 2] = ["by-model-name-istio/xr.yaml", "by-model-name-istio/xr-2.yaml"];

const CHAT: &str = "/v1/chat/completions";

#[tokio::test(flavor = "multi_thread")]
async fn a_router_v1_3_leads_to_the_model_that_is_asked_for() -> Result<()> {
    leads_to_the_model("bbr-1.3", tools::ROUTER_1_3, RELEASES[0]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_router_v1_5_leads_to_the_model_that_is_asked_for() -> Result<()> {
    leads_to_the_model("bbr-1.5", tools::ROUTER_1_5, RELEASES[1]).await
}

async fn leads_to_the_model(name: &str, tool: Tool, release: (&str, Source)) -> Result<()> {
    let installed = installed(release, &json!({}))?;
    let arguments: Vec<String> =
        list(of_kind(&installed, "Deployment")?, "/spec/template/spec/containers/0/args")
            .filter_map(|argument| argument.as_str().map(str::to_owned))
            .collect();
    let control_plane = ControlPlane::start(name).await?;
    let cluster = &control_plane.cluster;
    let http_routes: Vec<Value> =
        EXAMPLES.into_iter().map(|it| object(it, "http_route")).collect::<Result<_>>()?;
    let adapters = object("by-model-name-istio/xr-2.yaml", "adapters_config_map")?;
    let namespace = text(&adapters, "/metadata/namespace").to_owned();
    cluster
        .create(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}))
        .await?;
    let router = Router::start(&control_plane, tool, &arguments).await?;

    // What a client says itself does not count.
    let forged = [("x-gateway-model-name", "chat"), ("x-gateway-base-model-name", "chat")];
    let led = async |model: &str, path: &str| -> Result<(BTreeMap<String, String>, Vec<String>)> {
        let answer = router.client.ask(&forged, &json!({"model": model, "prompt": "hello"})).await?;
        let Answer::Goes(headers) = &answer else { bail!("{answer:?}") };
        let mut all: BTreeMap<String, String> =
            forged.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        all.extend(headers.iter().map(|(k, v)| (k.clone(), v.clone())));
        let backends = backends(&http_routes, path, &all);
        Ok((all, backends))
    };

    let cases = [
        ("chat", CHAT, vec!["InferencePool chat"], "a model by its own name"),
        ("llama", CHAT, vec!["InferencePool experts"], "the other one"),
        ("llama", "/tokenize", vec!["Service experts"], "what its picker does not understand passes that"),
        ("sql", CHAT, vec![], "nobody has said whose adapter it is"),
        ("unknown", CHAT, vec![], "no model has that name"),
    ];
    for (model, path, want, reason) in cases {
        let (headers, found) = led(model, path).await?;
        ensure!(found == want, "{model} at {path}: {found:?}, not {want:?}: {reason}; {headers:?}");
    }

    cluster.create(&adapters).await?;
    let cases = [
        ("sql", CHAT, vec!["InferencePool experts"], "an adapter leads to its model"),
        ("poetry", CHAT, vec!["InferencePool experts"], "and so does the other"),
        ("sql", "/tokenize", vec!["Service experts"], "past the picker too"),
        ("llama", CHAT, vec!["InferencePool experts"], "the model itself still does"),
        ("chat", CHAT, vec!["InferencePool chat"], "the other model has none"),
        ("unknown", CHAT, vec![], "no base is known, and the router says so"),
    ];
    for (model, path, want, reason) in cases {
        until(reason, LIMIT, async || {
            let (headers, found) = led(model, path).await?;
            Ok(if found == want { Ok(()) } else { Err(format!("{model}: {found:?}; {headers:?}")) })
        })
        .await?;
    }
    ensure!(cluster.get(&adapters).await?.is_some(), "the router only reads");
    Ok(())
}

/// A Gateway asks the router by name and port, and the router reads every namespace: the chart's own templates, with the
/// values that we give it.
#[test]
fn the_chart_installs_what_a_gateway_asks() -> Result<()> {
    for release in RELEASES {
        for implementation in ["EnvoyAIGateway", "Istio", "GKE"] {
            let gateway = json!({"name": "inference", "namespace": "gateways"});
            let installed =
                installed(release, &json!({"implementation": implementation, "gateway": gateway}))?;
            let namespace =
                if implementation == "GKE" { "gateways" } else { "gateway-api-inference-extension" };
            let what = format!("{} on {implementation}", release.0);

            let deployment = of_kind(&installed, "Deployment")?;
            ensure!(text(deployment, "/metadata/name") == "body-based-router", "{what}: {deployment}");
            ensure!(text(deployment, "/metadata/namespace") == namespace, "{what}: {deployment}");
            ensure!(deployment["spec"]["replicas"] == 2, "{what}: {deployment}");
            let labels = &deployment["spec"]["template"]["metadata"]["labels"];
            ensure!(
                *labels == json!({"app": "body-based-router"}),
                "{what}: drains are held back by {labels}"
            );
            let container = &deployment["spec"]["template"]["spec"]["containers"][0];
            let image = text(container, "/image");
            let tag = format!("gateway-api-inference-extension/bbr:{}", release.0);
            ensure!(image.ends_with(&tag), "{what}: {image}");
            let mut variables = list(container, "/env");
            ensure!(!variables.any(|it| it["name"] == "NAMESPACE"), "{what}: it reads one namespace");

            let service = of_kind(&installed, "Service")?;
            ensure!(text(service, "/metadata/name") == "body-based-router", "{what}: {service}");
            ensure!(service["spec"]["ports"][0]["port"] == 9004, "{what}: {service}");
            let rules = &of_kind(&installed, "ClusterRole")?["rules"];
            ensure!(rules[0]["resources"] == json!(["configmaps"]), "{what}: {rules}");

            let kinds: BTreeSet<&str> = installed.iter().map(|object| text(object, "/kind")).collect();
            ensure!(!kinds.contains("EnvoyFilter"), "{what}: the chart changes proxies: {kinds:?}");
            let extension = installed.iter().find(|object| text(object, "/kind") == "GCPRoutingExtension");
            ensure!(extension.is_some() == (implementation == "GKE"), "{what}: {kinds:?}");
            if let Some(extension) = extension {
                ensure!(text(extension, "/metadata/namespace") == "gateways", "{what}: {extension}");
                ensure!(text(extension, "/spec/targetRefs/0/name") == "inference", "{what}: {extension}");
            }
        }
    }
    Ok(())
}

/// What provider-helm would install for a cluster with that Input.
fn installed((version, chart): (&str, Source), input: &Value) -> Result<Vec<Value>> {
    let composite = json!({
        "apiVersion": "example.com/v1", "kind": "Cluster",
        "metadata": {"name": "gpu", "namespace": "clusters"},
        "spec": {"parameters": {"apps": {"gatewayInferenceExtension": {"enabled": true}}}},
    });
    let mut input = json!({
        "apiVersion": "inference.fn.crossplane.io/v1beta1", "kind": "ClusterExtension", "spec": input,
    });
    set(&mut input, "spec.version", json!(version));
    set(&mut input, "spec.prerequisites", json!([]));
    let folder = tempfile::tempdir()?;
    let answer = render::preview_of(&workspace::function()?, folder.path(), &composite, Some(&input))?;
    let Preview::Rendered(rendered) = answer else { bail!("{input} is refused: {answer:?}") };
    let release = rendered.composed.iter().find(|composed| render::key(composed) == "body_based_router");
    helm::template(chart, release.context("no release is composed")?)
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Result<&'a Value> {
    objects.iter().find(|object| text(object, "/kind") == kind).with_context(|| format!("no {kind}"))
}

/// What we emit for an example under that key.
fn object(example: &str, key: &str) -> Result<Value> {
    let scenarios = render::scenarios(&workspace::root().join("examples"))?;
    let scenario =
        scenarios.iter().find(|it| it.name == example).with_context(|| format!("no example {example}"))?;
    let Preview::Rendered(rendered) = render::preview(&workspace::function()?, scenario)? else {
        bail!("{example} is refused");
    };
    let composed = rendered.composed.iter().find(|composed| render::key(composed) == key);
    let object = composed.and_then(delivered).with_context(|| format!("{example} has no {key}"))?;
    Ok(object.manifest)
}

/// Where the routes send such a request, by Gateway API's rules: a match needs its path and all its headers, and an
/// exact path is better than a prefix. More than one answer would be up to the age of the routes.
fn backends(routes: &[Value], path: &str, headers: &BTreeMap<String, String>) -> Vec<String> {
    let mut found = Vec::new();
    for rule in routes.iter().flat_map(|route| list(route, "/spec/rules")) {
        let best = list(rule, "/matches").filter(|it| fits(it, path, headers)).map(rank).min();
        let backend = list(rule, "/backendRefs").next();
        if let (Some(rank), Some(backend)) = (best, backend) {
            found.push((rank, format!("{} {}", text(backend, "/kind"), text(backend, "/name"))));
        }
    }
    let best = found.iter().map(|(rank, _)| *rank).min();
    found.into_iter().filter(|(rank, _)| Some(*rank) == best).map(|(_, backend)| backend).collect()
}

fn fits(wanted: &Value, path: &str, headers: &BTreeMap<String, String>) -> bool {
    let value = text(wanted, "/path/value");
    let path_fits = if rank(wanted) == 0 { path == value } else { path.starts_with(value) };
    // Names of headers have no case, and Envoy writes them in lower case.
    path_fits
        && list(wanted, "/headers").all(|header| {
            headers.get(&text(header, "/name").to_ascii_lowercase()).map(String::as_str)
                == Some(text(header, "/value"))
        })
}

fn rank(wanted: &Value) -> u8 {
    u8::from(text(wanted, "/path/type") != "Exact")
}

fn list<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}
