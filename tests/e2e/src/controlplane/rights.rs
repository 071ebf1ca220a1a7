//! What Crossplane may do where it is no administrator: what its chart and its RBAC manager grant it, and whatever is
//! labelled for that.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::cluster::{Cluster, text};
use super::platform::PLATFORM;
use super::{ControlPlane, crds};

/// As whom Crossplane comes. In a cluster it is a service account; to RBAC one is as good as the other.
const USER: &str = "crossplane-of-the-chart";

const CHART: crds::Source = crds::Source {
    folder: "cluster/charts/crossplane/templates",
    files: &["clusterrole.yaml"],
    ..crds::CROSSPLANE
};

/// The label by which Crossplane's own `ClusterRole` takes others in.
const AGGREGATED: &str = "rbac.crossplane.io/aggregate-to-crossplane";

/// The way in for a Crossplane that may do what the chart grants.
pub async fn of_the_chart(control_plane: &ControlPlane) -> Result<PathBuf> {
    for role in chart_roles()? {
        control_plane.cluster.apply(&role, PLATFORM).await?;
    }
    let pair = control_plane.authority.client(USER, None)?;
    let path = control_plane.dir.join("crossplane.kubeconfig");
    let kubeconfig = control_plane.kubeconfig_as(&pair)?;
    std::fs::write(&path, kubeconfig).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// What the RBAC manager would grant for a composite resource definition (crossplane v2.3.4,
/// `internal/controller/rbac/definition/roles.go`).
pub async fn of_an_xrd(cluster: &Cluster, xrd: &Value) -> Result<()> {
    let (group, plural) = (text(xrd, "/spec/group"), text(xrd, "/spec/names/plural"));
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {
            "name": format!("crossplane:composite:{}:aggregate-to-crossplane", text(xrd, "/metadata/name")),
            "labels": {AGGREGATED: "true"},
        },
        "rules": [
            {"apiGroups": [group], "resources": [plural, format!("{plural}/status")], "verbs": ["*"]},
            {"apiGroups": [group], "resources": [format!("{plural}/finalizers")], "verbs": ["update"]},
        ],
    });
    cluster.apply(&role, PLATFORM).await.map(drop)
}

/// Grants Crossplane every role that carries the label, as the aggregation of its own would. Roles that come later count
/// once this is called again.
pub async fn aggregate(cluster: &Cluster) -> Result<()> {
    let label = format!("/metadata/labels/{}", AGGREGATED.replace('/', "~1"));
    let roles = cluster.list("rbac.authorization.k8s.io/v1", "ClusterRole", "").await?;
    for role in roles.iter().filter(|role| text(role, &label) == "true") {
        let name = text(role, "/metadata/name");
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": format!("{USER}:{name}")},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": USER}],
        });
        cluster.apply(&binding, PLATFORM).await?;
    }
    Ok(())
}

/// The chart's own roles. Its template says so little that it can be read without Helm: a name, a condition that holds
/// and labels that do not matter.
fn chart_roles() -> Result<Vec<Value>> {
    let template = CHART.file()?.replace(r#"{{ template "crossplane.name" . }}"#, "crossplane");
    let lines: Vec<&str> = template.lines().filter(|line| !line.contains("{{-")).collect();
    let roles: Vec<Value> =
        serde_yaml::from_multiple(&lines.join("\n")).context("the chart's template is not what it was")?;
    let granting = roles.iter().filter(|role| role.get("rules").is_some()).count();
    ensure!((roles.len(), granting) == (2, 1), "the chart's template is not what it was: {roles:?}");
    // The one that only takes others in needs a controller that is played here.
    Ok(roles.into_iter().filter(|role| role.get("rules").is_some()).collect())
}
