//! The process that holds a playground.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{getpid, kill_process};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Place;
use super::up::{KEEP, READY};
use crate::controlplane::model::GATEWAY;
use crate::controlplane::platform;
use crate::controlplane::provider::{ConfigKind, connect};
use crate::controlplane::stage::{Settings, Stage};
use crate::files::yaml;
use crate::{tools, workspace};

/// The namespace of the examples.
const NAMESPACE: &str = "team-a";

/// The name that the examples have for the target cluster.
const TARGET: &str = "gpu-cluster";

/// How our function is called by the examples' Compositions.
const FUNCTION: &str = "function-inference";

/// How often it is checked that everything still runs.
const CHECK: Duration = Duration::from_secs(5);

/// Runs one until it is told to end, by a signal or, before it is ready, by the end of who started it.
pub fn serve() -> Result<()> {
    // Not the terminal's any more: neither its Ctrl-C nor its end is meant for us.
    rustix::process::setsid().context("cannot leave the terminal")?;
    let place = Place::find()?;
    let _lock = place.take()?;
    let outcome = tokio::runtime::Runtime::new()?.block_on(run(&place));
    place.clear()?;
    outcome
}

async fn run(place: &Place) -> Result<()> {
    let mut end = End::listen()?;
    let mut stage = tokio::select! {
        started = start(place) => started?,
        () = end.comes() => return Ok(()),
    };
    writeln!(std::io::stdout(), "{READY}").context("who started this is gone")?;
    loop {
        tokio::select! {
            () = end.comes() => return Ok(()),
            () = tokio::time::sleep(CHECK) => stage.check()?,
        }
    }
}

/// Everything that the first steps of the README expect.
async fn start(place: &Place) -> Result<Stage> {
    let stage = Stage::start("playground", Settings::default()).await?;
    let cluster = stage.cluster();
    let composition = yaml(&workspace::root().join("package/configuration/composition.yaml"))?;
    platform::install_composition(cluster, &stage.crossplane.function, &composition).await?;
    stage.crossplane.function.install(cluster, FUNCTION).await?;
    platform::namespace(cluster, NAMESPACE).await?;
    connect(cluster, ConfigKind::ProviderConfig, NAMESPACE, TARGET, stage.target_kubeconfig()).await?;
    platform::gateway(stage.target(), GATEWAY.0, GATEWAY.1).await?;

    place.fill(&stage.control_plane.kubeconfig, &[(tools::KUBECTL.name, tools::KUBECTL.path()?)])?;
    Ok(stage)
}

/// The signals that ask for an end.
struct End {
    signals: [Signal; 3],
}

impl End {
    fn listen() -> Result<Self> {
        let signals = [
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
            signal(SignalKind::hangup())?,
        ];
        std::thread::spawn(|| {
            let mut told = String::new();
            // Whatever else comes, the end of the input for one: who started this is gone before it was ready.
            let _ = std::io::stdin().read_line(&mut told);
            if told.trim() != KEEP {
                let _ = kill_process(getpid(), rustix::process::Signal::TERM);
            }
        });
        Ok(Self { signals })
    }

    async fn comes(&mut self) {
        let [terminate, interrupt, hang_up] = &mut self.signals;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hang_up.recv() => {}
        }
    }
}
