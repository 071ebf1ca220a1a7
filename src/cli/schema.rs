//! `schema`: the generated schemas, as the packages carry them.

use std::io::{self, Write as _};

use super::SUCCESS;

const XRD: &str = include_str!("../../package/configuration/definition.yaml");
const MODEL_STACK: &str = include_str!("../../package/function/inference.fn.crossplane.io_modelstacks.yaml");
const CLUSTER_EXTENSION: &str =
    include_str!("../../package/function/inference.fn.crossplane.io_clusterextensions.yaml");

/// Print a schema.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Of what.
    #[arg(value_enum)]
    schema: Schema,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Schema {
    /// The `CompositeResourceDefinition` of `LLMInference`
    Xrd,
    /// The Input `ModelStack`
    ModelStack,
    /// The Input `ClusterExtension`
    ClusterExtension,
}

pub(super) fn run(args: &Args) -> anyhow::Result<u8> {
    let text = match args.schema {
        Schema::Xrd => XRD,
        Schema::ModelStack => MODEL_STACK,
        Schema::ClusterExtension => CLUSTER_EXTENSION,
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(SUCCESS)
}
