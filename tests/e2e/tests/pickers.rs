//! Real Endpoint Pickers start as we say, are ready when our probe says so, and do to requests what the documents
//! promise.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use e2e::controlplane::ControlPlane;
use e2e::controlplane::cluster::{Cluster, text};
use e2e::controlplane::crds::{self, Source};
use e2e::controlplane::platform::{self, PLATFORM};
use e2e::controlplane::wait::{Look, until};
use e2e::picker::ask::{Answer, Client};
use e2e::picker::servers::ModelServer;
use e2e::picker::{self, Picker, Stack};
use e2e::tools::{self, Tool};
use e2e::workspace;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// Everything here takes a second or two on an idle machine; a lease that nobody renews is free after 15.
const LIMIT: Duration = Duration::from_mins(2);

/// The header that names a request's objective.
const OBJECTIVE: &str = "x-gateway-inference-objective";

/// A release, and what it can do.
#[derive(Debug, Clone, Copy)]
struct Release {
    version: &'static str,
    picker: Tool,
    crds: Source,
    /// Whether its configuration bounds how long requests wait.
    gives_up: bool,
    /// Whether it bounds how many of one priority wait.
    sheds: bool,
}

const V1_3: Release = Release {
    version: "v1.3.1",
    picker: tools::PICKER_1_3,
    crds: crds::INFERENCE_EXTENSION_1_3,
    gives_up: false,
    sheds: false,
};

const V1_4: Release = Release {
    version: "v1.4.0",
    picker: tools::PICKER_1_4,
    crds: crds::INFERENCE_EXTENSION_1_4,
    gives_up: true,
    sheds: false,
};

