//! What all live objects have in common, and how a kind adds its own.

use crate::api::settings::GatewayRef;
use crate::protocol::{Fault, Item};

use super::marks::Marks;
use super::replicas::managers;
use super::{Facts, Live};

/// What an object says that only its kind does.
#[derive(Default)]
pub(super) struct Own {
    pub(super) facts: Facts,
    pub(super) hostnames: Vec<String>,
    pub(super) gateways: Vec<GatewayRef>,
}

impl From<Facts> for Own {
    fn from(facts: Facts) -> Self {
        Self { facts, ..Self::default() }
    }
}

/// How a kind reads its own fields, out of `spec` and `status`.
pub(super) type ReadOwn = fn(&Item<'_, '_>, &Item<'_, '_>) -> Result<Own, Fault>;

/// What is of interest of an object, beside what all have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Interest {
    /// Its kind's own fields.
    pub(super) own: ReadOwn,
    /// What was asked for.
    pub(super) asked: bool,
    /// Which one it is, and who holds its replica count: of what runs the model.
    pub(super) runs: bool,
}

/// Of a kind that only exists.
#[expect(clippy::unnecessary_wraps, reason = "the other kinds may fail")]
pub(super) fn exists(_: &Item<'_, '_>, _: &Item<'_, '_>) -> Result<Own, Fault> {
    Ok(Own::default())
}

/// What is found of a live object, if there is one.
#[derive(Default)]
pub(super) struct Found {
    /// Whose it is. That can be told although the rest cannot be read.
    pub(super) marks: Option<Marks>,
    /// What it says.
    pub(super) live: Option<Live>,
    /// Why that cannot be read.
    pub(super) fault: Option<Fault>,
}

impl Found {
    /// What is found in a manifest. What is malformed is for who may write it anew.
    pub(super) fn of(manifest: &Item<'_, '_>, interest: Interest) -> Result<Self, Fault> {
        if manifest.is_null()? {
            return Ok(Self::default());
        }
        let (marks, live) = match read(manifest, interest) {
            Ok((marks, live)) => (Some(marks), live),
            Err(fault) => (None, Err(fault)),
        };
        match live {
            Ok(live) => Ok(Self { marks, live: Some(live), fault: None }),
            Err(fault) if fault.is_malformed() => Err(fault),
            Err(fault) => Ok(Self { marks, live: None, fault: Some(fault) }),
        }
    }
}

/// Whose a live object is, and what else can be told of it.
fn read(manifest: &Item<'_, '_>, interest: Interest) -> Result<(Marks, Result<Live, Fault>), Fault> {
    let [metadata, spec, status, data] = manifest.fields(["metadata", "spec", "status", "data"])?;
    let [generation, annotations] = metadata.fields(["generation", "annotations"])?;
    let marks = Marks::of(&annotations)?;
    let live = || {
        let Own { facts, hostnames, gateways } = (interest.own)(&spec, &status)?;
        // Of a Secret.
        let [token] = data.fields(["token"])?;
        let mut live = Live {
            generation: generation.integer()?,
            shows_token: !token.is_null()?,
            hostnames,
            gateways,
            facts,
            ..Live::default()
        };
        if interest.runs {
            let [resource_version, created, managed_fields] =
                metadata.fields(["resourceVersion", "creationTimestamp", "managedFields"])?;
            live.resource_version = resource_version.owned()?;
            live.created = created.owned()?;
            live.replicas_managers = managers(&managed_fields)?;
        }
        Ok(live)
    };
    Ok((marks, live()))
}
