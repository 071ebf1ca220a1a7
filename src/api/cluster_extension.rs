//! Input `ClusterExtension`: what a platform team sets once in the Composition of its clusters, and the block of a
//! cluster's composite resource that asks for it. The Input's schema is generated from these types.

#![allow(clippy::doc_markdown, reason = "these comments are the schema's descriptions, which are plain text")]

use serde_json_borrow::Value;

use super::body_based_router::{self, BodyBasedRouter, ExtensionGateway};
use super::model_stack::{GROUP, Ttl, VERSION};
use super::problem::{Path, Problem, Problems, Source, shown};
use super::read::{Document, fields_at};
use super::reading::{List, Node, Read, choice, object};
use super::resolve::{Identity, settle_ttl};
use super::settings::{
    Extension, Implementation, InferenceRelease, MissingFlag, ProviderConfigKind, Router, Target, Wanted,
};
use super::shape::Shape;
use super::texts::{FieldPath, ObjectName, SpecPath, Text};
use super::values::LABEL_VALUE_MAX;
use super::{model_stack, reach, values};

/// The kind that asks for an extension of a cluster.
pub const KIND: &str = "ClusterExtension";

/// Where dot-kubernetes keeps what a cluster has.
const DEFAULT_SPEC_PATH: &str = "spec.parameters.apps";
/// Beside the other apps.
const BLOCK: &str = "gatewayInferenceExtension";
/// Envoy AI Gateway is what model stacks use unless they say otherwise.
const DEFAULT_PREREQUISITE: &str = "envoyGateway.enabled";

object! {
    /// What the platform sets for every cluster.
    struct ExtensionSpec {
        /// Where a cluster's composite says what it has: the block gatewayInferenceExtension and the prerequisites are
        /// looked for there. Default: spec.parameters.apps.
        "specPath" spec_path: Text<SpecPath>,
        /// How objects reach the cluster: by namespaced Objects of provider-kubernetes, or by its cluster-scoped
        /// Objects (cluster-scoped composites only). Default: NamespacedObject.
        "target" target: Target,
        /// Kind of the provider configuration. Default: ProviderConfig.
        "providerConfigKind" provider_config_kind: ProviderConfigKind,
        /// Name of the provider configuration, the same for every cluster. Default: what providerConfigNamePath leads
        /// to.
        "providerConfigName" provider_config_name: Text<ObjectName>,
        /// Where a cluster's composite has the name of its provider configuration. Default: its own name.
        "providerConfigNamePath" provider_config_name_path: Text<SpecPath>,
        /// Release of the inference extension: of its CRDs and its body-based router. Default: v1.3.1.
        "version" version: InferenceRelease,
        /// Whether the cluster gets the CRDs of InferenceObjective and InferenceModelRewrite too, whose API may change.
        /// Default: false.
        "experimental" experimental: bool,
        /// What implements the Gateway: it decides what asks the body-based router. Default: EnvoyAIGateway.
        "implementation" implementation: Implementation,
        /// The Gateway that routes by the model's name. Required for Istio, Agentgateway and GKE, unless
        /// bodyBasedRouter.enabled is false.
        "gateway" gateway: ExtensionGateway,
        /// What reads the model out of a request's body, so that routes can match it.
        "bodyBasedRouter" body_based_router: BodyBasedRouter,
        /// Flags beside the block that have to be true. Default: envoyGateway.enabled.
        "prerequisites" prerequisites: List<Text<FieldPath>, 16>,
        /// What happens where one of them is not: Report keeps what is there, adds nothing and says so in a condition;
        /// Fail stops the pipeline. Default: Report.
        "onMissing" on_missing: OnMissing,
        /// Whether a collection of the cluster's Gateways is kept, among which models find theirs where the Input
        /// ModelStack has gateway.discovery. Default: false.
        "discovery" discovery: bool,
        /// How soon Crossplane asks again.
        "ttl" ttl: Ttl,
    }
}

choice! {
    impl Target { NamespacedObject = "NamespacedObject", ClusterObject = "ClusterObject", }
}

choice! {
    impl InferenceRelease { V1_3_1 = "v1.3.1", V1_5_0 = "v1.5.0", }
}

