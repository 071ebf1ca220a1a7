//! How a model scales, and where the series come from that it scales on.

use std::collections::BTreeMap;

use super::latency;
use super::llm_inference as xr;
use super::model_stack as stack;
use super::problem::{Path, Problems, Step};
use super::resolve::texts;
use super::rules;
use super::settings::{
    AuthKind, AuthMode, Credentials, Metric, MonitorKind, Monitoring, Monitors, Network, Scaling, Toggle,
};
use super::values::{Duration, Namespace};

/// Where kube-prometheus-stack listens when it is installed as its documentation says, in this namespace.
const DEFAULT_PROMETHEUS: &str = "http://kube-prometheus-stack-prometheus.prometheus-system:9090";
/// How kube-prometheus-stack selects monitors, unless told otherwise.
const DEFAULT_MONITOR_LABEL: (&str, &str) = ("release", "kube-prometheus-stack");

/// The target belongs to its metric: the platform's is taken only where it was meant for the metric in effect.
pub(super) fn scaling(
    scaling: xr::Scaling,
    defaults: stack::ScalingDefaults,
    prometheus: stack::Prometheus,
    problems: &mut Problems,
    input: &mut Problems,
) -> Option<Scaling> {
    let xr::Scaling { enabled, metric, target, latency, prometheus_address, cold_start: _ } = scaling;
    let stack::ScalingDefaults {
        metric: default_metric,
        target: default_target,
        latency: default_latency,
        cold_start: _,
    } = defaults;
    let stack::Prometheus { address, auth_ref } = prometheus;
    let meant_for = default_metric.unwrap_or(xr::Metric::QueueDepth);
    let metric = metric.unwrap_or(meant_for);
    rules::target(metric, target, &Path::dotted("scaling.target"), problems);
    let path = Path::dotted("scaling.latency");
    rules::objective(metric, latency.as_ref(), &path, problems);
    let has_credentials = auth_ref.is_some();
    let credentials = auth_ref.and_then(|auth_ref| credentials(auth_ref, input));
    let own_address = address.map_or_else(|| DEFAULT_PROMETHEUS.to_owned(), |address| address.0);
    let address = prometheus_address.map(|address| address.0);
    if let Some(address) = address.as_ref().filter(|address| has_credentials && **address != own_address) {
        let want = "must be left out, since the platform's credentials are for its own Prometheus alone";
        problems.add(&Path::dotted("scaling.prometheusAddress"), format!("{address:?}"), want);
    }
    if enabled != Some(true) {
        return None;
    }
    let target = target.or_else(|| default_target.filter(|_| metric == meant_for));
    let metric = match metric {
        xr::Metric::QueueDepth => Metric::QueueDepth,
        xr::Metric::KvCache => Metric::KvCache,
        xr::Metric::Latency => {
            let seen = if latency.is_some() { "an object" } else { "missing" };
            let Some(objective) = latency::settle(latency, default_latency) else {
                // What was refused may have been one.
                if !problems.doubt_part_of(&path)
                    && !input.doubt_part_of(&Path::dotted("defaults.scaling.latency"))
                {
                    let want = "must have timeToFirstToken or interTokenLatency where the metric is latency";
                    problems.add(&path, seen, want);
                }
                return None;
            };
            Metric::Latency(objective)
        }
    };
    Some(Scaling {
        metric,
        target: target.map(|target| target.0),
        prometheus_address: address.unwrap_or(own_address),
        credentials,
    })
}

