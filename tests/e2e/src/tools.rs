//! Other people's binaries, built from Go modules that pin them as tools.
//!
//! A tool is built once and kept under `target/e2e/tools`, under a name that changes with everything it was built
//! from, so a later run needs neither Go nor a network.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::digest::sha256_hex;
use crate::{process, workspace};

/// Building core and CLI takes six minutes of CPU time, and downloads half a gigabyte first.
const BUILD_LIMIT: Duration = Duration::from_mins(40);

/// Nothing is built in less.
const NOTABLE: Duration = Duration::from_secs(2);

/// One main package of a Go module beside this crate.
#[derive(Debug, Clone, Copy)]
pub struct Tool {
    /// The folder, beside `src`, whose go.mod pins it.
    pub module: &'static str,
    /// What the binary is called in the cache; upstream's own names are not unique.
    pub name: &'static str,
    /// The main package, one of the `tool` lines of that go.mod.
    pub package: &'static str,
    /// Where the package's version is decided: a line of the same go.mod.
    pub versioned_by: &'static str,
    /// The variable that tells the version, where upstream sets one when it makes a release.
    pub version_variable: Option<&'static str>,
    /// Build tags.
    pub tags: &'static str,
    /// Other variables to set, with their values: what has no flag.
    pub variables: &'static [(&'static str, &'static str)],
}

/// All of them, in the order in which most of what they share is built first.
pub const ALL: [Tool; 22] = [
    KUBE_APISERVER,
    ETCD,
    KUBE_CONTROLLER_MANAGER,
    KUBECTL,
    CROSSPLANE_CORE,
    CROSSPLANE_CLI,
    PROVIDER_KUBERNETES,
    PICKER_1_3,
    PICKER_1_4,
    ROUTER_1_3,
    PICKER_1_5,
    ROUTER_1_5,
    CHAINSAW,
    PROMETHEUS,
    PROMTOOL,
    PROMETHEUS_OPERATOR,
    KEDA_OPERATOR,
    KEDA_ADAPTER,
    KEDA_WEBHOOKS,
    CRANE,
    HELM,
    PROVIDER_HELM,
];

/// Crossplane itself. Its `internal render` runs the real reconciler on an in-memory client.
pub const CROSSPLANE_CORE: Tool = Tool {
    module: "render",
    name: "crossplane-core",
    package: "github.com/crossplane/crossplane/v2/cmd/crossplane",
    versioned_by: "github.com/crossplane/crossplane/v2",
    version_variable: Some("github.com/crossplane/crossplane-runtime/v2/pkg/version.version"),
    tags: "",
    variables: &[],
};

/// The command line of Crossplane: `render` and `xpkg build`.
pub const CROSSPLANE_CLI: Tool = Tool {
    module: "render",
    name: "crossplane",
    package: "github.com/crossplane/cli/v2/cmd/crossplane",
    versioned_by: "github.com/crossplane/cli/v2",
    version_variable: Some("github.com/crossplane/crossplane-runtime/v2/pkg/version.version"),
    tags: "",
    variables: &[],
};

/// The store of the control plane.
pub const ETCD: Tool = Tool {
    module: "controlplane",
    name: "etcd",
    package: "go.etcd.io/etcd/server/v3",
    versioned_by: "go.etcd.io/etcd/server/v3",
    version_variable: None,
    tags: "",
    variables: &[],
};

/// The API server: what decides whether an object is valid.
pub const KUBE_APISERVER: Tool = Tool {
    module: "controlplane",
    name: "kube-apiserver",
    package: "k8s.io/kubernetes/cmd/kube-apiserver",
    versioned_by: "k8s.io/kubernetes",
    version_variable: Some("k8s.io/component-base/version.gitVersion"),
    tags: "",
    variables: &[],
};

/// What scrapes, and what the autoscaler asks.
pub const PROMETHEUS: Tool = Tool {
    module: "prometheus",
    name: "prometheus",
    package: "github.com/prometheus/prometheus/cmd/prometheus",
    versioned_by: "github.com/prometheus/prometheus",
    version_variable: None,
    // Clients of every cloud, to find targets with, are most of the build.
    tags: "remove_all_sd,enable_kubernetes_sd",
    variables: &[],
};

