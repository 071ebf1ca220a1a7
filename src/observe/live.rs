//! What all live objects have in common, and how a kind adds its own.

use std::collections::BTreeSet;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};

use crate::api::settings::GatewayRef;

use super::marks::Marks;
use super::{Facts, Live, replicas};

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

/// A kind that only exists.
pub(super) struct Existing;

impl Kind for Existing {
    type Spec = IgnoredAny;
    type Status = IgnoredAny;

    fn facts(_: Self::Spec, _: Self::Status) -> Facts {
        Facts::Exists
    }
}

/// A live object.
#[derive(Deserialize)]
pub(super) struct Manifest<S, T> {
    #[serde(default)]
    metadata: Metadata,
    spec: Option<S>,
    status: Option<T>,
    /// Of a Secret.
    data: Option<Data>,
}

#[derive(Deserialize)]
struct Data {
    token: Option<IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    generation: Option<i64>,
    resource_version: Option<String>,
    creation_timestamp: Option<String>,
    #[serde(default)]
    annotations: Marks,
    #[serde(default, deserialize_with = "replicas::managers")]
    managed_fields: BTreeSet<String>,
}

impl<S: Default, T: Default> Manifest<S, T> {
    /// What the object says, and whose it is.
    pub(super) fn live<K: Kind<Spec = S, Status = T>>(self) -> (Live, Marks) {
        let Self { metadata, spec, status, data } = self;
        let Metadata {
            generation,
            resource_version,
            creation_timestamp: created,
            annotations: marks,
            managed_fields: replicas_managers,
        } = metadata;
        let spec = spec.unwrap_or_default();
        let live = Live {
            generation,
            resource_version,
            created,
            replicas_managers,
            shows_token: data.is_some_and(|data| data.token.is_some()),
            hostnames: K::hostnames(&spec),
            gateways: K::gateways(&spec),
            facts: K::facts(spec, status.unwrap_or_default()),
        };
        (live, marks)
    }
}

/// A list that may be null.
pub(crate) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}
