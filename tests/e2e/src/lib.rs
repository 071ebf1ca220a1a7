//! The harness of the end-to-end tests: what they build, what they start, what they compare.
//!
//! Needs Go beside Rust, which is why this package is not a default member of the workspace: the components of
//! Crossplane are pinned as Go tools in small modules beside this one, built once and cached under `target/e2e`.
//! Nothing here needs a container engine, a cluster or, once the tools are built, a network; all traffic is loopback.
//!
//! - [`workspace`]: where things are, and our own binary.
//! - [`tools`]: other people's binaries, from pinned Go modules.
//! - [`process`]: commands that must end, and servers that must not outlive the test.
//! - [`render`]: a scenario of `examples/`, rendered by Crossplane and by ourselves.
//! - [`package`]: what is inside an xpkg.
//! - [`packages`]: our own, as a release builds them.
//! - [`release`]: the binary in them.
//! - [`registry`]: where packages are pushed to and installed from.
//! - [`digest`]: how both are named.
//! - [`files`]: manifests in files, and changing a field of one.
//! - [`helm`]: other people's charts, with our values.
//! - [`controlplane`]: etcd and the API server, with other people's CRDs.
//! - [`acceptance`]: what an API server made of an object, against what it was given.
//! - [`wrapped`]: composed resources, and what the provider would apply for them.
//! - [`node`]: runs pods without containers, real Endpoint Pickers among them.
//! - [`scaled`]: models on all of that, which really scale.
//! - [`picker`]: real Endpoint Pickers and body-based routers, started as our Deployments say.
//! - [`run_dir`]: where a control plane keeps its data while it runs.
//! - [`playground`]: one that a person starts and ends, behind `cargo xtask up` and `down`.
//! - [`readme`]: what the README tells people to do.

pub mod acceptance;
#[cfg(feature = "controlplane")]
pub mod controlplane;
pub mod digest;
pub mod files;
#[cfg(feature = "controlplane")]
pub mod helm;
#[cfg(feature = "pickers")]
pub mod node;
pub mod package;
pub mod packages;
#[cfg(feature = "pickers")]
pub mod picker;
#[cfg(feature = "controlplane")]
pub mod playground;
pub mod process;
#[cfg(feature = "controlplane")]
pub mod promtool;
pub mod readme;
pub mod registry;
pub mod release;
pub mod render;
pub mod run_dir;
#[cfg(feature = "pickers")]
pub mod scaled;
pub mod tools;
pub mod workspace;
#[cfg(feature = "controlplane")]
pub mod wrapped;
