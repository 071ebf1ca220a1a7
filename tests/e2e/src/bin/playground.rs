//! `cargo xtask up` and `cargo xtask down`, and the server between the two: here, because the chores build without a
//! client of Kubernetes.

use anyhow::{Result, bail};
use e2e::playground;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["up"] => playground::up(),
        ["down"] => playground::down(),
        ["serve"] => playground::serve(),
        _ => bail!("this is what `cargo xtask up` and `cargo xtask down` run"),
    }
}