choice! {
    /// What happens where a prerequisite is missing.
    enum OnMissing { Report = "Report", Fail = "Fail", }
}

object! {
    /// What a cluster has, as far as it matters here.
    struct Apps {
        /// Whether the cluster can serve models by inference-aware routing.
        "gatewayInferenceExtension" block: Block,
    }
}

object! {
    /// Whether the cluster can serve models by inference-aware routing.
    struct Block {
        /// Default: false.
        "enabled" enabled: bool,
    }
}

/// Whether that is an Input of this kind, right or wrong.
pub fn is_asked_for(input: &Document<'_>) -> bool {
    input.kind.as_str() == Some(KIND)
}

/// Reads a cluster's composite resource and the step's Input.
pub fn read(composite: &Document<'_>, input: &Document<'_>) -> Result<Extension, Vec<Problem>> {
    let (spec, router, mut input_problems) = read_spec(input)?;
    if input_problems.doubt(&Path::dotted("specPath")) {
        return Err(input_problems.in_order(ExtensionSpec::SHAPE));
    }
    let mut problems = Problems::new(Source::Composite, Path::dotted(base(&spec)));
    let extension = settle(composite, spec, router, &mut problems, &mut input_problems);
    let mut found = problems.in_order(Apps::SHAPE);
    found.extend(input_problems.in_order(ExtensionSpec::SHAPE));
    match extension {
        Some(extension) if found.is_empty() => Ok(extension),
        _ => Err(found),
    }
}

/// Every problem of an Input that can be seen without a composite.
pub(super) fn read_input(input: &Document<'_>) -> Vec<Problem> {
    match read_spec(input) {
        Ok((_, _, problems)) => problems.in_order(ExtensionSpec::SHAPE),
        Err(problems) => problems,
    }
}

/// The Input's fields.
pub(super) const fn input_fields() -> &'static Shape {
    ExtensionSpec::SHAPE
}

/// Where the fields of a cluster's composite are that are ours, and which there are.
pub(super) fn block_fields(input: &Document<'_>) -> (Path, &'static Shape) {
    let spec = read_spec(input).map(|(spec, _, _)| spec).unwrap_or_default();
    (Path::dotted(base(&spec)).join(&Path::dotted(BLOCK)), Block::SHAPE)
}

fn base(spec: &ExtensionSpec) -> &str {
    spec.spec_path.as_ref().map_or(DEFAULT_SPEC_PATH, |path| path.0.as_str())
}

/// The Input's fields, those about the router completed: all of its problems can be seen without a composite.
fn read_spec(input: &Document<'_>) -> Result<(ExtensionSpec, Router, Problems), Vec<Problem>> {
    let mut problems = Problems::new(Source::Input, Path::dotted("spec"));
    let known = format!("{GROUP}/{VERSION}");
    if input.api_version.as_str() != Some(&known) {
        problems.add_at(Path::dotted("apiVersion"), shown(&input.api_version), format!("must be {known}"));
        return Err(problems.in_order(ExtensionSpec::SHAPE));
    }
    let mut spec = if input.spec.is_null() {
        ExtensionSpec::default()
    } else {
        ExtensionSpec::read(Node::root(&input.spec), &mut problems).unwrap_or_default()
    };
    if spec.provider_config_name.is_some() && spec.provider_config_name_path.is_some() {
        problems.add(
            &Path::dotted("providerConfigNamePath"),
            "set",
            "must be left out where providerConfigName is set",
        );
    }
    let (gateway, router) = (spec.gateway.take(), spec.body_based_router.take());
    let router =
        body_based_router::settle(spec.implementation, gateway, router, release(&spec), &mut problems);
    Ok((spec, router, problems))
}

fn release(spec: &ExtensionSpec) -> InferenceRelease {
    spec.version.unwrap_or(InferenceRelease::V1_3_1)
}

