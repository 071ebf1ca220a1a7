//! `schema`: the generated schemas, as the packages carry them.

use std::io::{self, Write as _};

use clap::error::ErrorKind;

use super::{SUCCESS, usage};

const XRD: &str = include_str!("../../package/configuration/definition.yaml");
const MODEL_STACK: &str = include_str!("../../package/function/inference.fn.crossplane.io_modelstacks.yaml");

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
    /// The Input `ClusterExtension`, which does not exist yet
    ClusterExtension,
}

pub(super) fn run(args: &Args) -> anyhow::Result<u8> {
    let text = match args.schema {
        Schema::Xrd => XRD,
        Schema::ModelStack => MODEL_STACK,
        Schema::ClusterExtension => {
            return Err(usage(
                ErrorKind::InvalidValue,
                "there is no cluster-extension yet: this version knows xrd and model-stack",
            ));
        }
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(SUCCESS)
}
