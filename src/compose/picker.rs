//! The Endpoint Picker: configuration, identity, rights, pod and Service.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMap, ConfigMapVolumeSource, Container, ContainerPort, EnvVar, EnvVarSource,
    GRPCAction, ObjectFieldSelector, PodSecurityContext, PodSpec, PodTemplateSpec, Probe,
    ResourceRequirements, SeccompProfile, SecurityContext, Service, ServiceAccount, ServicePort, ServiceSpec,
    TCPSocketAction, TopologySpreadConstraint, Volume, VolumeMount,
};
use k8s_openapi::api::rbac::v1::{PolicyRule, Role, RoleBinding, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::digest::digest;
use crate::kinds::Foreign;
use crate::kinds::inference::GROUP;
use crate::plan::endpoint_picker::{ConfigPlan, OwnPicker};
use crate::plan::keys::Key;
use crate::plan::names::{
    CONFIG_HASH_ANNOTATION, ENDPOINT_PICKER, PICKER_HEALTH_PORT, PICKER_METRICS_CONTAINER_PORT_NAME,
    PICKER_METRICS_PORT, PICKER_METRICS_PORT_NAME, PICKER_PORT,
};
use crate::plan::{Plan, RoutingPlan};

use super::{ComposeError, labelled, meta, picker_config, select};

/// Where the configuration is mounted.
const CONFIG_DIRECTORY: &str = "/config";
/// Its file there, and its key in the `ConfigMap`.
const CONFIG_FILE: &str = "epp.yaml";
/// The user of the distroless `nonroot` images that the picker is built on; written as a number, since the kubelet
/// cannot tell whether a name is root.
const NONROOT_UID: i64 = 65532;
/// Running requests may take as long as the engines take to drain (GIE charts).
const GRACE_SECONDS: i64 = 130;
/// How long it may take until it listens. Rights and kinds that it waits for come with the stack.
const START_SECONDS: i32 = 300;
/// Port names inside the pod.
const GRPC: &str = "grpc";
const GRPC_HEALTH: &str = "grpc-health";
/// The group of RBAC kinds.
pub(super) const RBAC_GROUP: &str = "rbac.authorization.k8s.io";
/// The group of leases.
const COORDINATION_GROUP: &str = "coordination.k8s.io";
/// What the picker needs of everything it reads.
const READ: [&str; 3] = ["get", "list", "watch"];

/// The picker's configuration.
pub(super) fn config_map(plan: &Plan, picker: &OwnPicker) -> Result<ConfigMap, ComposeError> {
    let text = match &picker.config {
        ConfigPlan::Composed(config) => picker_config::file(picker.family, config)?.yaml.clone(),
        ConfigPlan::Written(text) => text.clone(),
    };
    Ok(ConfigMap {
        metadata: labelled(plan, Key::EppConfigMap, plan.component_labels(ENDPOINT_PICKER)),
        data: Some(BTreeMap::from([(CONFIG_FILE.to_owned(), text)])),
        ..ConfigMap::default()
    })
}

/// The picker's identity.
pub(super) fn service_account(plan: &Plan) -> ServiceAccount {
    ServiceAccount {
        metadata: labelled(plan, Key::EppServiceAccount, plan.component_labels(ENDPOINT_PICKER)),
        ..ServiceAccount::default()
    }
}

/// Lets the picker watch the pods that it chooses among.
pub(super) fn role_pod_reader(plan: &Plan) -> Role {
    role(plan, Key::EppRolePodReader, vec![reads(&[""], &["pods"])])
}

/// Lets the picker watch its pool, and the objectives and rewrites that name the pool.
pub(super) fn role_pool_reader(plan: &Plan, routing: &RoutingPlan) -> Role {
    let experimental = reads(&routing.objective_groups(), &["inferenceobjectives", "inferencemodelrewrites"]);
    role(plan, Key::EppRolePoolReader, vec![reads(&[GROUP], &["inferencepools"]), experimental])
}

/// Binds the first role.
pub(super) fn role_binding_pod_reader(plan: &Plan) -> RoleBinding {
    role_binding(plan, Key::EppRoleBindingPodReader, Key::EppRolePodReader)
}

/// Binds the second.
pub(super) fn role_binding_pool_reader(plan: &Plan) -> RoleBinding {
    role_binding(plan, Key::EppRoleBindingPoolReader, Key::EppRolePoolReader)
}

/// Lets the picker's replicas elect a leader: nobody can be named who may create a lease, but this one alone may be
/// taken over. The election is told in events.
pub(super) fn role_leader_election(plan: &Plan, picker: &OwnPicker) -> Role {
    let leases = "leases";
    let lease = format!("epp-{}-{}.{}", plan.namespace, plan.name, picker.family.traits().lease_suffix);
    let held = PolicyRule {
        resource_names: Some(vec![lease]),
        ..rule(&[COORDINATION_GROUP], &[leases], &["get", "update"])
    };
    let rules = vec![
        rule(&[COORDINATION_GROUP], &[leases], &["create"]),
        held,
        rule(&[""], &["events"], &["create", "patch"]),
    ];
    role(plan, Key::EppRoleLeaderElection, rules)
}

/// Binds the third.
pub(super) fn role_binding_leader_election(plan: &Plan) -> RoleBinding {
    role_binding(plan, Key::EppRoleBindingLeaderElection, Key::EppRoleLeaderElection)
}

fn role(plan: &Plan, key: Key, rules: Vec<PolicyRule>) -> Role {
    Role { metadata: meta(plan, key), rules: Some(rules) }
}

fn reads(groups: &[&str], resources: &[&str]) -> PolicyRule {
    rule(groups, resources, &READ)
}

fn rule(groups: &[&str], resources: &[&str], verbs: &[&str]) -> PolicyRule {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    PolicyRule {
        api_groups: Some(owned(groups)),
        resources: Some(owned(resources)),
        verbs: owned(verbs),
        ..PolicyRule::default()
    }
}

fn role_binding(plan: &Plan, key: Key, role: Key) -> RoleBinding {
    let (_, role) = plan.place_of(role);
    RoleBinding {
        metadata: meta(plan, key),
        role_ref: RoleRef { api_group: RBAC_GROUP.to_owned(), kind: "Role".to_owned(), name: role },
        subjects: Some(vec![account(plan, plan.name.picker())]),
    }
}

/// A `ServiceAccount` of the model's namespace, as a binding names it.
pub(super) fn account(plan: &Plan, name: String) -> Subject {
    Subject {
        api_group: None,
        kind: "ServiceAccount".to_owned(),
        name,
        namespace: Some(plan.namespace.to_string()),
    }
}

/// Where the gateway finds the picker, and Prometheus its metrics.
pub(super) fn service(plan: &Plan, picker: &OwnPicker) -> Service {
    let port = |name: &str, port: u16, target: &str, app_protocol: Option<&str>| ServicePort {
        name: Some(name.to_owned()),
        app_protocol: app_protocol.map(str::to_owned),
        protocol: Some("TCP".to_owned()),
        port: i32::from(port),
        target_port: Some(IntOrString::String(target.to_owned())),
        ..ServicePort::default()
    };
    Service {
        metadata: labelled(plan, Key::EppService, plan.component_labels(ENDPOINT_PICKER)),
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            selector: Some(plan.component_labels(ENDPOINT_PICKER)),
            ports: Some(vec![
                port("grpc-ext-proc", PICKER_PORT, GRPC, picker.family.traits().app_protocol),
                port(PICKER_METRICS_PORT_NAME, PICKER_METRICS_PORT, PICKER_METRICS_CONTAINER_PORT_NAME, None),
            ]),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

/// Where the gateway finds a picker that is somebody else's: its identity and nothing more.
pub(super) fn existing_service(plan: &Plan) -> Foreign {
    let (namespace, name) = plan.place_of(Key::EppExistingService);
    Foreign {
        api_version: "v1",
        kind: "Service",
        metadata: ObjectMeta { name: Some(name), namespace, ..ObjectMeta::default() },
    }
}

/// The picker itself.
pub(super) fn deployment(plan: &Plan, picker: &OwnPicker) -> Result<Deployment, ComposeError> {
    let labels = plan.component_labels(ENDPOINT_PICKER);
    Ok(Deployment {
        metadata: labelled(plan, Key::EppDeployment, labels.clone()),
        spec: Some(DeploymentSpec {
            replicas: Some(i32::from(picker.replicas)),
            strategy: Some(strategy(picker)),
            selector: select(labels.clone()),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(labels),
                    // The configuration is read once, at start.
                    annotations: Some(BTreeMap::from([(
                        CONFIG_HASH_ANNOTATION.to_owned(),
                        config_hash(picker)?,
                    )])),
                    ..ObjectMeta::default()
                }),
                spec: Some(pod(plan, picker)),
            },
            ..DeploymentSpec::default()
        }),
        status: None,
    })
}

