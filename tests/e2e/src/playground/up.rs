//! The part of a start that a person sees.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::{Place, say};
use crate::controlplane::crds;
use crate::{process, tools, workspace};

/// What the server says when everything runs.
pub(super) const READY: &str = "ready";

/// What the server is told then. One that is not told so ends with who started it.
pub(super) const KEEP: &str = "keep";

/// Starts a playground, and prints what a shell needs to reach it.
pub fn up() -> Result<()> {
    let place = Place::find()?;
    if let Some(server) = place.server()? {
        ensure!(place.kubeconfig().exists(), "one is just starting, as process {}", server.as_raw_nonzero());
        say(&format!("one runs already, as process {}; `cargo xtask down` ends it", server.as_raw_nonzero()));
        print_environment(&place);
        return Ok(());
    }

    let wanted = [
        tools::KUBE_APISERVER,
        tools::ETCD,
        tools::KUBE_CONTROLLER_MANAGER,
        tools::KUBECTL,
        tools::CROSSPLANE_CORE,
        tools::PROVIDER_KUBERNETES,
    ];
    say("building what is not there yet, which takes some 20 minutes the first time");
    tools::build(&wanted, say)?;
    crds::crossplane_side()?;
    crds::target_side()?;
    workspace::function()?;

    say(
        "starting etcd, kube-apiserver and its controllers, Crossplane, provider-kubernetes and the function",
    );
    start(&workspace::cache()?.join("logs").join("playground"))?;
    say("ready: the API LLMInference, a Composition, and in namespace team-a the ProviderConfig gpu-cluster");
    say(
        "nothing here runs pods: vLLM's operator, KEDA, the Gateway and Deployments are played, and always well",
    );
    say("`cargo xtask down` ends it");
    print_environment(&place);
    Ok(())
}

fn start(logs: &Path) -> Result<()> {
    std::fs::create_dir_all(logs).with_context(|| format!("cannot create {}", logs.display()))?;
    let log = logs.join("playground.log");
    let file = std::fs::File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let mut server = Command::new(std::env::current_exe()?)
        .arg("serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(file)
        .current_dir(workspace::root())
        .spawn()
        .context("cannot start the server")?;

    let mut told = String::new();
    if let Some(stdout) = server.stdout.take() {
        BufReader::new(stdout).read_line(&mut told)?;
    }
    if told.trim() != READY {
        let status = server.wait()?;
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        bail!(
            "the playground did not start, {status}:\n{}\nThe logs are in {}",
            process::tail(&text),
            logs.display()
        );
    }
    let mut stdin = server.stdin.take().context("the server has no input")?;
    writeln!(stdin, "{KEEP}").context("the server does not listen")
}

/// On standard output and nothing else there, so that `eval "$(cargo xtask up)"` does what it says.
#[expect(clippy::print_stdout, reason = "this is what the command is for")]
fn print_environment(place: &Place) {
    let (kubeconfig, programs) = (place.kubeconfig(), place.programs());
    println!("export KUBECONFIG={}", process::quoted(&kubeconfig.to_string_lossy()));
    println!("export PATH={}:\"$PATH\"", process::quoted(&programs.to_string_lossy()));
}