const V1_5: Release = Release {
    version: "v1.5.0",
    picker: tools::PICKER_1_5,
    crds: crds::INFERENCE_EXTENSION_1_5,
    gives_up: true,
    sheds: true,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_picker_v1_3_does_as_it_is_told() -> Result<()> {
    World::create(V1_3).await?.holds().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picker_v1_4_does_as_it_is_told() -> Result<()> {
    World::create(V1_4).await?.holds().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picker_v1_5_does_as_it_is_told() -> Result<()> {
    World::create(V1_5).await?.holds().await
}

/// A cluster with the CRDs of a release, and its picker.
struct World {
    release: Release,
    binary: PathBuf,
    function: PathBuf,
    control_plane: ControlPlane,
}

impl World {
    async fn create(release: Release) -> Result<Self> {
        let (binary, function) = (release.picker.path()?, workspace::function()?);
        let control_plane = ControlPlane::start(&format!("pickers-{}", release.version)).await?;
        crds::install(&control_plane.cluster, &release.crds.crds()?).await?;
        platform::namespace(&control_plane.cluster, "models").await?;
        Ok(Self { release, binary, function, control_plane })
    }

    async fn holds(&self) -> Result<()> {
        self.knows_the_names_that_we_let_pass().context("with every plugin and gate")?;
        self.chooses_an_endpoint_and_sheds_under_load().await.context("without flow control")?;
        self.holds_requests_until_a_pod_is_ready().await.context("with flow control")?;
        self.gives_up_when_a_cold_start_is_over().await.context("with a short cold start")?;
        self.shows_its_metrics_to_the_token_alone().await.context("with metrics for a token")?;
        self.one_of_two_leads().await.context("with two replicas")
    }

    /// A stack, applied.
    async fn stack(&self, name: &str, spec: &Value, picker: &Value) -> Result<Stack> {
        let spec = merged(base(), spec);
        let picker = merged(json!({"version": self.release.version}), picker);
        let dir = self.control_plane.dir.join("stacks");
        let stack = Stack::render(&self.function, &dir, name, &spec, &picker)?;
        stack.apply(&self.control_plane.cluster).await?;
        Ok(stack)
    }

    async fn picker(&self, stack: &Stack, pod: &str) -> Result<Picker> {
        Picker::start(&self.control_plane, &self.binary, stack, pod).await
    }

    /// Every plugin and gate that `endpointPicker.config` may name is one that the picker has. A plugin that needs more
    /// than its name to start is taken out once the picker has said so, by which it knows it.
    fn knows_the_names_that_we_let_pass(&self) -> Result<()> {
        let gates = self.names("featureGates: [zzzzzzzzzzzzzzzzzzzz]")?;
        let mut plugins = self.names("plugins: [{type: zzzzzzzzzzzzzzzzzzzz}]")?;
        let all = plugins.len();
        ensure!(all > 10 && gates.len() > 2, "{plugins:?}, {gates:?}");
        while !plugins.is_empty() {
            let config = json!({
                "apiVersion": "inference.networking.x-k8s.io/v1alpha1",
                "kind": "EndpointPickerConfig",
                "featureGates": gates,
                "plugins": plugins.iter().map(|kind| json!({"type": kind})).collect::<Vec<_>>(),
                "schedulingProfiles": [{"name": "default", "plugins": []}],
            });
            let said = picker::try_config(&self.control_plane, &self.binary, &config.to_string())?;
            for unknown in ["is not registered", "is unknown or unregistered", "unknown field"] {
                ensure!(!said.contains(unknown), "of {plugins:?} and {gates:?}: {said}");
            }
            let Some(failed) = said.split("failed to create plugin '").nth(1) else { return Ok(()) };
            let failed = failed.split('\'').next().unwrap_or_default();
            let before = plugins.len();
            plugins.retain(|kind| kind != failed);
            ensure!(plugins.len() < before, "{said}");
        }
        Ok(())
    }

    /// The names that are told instead of one that nobody knows.
    fn names(&self, config: &str) -> Result<Vec<String>> {
        let config = format!(
            "apiVersion: inference.networking.x-k8s.io/v1alpha1\nkind: EndpointPickerConfig\n{config}\n"
        );
        let dir = self.control_plane.dir.join("stacks");
        let picker = json!({"version": self.release.version, "config": config});
        let Err(refused) = Stack::render(&self.function, &dir, "names", &base(), &picker) else {
            bail!("{config} is taken");
        };
        let refused = format!("{refused:#}");
        let line = refused.lines().find(|line| line.contains("zzzz")).context("nothing is said of it")?;
        let names = line.rsplit(": ").next().unwrap_or_default();
        Ok(names.split(", ").map(|name| name.trim().to_owned()).collect())
    }

    async fn chooses_an_endpoint_and_sheds_under_load(&self) -> Result<()> {
        let cluster = &self.control_plane.cluster;
        let stack = self.stack("plain", &json!({"criticality": "sheddable"}), &json!({})).await?;
        let pool = stack.object("InferencePool")?;
        let servers =
            [ModelServer::start(pool, "plain-0").await?, ModelServer::start(pool, "plain-1").await?];
        let mut picker = self.picker(&stack, "plain-epp-0").await?;
        picker.turns_ready().await?;
        answers_liveness(&mut picker).await?;
        let client = picker.client().await?;

        ensure!(ask(&client, None).await? == Answer::Refused(503), "nobody is there, and nothing waits");
        for server in &servers {
            server.turns_ready(cluster).await?;
        }
        until("both are there", LIMIT, async || {
            Ok(match ask(&client, None).await? {
                Answer::Goes(_) => Ok(()),
                refused @ Answer::Refused(_) => Err(format!("{refused:?}")),
            })
        })
        .await?;
        let endpoints = servers.each_ref().map(|server| server.endpoint.as_str());
        for objective in [None, Some("plain")] {
            let answer = until_answered(&client, objective).await?;
            ensure!(endpoints.contains(&answer.endpoint()?), "{answer:?} is none of {endpoints:?}");
        }

        // The objective that we composed is sheddable; one of more weight names the same pool.
        let mut critical = stack.object("InferenceObjective")?.clone();
        e2e::files::set(&mut critical, "metadata.name", json!("plain-critical"));
        e2e::files::set(&mut critical, "spec.priority", json!(100));
        cluster.apply(&critical, PLATFORM).await?;
        for server in &servers {
            server.has_waiting(100);
        }
        until("a sheddable request is refused", LIMIT, async || {
            let answer = ask(&client, Some("plain")).await?;
            Ok(if answer == Answer::Refused(429) { Ok(()) } else { Err(format!("{answer:?}")) })
        })
        .await?;
        for objective in [None, Some("plain-critical")] {
            ask(&client, objective).await?.endpoint().with_context(|| format!("{objective:?} under load"))?;
        }
        Ok(())
    }

    async fn holds_requests_until_a_pod_is_ready(&self) -> Result<()> {
        let spec = json!({
            "criticality": "sheddable", "minReplicas": 0, "scaling": {"enabled": true, "coldStart": "10m"},
        });
        let stack = self.stack("owl", &spec, &json!({})).await?;
        let series = triggers(&stack)?;
        let server = ModelServer::start(stack.object("InferencePool")?, "owl-0").await?;
        let mut picker = self.picker(&stack, "owl-epp-0").await?;
        picker.turns_ready().await?;
        let client = picker.client().await?;

        let mut held = vec![hold(&client, None)];
        waiting(&picker, &series.queue, 1.0).await?;
        held.push(hold(&client, Some("owl")));
        waiting(&picker, &series.queue, 2.0).await?;
        if self.release.sheds {
            let answer = ask(&client, Some("owl")).await?;
            ensure!(answer == Answer::Refused(429), "one sheddable request waits, and the next: {answer:?}");
        } else {
            held.push(hold(&client, Some("owl")));
            waiting(&picker, &series.queue, 3.0).await?;
        }
        held.push(hold(&client, None));
        let all = if self.release.sheds { 3.0 } else { 4.0 };
        waiting(&picker, &series.queue, all).await?;
        ensure!(
            held.iter().all(|request| !request.is_finished()),
            "a request was answered with no pod there"
        );

        server.turns_ready(&self.control_plane.cluster).await?;
        for request in held {
            let answer =
                tokio::time::timeout(LIMIT, request).await.context("a request waits for ever")???;
            ensure!(answer.endpoint()? == server.endpoint, "{answer:?}");
        }
        waiting(&picker, &series.queue, 0.0).await?;
        ensure!(picker.sum(&series.running).await?.is_some(), "there is no series {}", series.running);
        Ok(())
    }

    /// Nothing in a picker v1.3.x ends a wait.
    async fn gives_up_when_a_cold_start_is_over(&self) -> Result<()> {
        if !self.release.gives_up {
            return Ok(());
        }
        let spec = json!({"minReplicas": 0, "scaling": {"enabled": true, "coldStart": "2s"}});
        let stack = self.stack("brief", &spec, &json!({})).await?;
        let mut picker = self.picker(&stack, "brief-epp-0").await?;
        picker.turns_ready().await?;
        let request = hold(&picker.client().await?, None);
        let answer = tokio::time::timeout(LIMIT, request).await.context("a request waits for ever")???;
        ensure!(answer == Answer::Refused(503), "{answer:?}");
        Ok(())
    }

    /// The token is that of the Secret which the monitor names, filled in by Kubernetes' own controller.
    async fn shows_its_metrics_to_the_token_alone(&self) -> Result<()> {
        let cluster = &self.control_plane.cluster;
        let _controllers =
            self.control_plane.controllers("serviceaccount-token-controller", "token-controller")?;
        let spec = json!({"minReplicas": 0, "scaling": {"enabled": true}});
        let stack = self.stack("vault", &spec, &json!({"metricsAuth": "Token"})).await?;
        let mut picker = self.picker(&stack, "vault-epp-0").await?;
        picker.turns_ready().await?;

        let monitor = stack.named("ServiceMonitor", "-epp")?;
        let credentials = monitor.pointer("/spec/endpoints/0/authorization/credentials");
        let credentials = credentials.context("the monitor shows nothing")?;
        let (name, key) = (text(credentials, "/name"), text(credentials, "/key"));
        let secret = stack.object("Secret")?;
        ensure!(text(secret, "/metadata/name") == name, "the monitor names the Secret {name:?}");
        let token = until("the token is there", LIMIT, async || {
            let live = cluster.get(secret).await?.unwrap_or_default();
            let token = text(&live, &format!("/data/{key}")).to_owned();
            Ok(if token.is_empty() { Err(live.to_string()) } else { Ok(token) })
        })
        .await?;
        let token = String::from_utf8(STANDARD.decode(token)?)?;

        let account = cluster.token("models", "vault-epp").await?;
        for (shown, want, reason) in [
            (None, 401, "nobody asks"),
            // controller-runtime, `pkg/metrics/filters`: what is no token is an error, and not nobody.
            (Some("nonsense"), 500, "nobody can be told from this"),
            (Some(account.as_str()), 403, "the picker itself may not"),
            (Some(token.as_str()), 200, "this one may"),
        ] {
            let (status, text) = picker.metrics(shown).await?;
            ensure!(status == want, "{reason}: {status}, {text:.200}");
            ensure!(text.contains("go_goroutines ") == (want == 200), "{reason}: {text:.200}");
        }

        // What every account may, and metrics.
        let anybody = json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": "anybody", "namespace": "models"},
        });
        cluster.apply(&anybody, PLATFORM).await?;
        let without = self.control_plane.cluster_of(&cluster.token("models", "anybody").await?).await?;
        let with = self.control_plane.cluster_of(&token).await?;
        for namespace in ["models", "default"] {
            let (more, all) = (rights(&with, namespace).await?, rights(&without, namespace).await?);
            let own: Vec<&String> = more.iter().filter(|right| !all.contains(*right)).collect();
            ensure!(
                own == [r#"{"nonResourceURLs":["/metrics"],"verbs":["get"]}"#],
                "in {namespace}: {own:?}"
            );
        }
        let pods = with.list("v1", "Pod", "models").await;
        ensure!(pods.is_err_and(|error| format!("{error:#}").contains("(403)")), "it may list pods");
        Ok(())
    }

    async fn one_of_two_leads(&self) -> Result<()> {
        let stack = self.stack("pair", &json!({}), &json!({"replicas": 2})).await?;
        let mut first = self.picker(&stack, "pair-epp-0").await?;
        first.turns_ready().await?;
        let mut second = self.picker(&stack, "pair-epp-1").await?;
        answers_liveness(&mut second).await?;
        // It would be started anew again and again, did it not listen before it leads.
        until("a replica that does not lead listens", LIMIT, async || {
            Ok(if second.has_started().await? { Look::Ok(()) } else { Look::Err(String::new()) })
        })
        .await?;
        let heard = second.probe("readiness").await?;
        ensure!(heard == Err("NotServing".to_owned()), "while the first leads, the second says {heard:?}");

        drop(first);
        second.turns_ready().await.context("the leader is gone")?;
        let server = ModelServer::start(stack.object("InferencePool")?, "pair-0").await?;
        server.turns_ready(&self.control_plane.cluster).await?;
        let answer = until_answered(&second.client().await?, None).await?;
        ensure!(answer.endpoint()? == server.endpoint, "{answer:?}");
        self.a_deployment_of_which_one_is_ready(stack.object("Deployment")?).await
    }

    /// What the real Deployment controller says then is what readiness is judged by: one is available, of the current
    /// generation. `Available` is True before any is.
    async fn a_deployment_of_which_one_is_ready(&self, deployment: &Value) -> Result<()> {
        let cluster = &self.control_plane.cluster;
        let _controllers = self
            .control_plane
            .controllers("deployment-controller,replicaset-controller", "deployment-controller")?;
        let namespace = text(deployment, "/metadata/namespace");
        let stem = format!("{}-", text(deployment, "/metadata/name"));
        let leader = until("two pods are made", LIMIT, async || {
            let pods = cluster.list("v1", "Pod", namespace).await?;
            let mut made = pods.into_iter().filter(|pod| text(pod, "/metadata/name").starts_with(&stem));
            Ok(made.next().filter(|_| made.next().is_some()).ok_or_else(|| "not yet".to_owned()))
        })
        .await?;
        let ready = json!({
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
        });
        self.counts_available(deployment, None).await?;
        cluster.set_status(&leader, &ready).await?;
        self.counts_available(deployment, Some(1)).await
    }

    async fn counts_available(&self, deployment: &Value, want: Option<u64>) -> Result<()> {
        let cluster = &self.control_plane.cluster;
        until(&format!("{want:?} of two are available"), LIMIT, async || {
            let live = cluster.get(deployment).await?.unwrap_or_default();
            let status = live.pointer("/status").cloned().unwrap_or_default();
            let conditions = status.pointer("/conditions").and_then(Value::as_array).into_iter().flatten();
            let available: Vec<&str> = conditions
                .filter(|condition| text(condition, "/type") == "Available")
                .map(|condition| text(condition, "/status"))
                .collect();
            let counts = ["availableReplicas", "updatedReplicas", "observedGeneration"]
                .map(|field| status.get(field).and_then(Value::as_u64));
            let holds = available == ["True"] && counts == [want, Some(2), Some(1)];
            Ok(if holds { Ok(()) } else { Err(status.to_string()) })
        })
        .await
    }
}

/// Every rule that holds for whoever asks, in their own words.
async fn rights(cluster: &Cluster, namespace: &str) -> Result<Vec<String>> {
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    });
    let answer = cluster.create(&review).await?.object;
    ensure!(answer.pointer("/status/incomplete") == Some(&json!(false)), "{answer}");
    let rules = ["/status/resourceRules", "/status/nonResourceRules"].map(|rules| answer.pointer(rules));
    let rules = rules.into_iter().flatten().filter_map(Value::as_array).flatten();
    Ok(rules.map(ToString::to_string).collect())
}

