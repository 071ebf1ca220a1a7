//! Makes the protocol's Rust code from `proto/`, without `protoc`.
//!
//! Messages of both packages, a client for the official one, a server for the view under the official path, and the
//! official file descriptor set for reflection.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use prost::Message;
use tonic_prost_build::manual;

const PROTO_DIR: &str = "proto";
const OFFICIAL: &str = "run_function.proto";
const VIEW: &str = "run_function_view.proto";

fn main() -> Result<(), Box<dyn Error>> {
    rerun_if_changed();
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);

    // Clients that ask by reflection see the official protocol only; comments would double the size.
    let mut served = protox::Compiler::new([PROTO_DIR])?;
    served.include_imports(true).include_source_info(false).open_file(OFFICIAL)?;
    fs::write(out_dir.join("run_function.fds"), served.file_descriptor_set().encode_to_vec())?;

    let messages = tonic_prost_build::configure()
        .emit_rerun_if_changed(false)
        .build_server(false)
        // The client is for tests and benchmarks, which bring their own channel: the shipped binary dials nobody.
        .build_transport(false)
        // The same request gives the same bytes, so no map may have an order of its own.
        .btree_map(".")
        // A slice of the request's buffer instead of a copy.
        .bytes(".");
    // The view first: it leaves a file for the official package as well, without what is found elsewhere.
    messages
        .clone()
        .extern_path(".apiextensions.fn.proto.v1", "crate::protocol::official")
        .compile_fds(protox::compile([VIEW], [PROTO_DIR])?)?;
    messages.compile_fds(protox::compile([OFFICIAL], [PROTO_DIR])?)?;

    manual::Builder::new().build_client(false).compile(&[manual::Service::builder()
        .package("apiextensions.fn.proto.v1")
        .name("FunctionRunnerService")
        .comment("What Crossplane calls, with the request and the response as the view has them.")
        .method(
            manual::Method::builder()
                .name("run_function")
                .route_name("RunFunction")
                .comment("One step of a pipeline.")
                .input_type("crate::protocol::view::RunFunctionRequest")
                .output_type("crate::protocol::view::RunFunctionResponse")
                .codec_path("tonic_prost::ProstCodec")
                .build(),
        )
        .build()]);
    Ok(())
}

#[allow(clippy::print_stdout, reason = "this is how a build script speaks to cargo")]
fn rerun_if_changed() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={PROTO_DIR}");
}