/// KEDA uses credentials, a certificate authority among them, only in the modes that a trigger names, and refuses a
/// trigger with both `bearer` and `basic` (kedacore/keda v2.20.2, `pkg/scalers/authentication`).
fn credentials(auth_ref: stack::AuthReference, input: &mut Problems) -> Option<Credentials> {
    let stack::AuthReference { name, kind, modes } = auth_ref;
    let path = Path::dotted("prometheus.authRef.modes");
    let modes = modes.map(|modes| modes.0)?;
    if modes.is_empty() {
        input.add(
            &path,
            "a list of 0",
            "must name at least one mode, since KEDA uses credentials in these alone",
        );
    }
    for (index, mode) in modes.iter().enumerate() {
        let before = modes.get(..index).unwrap_or_default();
        let other = match mode {
            AuthMode::Bearer => AuthMode::Basic,
            AuthMode::Basic => AuthMode::Bearer,
            AuthMode::Tls | AuthMode::Custom => *mode,
        };
        let want = if before.contains(mode) {
            "an earlier entry says so"
        } else if before.contains(&other) {
            "bearer and basic exclude each other"
        } else {
            continue;
        };
        let mut path = path.clone();
        path.0.push(Step::Index(index));
        input.add(&path, format!("{:?}", mode.as_str()), want);
    }
    Some(Credentials { name: name?.0, kind: kind.unwrap_or(AuthKind::TriggerAuthentication), modes })
}

/// Labels that queries write themselves: a second value for one would select nothing.
const PINNED_LABELS: [&str; 2] = ["namespace", "pod"];

/// Where the series come from, and by which labels Prometheus selects alerts about them, where there are any.
pub(super) fn monitoring(
    monitoring: stack::Monitoring,
    input: &mut Problems,
) -> (Monitoring, Option<BTreeMap<String, String>>) {
    let stack::Monitoring { kind, labels, interval, endpoint_picker, external, rules } = monitoring;
    let (label, value) = DEFAULT_MONITOR_LABEL;
    let labels = labels.map_or_else(|| [(label.to_owned(), value.to_owned())].into(), texts);
    let rules = rules.unwrap_or_default().then(|| labels.clone());
    let kind = match kind.unwrap_or(stack::MonitoringKind::ServiceMonitor) {
        stack::MonitoringKind::None => {
            let Some(stack::ExternalMonitoring { selector }) = external else {
                if rules.is_some() {
                    let want = "must be left out where monitoring.kind is None, since alerts would ask for series that \
                                nobody scrapes; if somebody else does, monitoring.external has to say which these are";
                    input.add(&Path::dotted("monitoring.rules"), "true", want);
                }
                return (Monitoring::None, None);
            };
            let selector = selector.map(texts).unwrap_or_default();
            for label in selector.keys() {
                let want = if PINNED_LABELS.contains(&label.as_str()) {
                    "must be left out, since every query selects by it anyway"
                } else if label.starts_with(|c: char| c.is_ascii_digit()) {
                    "must not start with a digit, as no label of a series does"
                } else {
                    continue;
                };
                input.add(&Path::fields(&["monitoring", "external", "selector", label]), "set", want);
            }
            return (Monitoring::External(selector), rules);
        }
        stack::MonitoringKind::ServiceMonitor => MonitorKind::ServiceMonitor,
        stack::MonitoringKind::PodMonitor => MonitorKind::PodMonitor,
    };
    if external.is_some() {
        let want = "must be left out unless monitoring.kind is None: the series would be there twice";
        input.add(&Path::dotted("monitoring.external"), "set", want);
    }
    let monitors = Monitors {
        kind,
        labels,
        interval: interval.map_or(Duration::from_seconds(15), |it| it.0),
        endpoint_picker: endpoint_picker.unwrap_or(Toggle::Auto),
    };
    (Monitoring::Monitors(monitors), rules)
}

/// From where pods are scraped: where the platform's Prometheus is, and not the one that a composite may name, or
/// whoever writes that would open the pods to a namespace of their own choice.
pub(super) fn network(monitoring: &Monitoring, address: Option<String>, input: &mut Problems) -> Network {
    let address = address.unwrap_or_else(|| DEFAULT_PROMETHEUS.to_owned());
    let prometheus = match monitoring {
        Monitoring::None => None,
        Monitoring::Monitors(_) | Monitoring::External(_) => {
            let found = namespace_of(&address);
            if found.is_none() {
                let want = "must name a Service of the cluster and its namespace, such as http://prometheus.monitoring:9090, \
                            where hardening.networkPolicy is true: the pods can be scraped from that namespace alone; or \
                            leave networkPolicy out";
                input.add(&Path::dotted("prometheus.address"), format!("{address:?}"), want);
            }
            found
        }
    };
    Network { prometheus }
}

