//! Serving: the arguments, as the official SDKs have them, and the process around the server.

use std::ffi::OsString;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use anyhow::Context;
use clap::builder::FalseyValueParser;
use clap::error::ErrorKind;
use tokio::runtime::{Builder, Runtime};

use crate::function::{self, Memory};
use crate::server::{Address, Answered, MessageSize, Options, Server, Transport, limits, shutdown};

/// What the answers that are remembered may take together: those for some three hundred full stacks.
const REMEMBERED: usize = 16 * 1024 * 1024;

/// How to serve.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Emit debug logs.
    // Whatever a shell has in DEBUG for other programs must not keep the function from starting.
    #[arg(short, long, env = "DEBUG", hide_env_values = true, value_parser = FalseyValueParser::new())]
    pub debug: bool,

    /// Address at which to listen for gRPC connections; without a host, every interface.
    #[arg(long, value_name = "HOST:PORT", default_value = "0.0.0.0:9443")]
    pub address: Address,

    /// Directory with tls.crt, tls.key and ca.crt: serve over mutual TLS.
    // As bytes, since the environment may have it empty, which means that there is none.
    #[arg(long, value_name = "DIR", env = "TLS_SERVER_CERTS_DIR", hide_env_values = true)]
    pub tls_certs_dir: Option<OsString>,

    /// Serve without TLS, --tls-certs-dir or not.
    #[arg(long)]
    pub insecure: bool,

    /// Largest request, in MiB unless it says KiB or MiB.
    #[arg(long, value_name = "SIZE", default_value_t = MessageSize::DEFAULT)]
    pub max_recv_message_size: MessageSize,

    /// What all requests that are worked on may have together, in MiB unless it says KiB or MiB; further calls wait.
    #[arg(long, value_name = "SIZE", default_value_t = MessageSize::IN_FLIGHT)]
    pub max_in_flight_size: MessageSize,

    /// Address at which to serve Prometheus metrics over HTTP, at /metrics; empty for none.
    // Parsed below: an empty one is no address, and no value to clap.
    #[arg(
        long,
        value_name = "HOST:PORT",
        env = "METRICS_ADDRESS",
        hide_env_values = true,
        default_value = ":8080"
    )]
    pub metrics_address: String,
}

/// Serves until a signal ends it.
pub(super) fn run(args: Args) -> anyhow::Result<u8> {
    let debug = args.debug;
    let options = options(args)?;
    super::logs::start(debug);
    let runtime = runtime().context("cannot start threads")?;
    let result = runtime.block_on(async {
        // Before binding: see there.
        let shutdown = shutdown::on_signals().context("cannot listen to signals")?;
        let memory = Memory::of(REMEMBERED);
        let function = move |request| {
            let (response, is_known) = function::run_again(&request, &memory);
            Answered { response, is_known }
        };
        let server = Server::bind(Arc::new(function), &options).await?;
        Ok(server.serve(shutdown).await?)
    });
    // Calls that did not end in time are not waited for here either.
    runtime.shutdown_background();
    result.map(|()| super::SUCCESS)
}

fn options(args: Args) -> anyhow::Result<Options> {
    let Args {
        debug: _,
        address,
        tls_certs_dir,
        insecure,
        max_recv_message_size,
        max_in_flight_size,
        metrics_address,
    } = args;
    let transport = match tls_certs_dir.filter(|directory| !directory.is_empty()) {
        _ if insecure => Transport::Insecure,
        Some(directory) => Transport::MutualTls(PathBuf::from(directory)),
        None => {
            return Err(super::usage(
                ErrorKind::MissingRequiredArgument,
                "no certificates: give their directory by --tls-certs-dir or TLS_SERVER_CERTS_DIR, \
                 or serve without TLS by --insecure",
            ));
        }
    };
    let metrics_address = match metrics_address.as_str() {
        "" => None,
        address => Some(address.parse::<Address>().map_err(|error| {
            super::usage(
                ErrorKind::ValueValidation,
                format!("invalid value '{address}' for '--metrics-address <HOST:PORT>': {error}"),
            )
        })?),
    };
    Ok(Options {
        address,
        transport,
        max_recv_message_size,
        max_in_flight_size,
        stall: limits::STALL,
        at_once: limits::AT_ONCE,
        keepalive: limits::KEEPALIVE,
        certificate_looks: limits::CERTIFICATE_LOOKS,
        metrics_address,
        grace: limits::GRACE,
    })
}

/// Threads for sockets as many as there are processors (a container's share counted), and as many to compute.
fn runtime() -> std::io::Result<Runtime> {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    // More than processors would only take memory, a single one would let one large request hold up the others.
    Builder::new_multi_thread().enable_all().max_blocking_threads(processors.max(2)).build()
}