/// What makes Prometheus' configuration of monitors.
pub const PROMETHEUS_OPERATOR: Tool = Tool {
    module: "prometheus-operator",
    name: "prometheus-operator",
    package: "github.com/prometheus-operator/prometheus-operator/cmd/operator",
    versioned_by: "github.com/prometheus-operator/prometheus-operator",
    version_variable: None,
    tags: "",
    variables: &[],
};

/// Prometheus' own test runner for queries.
pub const PROMTOOL: Tool = Tool {
    name: "promtool",
    package: "github.com/prometheus/prometheus/cmd/promtool",
    tags: "remove_all_sd",
    ..PROMETHEUS
};

/// The autoscaler: it moves between none and one, and leaves the rest to the `HorizontalPodAutoscaler` that it makes.
pub const KEDA_OPERATOR: Tool = Tool {
    module: "keda",
    name: "keda-operator",
    package: "github.com/kedacore/keda/v2/cmd/operator",
    versioned_by: "github.com/kedacore/keda/v2",
    version_variable: Some("github.com/kedacore/keda/v2/version.Version"),
    tags: "",
    variables: &[],
};

/// The metrics API that the `HorizontalPodAutoscaler` asks.
pub const KEDA_ADAPTER: Tool =
    Tool { name: "keda-adapter", package: "github.com/kedacore/keda/v2/cmd/adapter", ..KEDA_OPERATOR };

/// What says no to a `ScaledObject`, where it is installed.
pub const KEDA_WEBHOOKS: Tool =
    Tool { name: "keda-webhooks", package: "github.com/kedacore/keda/v2/cmd/webhooks", ..KEDA_OPERATOR };

/// The Endpoint Picker of the first family.
pub const PICKER_1_3: Tool = Tool {
    module: "picker-1.3",
    name: "epp",
    package: "sigs.k8s.io/gateway-api-inference-extension/cmd/epp",
    versioned_by: "sigs.k8s.io/gateway-api-inference-extension",
    version_variable: None,
    tags: "",
    variables: &[],
};

/// The Endpoint Picker of the family after it.
pub const PICKER_1_4: Tool = Tool { module: "picker-1.4", ..PICKER_1_3 };

/// The Endpoint Picker of the last family of its first project.
pub const PICKER_1_5: Tool = Tool { module: "picker-1.5", ..PICKER_1_3 };

/// The Body-Based Router that was released with the first.
pub const ROUTER_1_3: Tool =
    Tool { name: "bbr", package: "sigs.k8s.io/gateway-api-inference-extension/cmd/bbr", ..PICKER_1_3 };

/// The Body-Based Router that was released with the last.
pub const ROUTER_1_5: Tool = Tool { module: "picker-1.5", ..ROUTER_1_3 };

/// The controllers of Kubernetes itself, of which only a few are wanted here.
pub const KUBE_CONTROLLER_MANAGER: Tool = Tool {
    module: "controlplane",
    name: "kube-controller-manager",
    package: "k8s.io/kubernetes/cmd/kube-controller-manager",
    versioned_by: "k8s.io/kubernetes",
    version_variable: Some("k8s.io/component-base/version.gitVersion"),
    tags: "",
    variables: &[],
};

/// What a person talks to the API server with.
pub const KUBECTL: Tool = Tool {
    module: "controlplane",
    name: "kubectl",
    package: "k8s.io/kubernetes/cmd/kubectl",
    versioned_by: "k8s.io/kubernetes",
    version_variable: Some("k8s.io/component-base/version.gitVersion"),
    tags: "",
    variables: &[],
};

/// A registry for images, and a client of it that is not Crossplane's.
pub const CRANE: Tool = Tool {
    module: "registry",
    name: "crane",
    package: "github.com/google/go-containerregistry/cmd/crane",
    versioned_by: "github.com/google/go-containerregistry",
    version_variable: None,
    tags: "",
    variables: &[],
};