/// The namespace in the address of a Service: `<service>.<namespace>`, with `.svc` and the cluster's domain or without.
fn namespace_of(address: &str) -> Option<Namespace> {
    let (_, rest) = address.split_once("://")?;
    let host = rest.split(['/', ':']).next()?;
    let mut labels = host.split('.');
    let (_service, namespace) = (labels.next()?, labels.next()?);
    labels.next().is_none_or(|label| label == "svc").then(|| Namespace::parse(namespace)).flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::api::Namespace;
    use crate::api::settings::{AuthKind, AuthMode, Credentials, Monitoring};
    use crate::api::tests::{composite, input, problems, settings};

    #[test]
    fn credentials_say_how_they_are_used() {
        let auth = |auth: Value| input(json!({"prometheus": {"authRef": auth}}));
        let scaled =
            |address: Value| composite(json!({"scaling": {"enabled": true, "prometheusAddress": address}}));
        let found = settings(
            scaled(json!(null)),
            Some(auth(
                json!({"name": "prom", "kind": "ClusterTriggerAuthentication", "modes": ["bearer", "tls"]}),
            )),
        );
        let want = Credentials {
            name: "prom".to_owned(),
            kind: AuthKind::ClusterTriggerAuthentication,
            modes: vec![AuthMode::Bearer, AuthMode::Tls],
        };
        assert_eq!(found.scaling.unwrap().credentials, Some(want));

        let cases = [
            (json!({"name": "p"}), "Input spec.prometheus.authRef.modes is missing: it is required"),
            (
                json!({"name": "p", "modes": []}),
                "Input spec.prometheus.authRef.modes is a list of 0: must name at least one mode, since KEDA uses \
                 credentials in these alone",
            ),
            (
                json!({"name": "p", "modes": ["bearer", "tls", "basic"]}),
                "Input spec.prometheus.authRef.modes[2] is \"basic\": bearer and basic exclude each other",
            ),
            (
                json!({"name": "p", "modes": ["tls", "tls"]}),
                "Input spec.prometheus.authRef.modes[1] is \"tls\": an earlier entry says so",
            ),
            (json!({"name": "p", "modes": ["basic", "tls", "custom"]}), ""),
        ];
        for (reference, want) in cases {
            let found = problems(scaled(json!(null)), Some(auth(reference.clone())));
            assert_eq!(found.concat(), want, "{reference}");
        }
    }

    #[test]
    fn credentials_go_to_the_platforms_own_prometheus_alone() {
        let platform = |fields: Value| input(json!({"prometheus": fields}));
        let auth = json!({"name": "p", "modes": ["bearer"]});
        let asks =
            |address: &str| composite(json!({"scaling": {"enabled": true, "prometheusAddress": address}}));
        let with = |address: &str| platform(json!({"address": address, "authRef": auth}));
        let found = problems(asks("http://evil:1"), Some(with("http://prometheus:9090")));
        assert_eq!(
            found,
            [
                "spec.scaling.prometheusAddress is \"http://evil:1\": must be left out, since the platform's credentials \
              are for its own Prometheus alone"
            ]
        );
        assert_eq!(
            problems(asks("http://p:1"), Some(with("http://p:1"))),
            [""; 0],
            "the same one may be named"
        );
        let open = platform(json!({"address": "http://p:1"}));
        assert_eq!(problems(asks("http://q:1"), Some(open)), [""; 0], "nothing is given away");
    }

    #[test]
    fn series_of_somebody_else_need_no_monitors() {
        let external = |kind: &str, selector: Value| {
            input(json!({"monitoring": {"kind": kind, "external": {"selector": selector}}}))
        };
        let model = || composite(json!({}));
        let found = settings(model(), Some(external("None", json!({"cluster": "gpu"}))));
        assert_eq!(found.monitoring, Monitoring::External([("cluster".to_owned(), "gpu".to_owned())].into()));
        let bare = settings(model(), Some(input(json!({"monitoring": {"kind": "None", "external": {}}}))));
        assert_eq!(bare.monitoring, Monitoring::External([].into()), "namespace and pod may be enough");
        assert_eq!(
            problems(model(), Some(external("PodMonitor", json!({"a": "b"})))),
            [
                "Input spec.monitoring.external is set: must be left out unless monitoring.kind is None: the series would \
              be there twice"
            ]
        );
        assert_eq!(
            problems(model(), Some(external("None", json!({"namespace": "b"})))),
            [
                "Input spec.monitoring.external.selector.namespace is set: must be left out, since every query selects by \
              it anyway"
            ]
        );
        assert_eq!(
            problems(model(), Some(external("None", json!({"1a": "b"})))),
            [
                "Input spec.monitoring.external.selector.1a is set: must not start with a digit, as no label of a \
              series does"
            ]
        );
    }

    #[test]
    fn pods_are_scraped_from_where_the_platforms_prometheus_is() {
        let closed = |fields: Value| {
            let mut fields = fields;
            fields["hardening"] = json!({"networkPolicy": true});
            Some(input(fields))
        };
        let model = || composite(json!({"scaling": {"prometheusAddress": "http://mine.team-b:9090"}}));
        let at = |address: &str| closed(json!({"prometheus": {"address": address}}));
        let cases = [
            (closed(json!({})), Some("prometheus-system"), "the default, whatever a composite says"),
            (at("http://prometheus.monitoring:9090"), Some("monitoring"), "a short name"),
            (at("https://p.mon.svc/prometheus"), Some("mon"), "with a path"),
            (at("http://p.mon.svc.cluster.local:9090"), Some("mon"), "a whole name"),
            (closed(json!({"monitoring": {"kind": "None"}})), None, "nobody scrapes"),
            (
                closed(
                    json!({"monitoring": {"kind": "None"}, "prometheus": {"address": "https://p.example.com"}}),
                ),
                None,
                "so the address does not matter",
            ),
        ];
        for (platform, want, reason) in cases {
            let network = settings(model(), platform).network.unwrap();
            assert_eq!(network.prometheus.as_ref().map(Namespace::as_str), want, "{reason}");
        }
        assert_eq!(settings(model(), Some(input(json!({})))).network, None, "everybody may, of itself");
        for address in ["https://prometheus.example.com", "http://prometheus:9090", "http://10.0.0.7:9090"] {
            let want = format!(
                "Input spec.prometheus.address is {address:?}: must name a Service of the cluster and its namespace, such \
                 as http://prometheus.monitoring:9090, where hardening.networkPolicy is true: the pods can be scraped from \
                 that namespace alone; or leave networkPolicy out"
            );
            assert_eq!(problems(model(), at(address)), [want]);
        }
    }

    #[test]
    fn alerts_need_series_that_somebody_scrapes() {
        let monitoring = |fields: Value| Some(input(json!({"monitoring": fields})));
        let model = || composite(json!({}));
        let label = |value: &str| Some([("release".to_owned(), value.to_owned())].into());
        let cases = [
            (json!({"rules": true}), label("kube-prometheus-stack"), "selected as the monitors are"),
            (json!({"rules": true, "labels": {"release": "p"}}), label("p"), "as the platform says"),
            (json!({"rules": false}), None, "not asked for"),
            (
                json!({"rules": true, "kind": "None", "external": {}}),
                label("kube-prometheus-stack"),
                "by others",
            ),
            (json!({"kind": "None", "external": {}, "labels": {"release": "p"}}), None, "nor here"),
        ];
        for (fields, want, reason) in cases {
            assert_eq!(settings(model(), monitoring(fields)).rules, want, "{reason}");
        }
        assert_eq!(
            problems(model(), monitoring(json!({"rules": true, "kind": "None"}))),
            [
                "Input spec.monitoring.rules is true: must be left out where monitoring.kind is None, since alerts would \
                 ask for series that nobody scrapes; if somebody else does, monitoring.external has to say which these are"
            ]
        );
    }
}