/// The former picker goes once the next one answers. For a moment each of the two knows half of the requests, and holds
/// half of the queue: better than nobody who answers.
///
/// Where one of several leads, a new replica would wait for a lease that the former leader keeps until a new one is ready.
/// There all go at once, and a new one leads as soon as the former leader lets go; `Recreate` would wait until that has
/// ended all that it had begun.
fn strategy(picker: &OwnPicker) -> DeploymentStrategy {
    let (surge, unavailable) = if picker.elects_leader() {
        (IntOrString::Int(0), IntOrString::String("100%".to_owned()))
    } else {
        (IntOrString::Int(1), IntOrString::Int(0))
    };
    DeploymentStrategy {
        type_: Some("RollingUpdate".to_owned()),
        rolling_update: Some(RollingUpdateDeployment {
            max_surge: Some(surge),
            max_unavailable: Some(unavailable),
        }),
    }
}

fn config_hash(picker: &OwnPicker) -> Result<String, ComposeError> {
    Ok(match &picker.config {
        ConfigPlan::Composed(config) => picker_config::file(picker.family, config)?.hash.clone(),
        ConfigPlan::Written(text) => digest(text),
    })
}

fn pod(plan: &Plan, picker: &OwnPicker) -> PodSpec {
    PodSpec {
        service_account_name: Some(plan.name.picker()),
        termination_grace_period_seconds: Some(GRACE_SECONDS),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(NONROOT_UID),
            run_as_group: Some(NONROOT_UID),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                localhost_profile: None,
            }),
            ..PodSecurityContext::default()
        }),
        // Replicas that go down together help nobody; on a cluster of one node they may.
        topology_spread_constraints: picker.elects_leader().then(|| {
            vec![TopologySpreadConstraint {
                max_skew: 1,
                topology_key: "kubernetes.io/hostname".to_owned(),
                when_unsatisfiable: "ScheduleAnyway".to_owned(),
                label_selector: Some(select(plan.component_labels(ENDPOINT_PICKER))),
                ..TopologySpreadConstraint::default()
            }]
        }),
        containers: vec![container(plan, picker)],
        volumes: Some(vec![Volume {
            name: "config".to_owned(),
            config_map: Some(ConfigMapVolumeSource {
                name: plan.name.picker(),
                ..ConfigMapVolumeSource::default()
            }),
            ..Volume::default()
        }]),
        ..PodSpec::default()
    }
}