/// What renders and packs charts.
pub const HELM: Tool = Tool {
    module: "helm",
    name: "helm",
    package: "helm.sh/helm/v3/cmd/helm",
    versioned_by: "helm.sh/helm/v3",
    version_variable: None,
    tags: "",
    variables: &[],
};

/// What installs charts.
pub const PROVIDER_HELM: Tool = Tool {
    name: "provider-helm",
    package: "github.com/crossplane-contrib/provider-helm/cmd/provider",
    versioned_by: "github.com/crossplane-contrib/provider-helm",
    variables: &[
        // No flag moves the metrics off :8080, which others may use.
        ("sigs.k8s.io/controller-runtime/pkg/metrics/server.DefaultBindAddress", "0"),
        // Charts are kept by name in /tmp/charts, which outlives it: in its working directory they are of this run.
        ("github.com/crossplane-contrib/provider-helm/pkg/clients/helm.chartCache", "charts"),
    ],
    ..HELM
};

/// What applies our objects.
pub const PROVIDER_KUBERNETES: Tool = Tool {
    module: "provider",
    name: "provider-kubernetes",
    package: "github.com/crossplane-contrib/provider-kubernetes/cmd/provider",
    versioned_by: "github.com/crossplane-contrib/provider-kubernetes",
    version_variable: None,
    tags: "",
    // No flag moves the metrics off :8080, which others may use.
    variables: &[("sigs.k8s.io/controller-runtime/pkg/metrics/server.DefaultBindAddress", "0")],
};

/// What runs the suites of `tests/chainsaw`.
pub const CHAINSAW: Tool = Tool {
    module: "chainsaw",
    name: "chainsaw",
    package: "github.com/kyverno/chainsaw",
    versioned_by: "github.com/kyverno/chainsaw",
    version_variable: Some("github.com/kyverno/chainsaw/pkg/version.BuildVersion"),
    tags: "",
    variables: &[],
};

/// Builds what of it is not there yet, and tells what took its time.
pub fn build(tools: &[Tool], tell: impl Fn(&str)) -> Result<()> {
    for tool in tools {
        let started = Instant::now();
        tool.path()?;
        let took = started.elapsed();
        if took > NOTABLE {
            tell(&format!("built {} in {took:.0?}", tool.name));
        }
    }
    Ok(())
}

impl Tool {
    /// The path of the binary, which is built if it is not there yet.
    pub fn path(&self) -> Result<PathBuf> {
        let module = self.module();
        let go_mod = read(&module.join("go.mod"))?;
        let go_sum = read(&module.join("go.sum"))?;
        let version = self.version()?;
        let version = self.version_variable.map(|variable| (variable, version.as_str()));
        let variables = version.into_iter().chain(self.variables.iter().copied());
        // Without symbol tables the two of Crossplane weigh 200 MB instead of 290.
        let mut ldflags = vec!["-s -w".to_owned()];
        ldflags.extend(variables.map(|(variable, value)| format!("-X {variable}={value}")));
        let ldflags = ldflags.join(" ");

        let key = key(&[&go_mod, &go_sum, self.package, &ldflags, self.tags]);
        let dir = workspace::cache()?.join("tools").join(key);
        let binary = dir.join(self.name);
        std::fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;

        // Tests run side by side, and each may be the first to ask.
        let lock = File::create(dir.join(format!("{}.lock", self.name)))?;
        lock.lock().with_context(|| format!("cannot lock {}", dir.display()))?;
        if !binary.exists() {
            self.build(&module, &ldflags, &binary)?;
        }
        Ok(binary)
    }

    /// The version that is pinned.
    pub fn version(&self) -> Result<String> {
        let go_mod = self.module().join("go.mod");
        let version = version_in(&read(&go_mod)?, self.versioned_by).map(str::to_owned);
        version.with_context(|| format!("{} pins no {}", go_mod.display(), self.versioned_by))
    }

    fn module(&self) -> PathBuf {
        modules().join(self.module)
    }

