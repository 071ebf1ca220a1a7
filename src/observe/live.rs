//! What all live objects have in common, and how a kind adds its own.

use std::collections::BTreeSet;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};

use crate::api::settings::GatewayRef;
use crate::protocol::{self, Raw};

use super::fault::Fault;
use super::marks::Marks;
use super::replicas::managers;
use super::{Facts, Live};

/// A kind with facts of interest: which fields are read, and what they say. All else is skipped, whatever it is.
pub(super) trait Kind {
    /// The fields of `spec`.
    type Spec: DeserializeOwned + Default;
    /// The fields of `status`.
    type Status: DeserializeOwned + Default;

    /// What they say.
    fn facts(spec: Self::Spec, status: Self::Status) -> Facts;

    /// The hostnames it serves; most kinds serve none.
    fn hostnames(_: &Self::Spec) -> Vec<String> {
        Vec::new()
    }

    /// The Gateways that it is to stand behind; most kinds stand behind none.
    fn gateways(_: &Self::Spec) -> Vec<GatewayRef> {
        Vec::new()
    }
}

/// What an object says that only its kind does.
#[derive(Default)]
pub(super) struct Own {
    facts: Facts,
    hostnames: Vec<String>,
    gateways: Vec<GatewayRef>,
}

/// How a kind reads its own fields, out of `spec` and `status`. A function that each kind has one of, and all that is
/// made once for each: everything around it is read by the same code whatever the kind, which stays small, and warm.
pub(super) type ReadOwn = for<'a> fn(&'a Raw<'a>, &'a Raw<'a>) -> Result<Own, Fault>;

/// What is of interest of an object, beside what all have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Interest {
    /// Its kind's own fields.
    pub(super) own: ReadOwn,
    /// What was asked for.
    pub(super) asked: bool,
    /// Who holds its replica count.
    pub(super) replicas_managers: bool,
}

/// Of a kind with facts.
pub(super) fn own<'a, K: Kind>(spec: &'a Raw<'a>, status: &'a Raw<'a>) -> Result<Own, Fault> {
    let spec: K::Spec = read_or_default(spec).map_err(|fault| fault.below("spec"))?;
    let status: K::Status = read_or_default(status).map_err(|fault| fault.below("status"))?;
    Ok(Own { hostnames: K::hostnames(&spec), gateways: K::gateways(&spec), facts: K::facts(spec, status) })
}

/// Of a kind that only exists.
#[expect(clippy::unnecessary_wraps, reason = "the other kinds may fail")]
pub(super) fn exists<'a>(_: &'a Raw<'a>, _: &'a Raw<'a>) -> Result<Own, Fault> {
    Ok(Own::default())
}

/// What may be null, or missing.
pub(super) fn read_or_default<'a, T: Deserialize<'a> + Default>(raw: &'a Raw<'a>) -> Result<T, Fault> {
    Fault::or::<Option<T>>(raw.deserializer()).map(Option::unwrap_or_default)
}

/// A live object.
#[derive(Deserialize)]
struct Manifest<'a> {
    #[serde(borrow, default)]
    metadata: Metadata<'a>,
    #[serde(borrow, default)]
    spec: Raw<'a>,
    #[serde(borrow, default)]
    status: Raw<'a>,
    /// Of a Secret.
    data: Option<Data>,
}

#[derive(Deserialize)]
struct Data {
    token: Option<IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    generation: Option<i64>,
    resource_version: Option<String>,
    creation_timestamp: Option<String>,
    #[serde(default)]
    annotations: Marks,
    #[serde(borrow, default)]
    managed_fields: Raw<'a>,
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
    /// Reads it.
    pub(super) fn read(from: protocol::Deserializer<'_>, interest: Interest) -> Self {
        match Fault::or::<Option<Manifest<'_>>>(from) {
            Ok(None) => Self::default(),
            Ok(Some(manifest)) => manifest.found(interest),
            Err(fault) => Self { fault: Some(fault), ..Self::default() },
        }
    }
}

impl Manifest<'_> {
    fn found(self, interest: Interest) -> Found {
        let Self { metadata, spec, status, data } = self;
        let Metadata {
            generation,
            resource_version,
            creation_timestamp: created,
            annotations: marks,
            managed_fields,
        } = metadata;
        let read = || {
            let Own { facts, hostnames, gateways } = (interest.own)(&spec, &status)?;
            let replicas_managers = if interest.replicas_managers {
                managers(&managed_fields).map_err(|fault| fault.below("metadata.managedFields"))?
            } else {
                BTreeSet::new()
            };
            Ok(Live {
                generation,
                resource_version,
                created,
                replicas_managers,
                shows_token: data.is_some_and(|data| data.token.is_some()),
                hostnames,
                gateways,
                facts,
            })
        };
        let (live, fault) = match read() {
            Ok(live) => (Some(live), None),
            Err(fault) => (None, Some(fault)),
        };
        Found { marks: Some(marks), live, fault }
    }
}

/// A list that may be null.
pub(crate) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}