fn settle(
    composite: &Document<'_>,
    spec: ExtensionSpec,
    router: Router,
    problems: &mut Problems,
    input: &mut Problems,
) -> Option<Extension> {
    let base = base(&spec).to_owned();
    let release = release(&spec);
    let ExtensionSpec {
        spec_path: _,
        target,
        provider_config_kind,
        provider_config_name,
        provider_config_name_path,
        version: _,
        experimental,
        implementation: _,
        gateway: _,
        body_based_router: _,
        prerequisites,
        on_missing,
        discovery,
        ttl,
    } = spec;
    let discovery = discovery.unwrap_or(false);
    let metadata = &composite.metadata;
    let name = metadata.name.as_str().unwrap_or_default();
    let namespace = metadata.namespace.as_str().filter(|text| !text.is_empty());
    let mut extension = Extension {
        owner: format!("{}/{name}", namespace.unwrap_or_default()),
        created: metadata.creation_timestamp.as_str().map(str::to_owned),
        wanted: None,
        ttl: settle_ttl(ttl),
    };
    let Some(apps) = fields_at(composite, &base) else { return Some(extension) };
    let block = Apps::read(Node::root(apps), problems)?.block.unwrap_or_default();
    if block.enabled != Some(true) {
        return Some(extension);
    }

    let provider_config_name = match (provider_config_name, provider_config_name_path) {
        (Some(name), _) => Some(name.0),
        (None, Some(path)) => {
            let value = fields_at(composite, &path.0).cloned().unwrap_or_default();
            let want =
                "must be the name of the cluster's provider configuration, which the Input looks for there";
            config_name(&value, Path::dotted(&path.0), want, problems)
        }
        (None, None) => {
            let want = "must be a name, since the cluster's provider configuration is called so";
            config_name(&metadata.name, Path::dotted("metadata.name"), want, problems)
        }
    };
    if let Some(name) = provider_config_name.as_ref().filter(|name| discovery && name.len() > LABEL_VALUE_MAX)
    {
        let want = format!(
            "must be false or left out where the name of the provider configuration has more than {LABEL_VALUE_MAX} \
             characters ({name}), since it is the value of a label"
        );
        input.add(&Path::dotted("discovery"), "true", want);
    }
    let identity = Identity {
        api_version: composite.api_version.as_str().unwrap_or_default().to_owned(),
        kind: composite.kind.as_str().unwrap_or_default().to_owned(),
        name: None,
        namespace: namespace.map(str::to_owned),
        created: None,
    };
    let policy = model_stack::Policy::default();
    // A name that is wrong is told already.
    let name = Some(provider_config_name.unwrap_or_default());
    let delivery = reach::delivery(&identity, target, provider_config_kind, name, &policy, problems, input);

    let flags = prerequisites.map_or_else(
        || vec![DEFAULT_PREREQUISITE.to_owned()],
        |flags| flags.0.into_iter().map(|flag| flag.0).collect(),
    );
    let missing: Vec<MissingFlag> = flags.iter().filter_map(|flag| missing(apps, &base, flag)).collect();
    let enabled = format!("{base}.{BLOCK}.enabled");
    if on_missing == Some(OnMissing::Fail) {
        for MissingFlag { path, seen } in &missing {
            let want = format!("must be true, since {enabled} is; otherwise set that to false");
            problems.add_at(Path::dotted(path), seen, want);
        }
    }
    extension.wanted = Some(Wanted {
        delivery: delivery?,
        release,
        experimental: experimental.unwrap_or(false),
        enabled,
        missing,
        router,
        discovery,
    });
    Some(extension)
}

fn config_name(value: &Value<'_>, path: Path, want: &str, problems: &mut Problems) -> Option<String> {
    let name = value.as_str().filter(|name| name.len() <= values::DNS_NAME_MAX && values::is_dns_name(name));
    if name.is_none() {
        problems.add_at(path, shown(value), want);
    }
    name.map(str::to_owned)
}

/// The flag, unless it is true.
fn missing(apps: &Value<'_>, base: &str, flag: &str) -> Option<MissingFlag> {
    let value = flag.split('.').try_fold(apps, |value, field| value.as_object()?.get(field));
    let value = value.cloned().unwrap_or_default();
    (value.as_bool() != Some(true))
        .then(|| MissingFlag { path: format!("{base}.{flag}"), seen: shown(&value) })
}