fn container(plan: &Plan, picker: &OwnPicker) -> Container {
    let port = |name: &str, port: u16| ContainerPort {
        name: Some(name.to_owned()),
        container_port: i32::from(port),
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    };
    Container {
        name: "epp".to_owned(),
        image: Some(picker.image.clone()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        args: Some(args(plan, picker)),
        env: Some(vec![field("NAMESPACE", "metadata.namespace"), field("POD_NAME", "metadata.name")]),
        ports: Some(vec![
            port(GRPC, PICKER_PORT),
            port(GRPC_HEALTH, PICKER_HEALTH_PORT),
            port(PICKER_METRICS_CONTAINER_PORT_NAME, PICKER_METRICS_PORT),
        ]),
        resources: Some(picker.resources.clone()).filter(|wanted| *wanted != ResourceRequirements::default()),
        startup_probe: Some(listens()),
        liveness_probe: Some(Probe { initial_delay_seconds: Some(5), ..probe("liveness", 10) }),
        readiness_probe: Some(probe("readiness", 2)),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            capabilities: Some(Capabilities { add: None, drop: Some(vec!["ALL".to_owned()]) }),
            read_only_root_filesystem: Some(true),
            ..SecurityContext::default()
        }),
        volume_mounts: Some(vec![VolumeMount {
            name: "config".to_owned(),
            mount_path: CONFIG_DIRECTORY.to_owned(),
            read_only: Some(true),
            ..VolumeMount::default()
        }]),
        ..Container::default()
    }
}

/// `--flag=value` throughout: as two items a boolean flag means true, whatever follows.
fn args(plan: &Plan, picker: &OwnPicker) -> Vec<String> {
    let mut args = vec![
        format!("--pool-name={}", plan.name),
        format!("--pool-namespace={}", plan.namespace),
        format!("--pool-group={GROUP}"),
        format!("--config-file={CONFIG_DIRECTORY}/{CONFIG_FILE}"),
        format!("--grpc-port={PICKER_PORT}"),
        format!("--grpc-health-port={PICKER_HEALTH_PORT}"),
        format!("--metrics-port={PICKER_METRICS_PORT}"),
        // Gateways speak TLS to the picker; it makes a certificate of its own.
        "--secure-serving=true".to_owned(),
        format!("--metrics-endpoint-auth={}", plan.guards_metrics()),
        "--tracing=false".to_owned(),
        "--enable-pprof=false".to_owned(),
        "--zap-encoder=json".to_owned(),
        "--v=1".to_owned(),
    ];
    if picker.elects_leader() {
        args.push("--ha-enable-leader-election=true".to_owned());
    }
    if picker.experimental_plugins {
        args.push("--allow-experimental-plugins=true".to_owned());
    }
    if picker.holds {
        // An empty subset hint, sent while there is no pod, would freeze a held request's candidates (GIE#2117).
        args.push("--disable-endpoint-subset-filter=true".to_owned());
    }
    args
}

fn field(name: &str, path: &str) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                api_version: Some("v1".to_owned()),
                field_path: path.to_owned(),
            }),
            ..EnvVarSource::default()
        }),
    }
}

/// These service names are right with and without leader election; the charts' `inference-extension` is not.
fn probe(service: &str, period_seconds: i32) -> Probe {
    Probe {
        grpc: Some(GRPCAction { port: i32::from(PICKER_HEALTH_PORT), service: Some(service.to_owned()) }),
        period_seconds: Some(period_seconds),
        ..Probe::default()
    }
}

/// The picker says that it is ready before it has made the key of its certificate, and listens only then, leader or not
/// (GIE v1.3.1, `pkg/epp/server/runserver.go`): asked no sooner, it would be sent requests that it refuses.
fn listens() -> Probe {
    Probe {
        tcp_socket: Some(TCPSocketAction { host: None, port: IntOrString::String(GRPC.to_owned()) }),
        period_seconds: Some(1),
        timeout_seconds: Some(1),
        failure_threshold: Some(START_SECONDS),
        ..Probe::default()
    }
}