    fn build(&self, module: &Path, ldflags: &str, binary: &Path) -> Result<()> {
        // A build that is cut off leaves nothing that could be taken for a tool.
        let partial = binary.with_extension("partial");
        let mut go = Command::new("go");
        go.args(["build", "-mod=readonly", "-tags", self.tags, "-ldflags", ldflags, "-o"])
            .arg(&partial)
            .arg(self.package)
            // A go.work above the repository would overrule the pins.
            .env("GOWORK", "off")
            .current_dir(module);
        let line = process::describe(&go);

        let built = process::run(&mut go, BUILD_LIMIT).with_context(|| {
            format!("{} is built by Go, of the version in {}/go.mod", self.name, module.display())
        })?;
        if !built.status.success() {
            let log = process::keep_log(
                &workspace::cache()?.join("logs"),
                &format!("{}.log", self.name),
                &built.stderr,
            )?;
            bail!(
                "cannot build {name}: `{line}` ended with {status}\n{tail}\n\
                 The whole log is in {log}. Where modules cannot be downloaded, look at `go env GOPROXY GOFLAGS \
                 GOTOOLCHAIN`; a cut-off download is worth a second try; where memory is short, GOFLAGS=-p=1 helps.",
                name = self.name,
                status = built.status,
                tail = process::tail(&built.stderr),
                log = log.display(),
            );
        }
        std::fs::rename(&partial, binary).with_context(|| format!("cannot write {}", binary.display()))
    }
}

/// The folder of the Go modules, one folder each.
fn modules() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The version that a go.mod requires of a module.
fn version_in<'a>(go_mod: &'a str, module: &str) -> Option<&'a str> {
    go_mod.lines().find_map(|line| {
        let mut words = line.trim().trim_start_matches("require ").split_whitespace();
        (words.next()? == module).then(|| words.next()).flatten().filter(|version| version.starts_with('v'))
    })
}

/// Names a cache folder after everything a tool is built from: long enough to be unique among the few.
fn key(parts: &[&str]) -> String {
    // No part holds a NUL, so the joint cannot move unseen.
    sha256_hex(parts.join("\0").as_bytes()).chars().take(16).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_pinned_tool_is_known_and_every_known_tool_is_pinned() {
        let mut pinned = BTreeSet::new();
        for module in std::fs::read_dir(modules()).unwrap().map(|entry| entry.unwrap().path()) {
            let Ok(go_mod) = std::fs::read_to_string(module.join("go.mod")) else { continue };
            let module = module.file_name().unwrap().to_string_lossy().into_owned();
            let packages = tool_lines(&go_mod).into_iter().map(|package| (module.clone(), package));
            pinned.extend(packages);
        }
        let known = ALL.map(|tool| (tool.module.to_owned(), tool.package.to_owned()));
        assert_eq!(BTreeSet::from(known), pinned);
    }

    /// The packages that a go.mod names as tools, on a line of their own or in a block.
    fn tool_lines(go_mod: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut in_block = false;
        for line in go_mod.lines().map(str::trim) {
            match line.strip_prefix("tool ") {
                Some("(") => in_block = true,
                Some(package) => found.push(package.to_owned()),
                None if line == ")" => in_block = false,
                None if in_block => found.push(line.to_owned()),
                None => {}
            }
        }
        found
    }

    #[test]
    fn versions_come_from_the_require_lines() {
        let go_mod = "module m\ntool example.org/a/v2/cmd/a\nrequire example.org/b v1.0.0\nrequire (\n\
                      \texample.org/a/v2 v2.3.4 // indirect\n)\nreplace example.org/c => example.org/d v9.9.9\n";
        assert_eq!(version_in(go_mod, "example.org/a/v2"), Some("v2.3.4"), "inside a block");
        assert_eq!(version_in(go_mod, "example.org/b"), Some("v1.0.0"), "on a line of its own");
        assert_eq!(version_in(go_mod, "example.org/c"), None, "a replacement is not a pin");
        assert_eq!(version_in(go_mod, "example.org/a"), None, "another module whose name starts alike");
    }

    #[test]
    fn every_part_changes_the_cache_folder() {
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
        assert_eq!(key(&["a"]), key(&["a"]));
    }
}