/// The names of the picker's series, from what the autoscaler asks.
struct Series {
    queue: String,
    running: String,
}

fn triggers(stack: &Stack) -> Result<Series> {
    let scaled_object = stack.object("ScaledObject")?;
    let triggers = scaled_object.pointer("/spec/triggers").and_then(Value::as_array);
    let metric = |name: &str| -> Result<String> {
        let mut found = triggers.into_iter().flatten().filter(|trigger| text(trigger, "/name") == name);
        let query = found.next().map(|trigger| text(trigger, "/metadata/query")).unwrap_or_default();
        let metric = query.strip_prefix("sum(").and_then(|rest| rest.split('{').next());
        metric.map(str::to_owned).with_context(|| format!("no series in the query {query:?} of {name}"))
    };
    Ok(Series { queue: metric("picker-queue")?, running: metric("picker-running")? })
}

async fn ask(client: &Client, objective: Option<&str>) -> Result<Answer> {
    let headers: Vec<(&str, &str)> = objective.iter().map(|name| (OBJECTIVE, *name)).collect();
    client.ask(&headers, &json!({"model": "m", "prompt": "hello"})).await
}

/// A request whose answer may take its time.
fn hold(client: &Client, objective: Option<&'static str>) -> JoinHandle<Result<Answer>> {
    let client = client.clone();
    tokio::spawn(async move { ask(&client, objective).await })
}

