//! Settings for tests, as sentences: `llm().hosted("llama.example.com").scaled(0, 4)`.

use std::collections::BTreeMap;

use super::operator::Operator;
use super::settings::{
    Adapter, Backend, Composite, Criticality, Delivery, Discovery, ExistingPicker, FailureMode,
    GatewayChoice, GatewayRef, Implementation, Lora, Metric, MetricsAuth, Model, MonitorKind, Monitoring,
    Monitors, Network, Picker, PriorityHook, ProviderConfigKind, Replicas, RouteBy, Routing, Runtime,
    Scaling, Settings, Target, Toggle, Transport, Ttl,
};
use super::{Document, Duration, Host, ModelName, Namespace};

/// What was written, for as long as a test may need it.
pub(crate) fn document(value: serde_json::Value) -> Document<'static> {
    Document::from(&*Box::leak(Box::new(value)))
}

/// A model as the shortest manifest on the default platform asks for it.
pub(crate) fn llm() -> Settings {
    Settings {
        composite: Composite {
            api_version: "inference.devopstoolkit.ai/v1alpha1".to_owned(),
            kind: "LLMInference".to_owned(),
            name: ModelName::parse("llama").unwrap(),
            namespace: Some("team-a".to_owned()),
            created: None,
            spec_path: "spec".to_owned(),
        },
        transport: Transport::Objects(Delivery {
            target: Target::NamespacedObject,
            provider_config_kind: ProviderConfigKind::ProviderConfig,
            provider_config_name: "gpu-cluster".to_owned(),
        }),
        namespace: Namespace::parse("team-a").unwrap(),
        backend: Backend::VllmRuntime(Operator::V0_1_12),
        model: Model {
            uri: "Qwen/Qwen2.5-3B-Instruct".to_owned(),
            served_name: "Qwen/Qwen2.5-3B-Instruct".to_owned(),
            alias: None,
            gpu: 1,
            criticality: Criticality::Critical,
            priority: 100,
            runtime: Runtime::default(),
            lora: None,
        },
        replicas: Replicas { min: 1, max: 3 },
        scaling: None,
        cold_start: Duration::from_seconds(600),
        routing: None,
        ingress_host: None,
        monitoring: Monitoring::Monitors(Monitors {
            kind: MonitorKind::ServiceMonitor,
            labels: BTreeMap::from([("release".to_owned(), "kube-prometheus-stack".to_owned())]),
            interval: Duration::from_seconds(15),
            endpoint_picker: Toggle::Auto,
        }),
        rules: None,
        disruption_budget: true,
        network: None,
        pod_annotations: BTreeMap::new(),
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        ttl: Ttl { settled: Duration::from_seconds(600), pending: Duration::from_seconds(30) },
    }
}

impl Settings {
    /// As composed resources, without Objects around them.
    pub(crate) fn direct(mut self) -> Self {
        self.transport = Transport::Direct;
        self
    }

    /// Routed by host through the default Gateway.
    pub(crate) fn hosted(mut self, host: &str) -> Self {
        self.routing = Some(Routing {
            by: RouteBy::Host(Host::parse(host).unwrap()),
            implementation: Some(Implementation::EnvoyAiGateway),
            gateway: GatewayChoice::Named(GatewayRef {
                name: "eg".to_owned(),
                namespace: "envoy-gateway-system".to_owned(),
                section_name: None,
            }),
            priority_hook: PriorityHook::None,
            timeout: Duration::from_seconds(300),
            picker: Picker {
                version: None,
                family: None,
                image: None,
                replicas: 1,
                resources: None,
                scorers: None,
                config: None,
                failure_mode: FailureMode::FailClose,
                flow_control: Toggle::Auto,
                metrics_auth: MetricsAuth::None,
                existing: None,
            },
        });
        self
    }

    /// Behind another Gateway.
    pub(crate) fn behind(mut self, namespace: &str, name: &str) -> Self {
        self.routing.as_mut().unwrap().gateway = GatewayChoice::Named(GatewayRef {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            section_name: None,
        });
        self
    }

    /// Behind the Gateway that is found, of several the one with the platform's label.
    pub(crate) fn discovering(mut self) -> Self {
        let labels = BTreeMap::from([("use".to_owned(), "yes".to_owned())]);
        self.routing.as_mut().unwrap().gateway =
            GatewayChoice::Discovered(Discovery { labels, section_name: None });
        self
    }

    /// Behind a picker that is already there.
    pub(crate) fn picked_by(mut self, name: &str) -> Self {
        let existing = ExistingPicker { name: name.to_owned(), port: None };
        self.routing.as_mut().unwrap().picker.existing = Some(existing);
        self
    }

    /// Where the platform permits Lua.
    pub(crate) fn scripted(mut self) -> Self {
        self.routing.as_mut().unwrap().priority_hook = PriorityHook::Lua;
        self
    }

    /// Closed to everybody who has no business there.
    pub(crate) fn closed(mut self) -> Self {
        self.network = Some(Network { prometheus: Some(Namespace::parse("monitoring").unwrap()) });
        self
    }

    /// Routed by the model's name, at any host, through the default Gateway.
    pub(crate) fn named(self) -> Self {
        let mut named = self.hosted("any.example.com");
        named.routing.as_mut().unwrap().by = RouteBy::ModelName(None);
        named
    }

    /// With adapters of these names.
    pub(crate) fn adapted<const N: usize>(mut self, names: [&str; N]) -> Self {
        let adapter = |name: &str| Adapter { name: name.to_owned(), path: format!("acme/{name}") };
        let adapters = names.map(adapter).to_vec();
        self.model.lora = Some(Lora { adapters, max_adapters: 1, max_rank: 16 });
        self
    }

    /// Behind a Gateway that something else implements.
    pub(crate) fn on(mut self, implementation: Implementation) -> Self {
        self.routing.as_mut().unwrap().implementation = Some(implementation);
        self
    }

    /// Behind a Gateway whose class says what implements it.
    pub(crate) fn on_any(mut self) -> Self {
        self.routing.as_mut().unwrap().implementation = None;
        self
    }

    /// The monitors.
    pub(crate) fn monitors(&mut self) -> &mut Monitors {
        match &mut self.monitoring {
            Monitoring::Monitors(monitors) => monitors,
            other @ (Monitoring::None | Monitoring::External(_)) => panic!("no monitors: {other:?}"),
        }
    }

    /// Scraped by another kind of monitor.
    pub(crate) fn scraped_by(mut self, kind: MonitorKind) -> Self {
        self.monitors().kind = kind;
        self
    }

    /// Scaled on queue depth.
    pub(crate) fn scaled(mut self, min: u32, max: u32) -> Self {
        self.replicas = Replicas { min, max };
        self.scaling = Some(Scaling {
            metric: Metric::QueueDepth,
            target: None,
            prometheus_address: "http://prometheus:9090".to_owned(),
            credentials: None,
        });
        self
    }
}