/// Metrics of a busy machine may be old, and then a sheddable request is refused.
async fn until_answered(client: &Client, objective: Option<&str>) -> Result<Answer> {
    until("a request is answered", LIMIT, async || {
        Ok(match ask(client, objective).await? {
            answer @ Answer::Goes(_) => Ok(answer),
            refused @ Answer::Refused(_) => Err(format!("{refused:?}")),
        })
    })
    .await
}

/// Waits until so many requests wait.
async fn waiting(picker: &Picker, series: &str, want: f64) -> Result<()> {
    until(&format!("{series} is {want}"), LIMIT, async || {
        let sum = picker.sum(series).await?;
        Ok(if sum == Some(want) { Ok(()) } else { Err(format!("{sum:?}")) })
    })
    .await
}

async fn answers_liveness(picker: &mut Picker) -> Result<()> {
    until("the picker is alive", LIMIT, async || -> Result<Look<()>> { picker.probe("liveness").await }).await
}

/// What every model has.
fn base() -> Value {
    json!({"model": "m", "providerConfigName": "gpu-cluster", "host": "m.example.com"})
}

fn merged(mut base: Value, more: &Value) -> Value {
    for (field, value) in more.as_object().cloned().unwrap_or_default() {
        e2e::files::set(&mut base, &field, value);
    }
    base
}
