//! What all live objects have in common, and how a kind adds its own.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::api::settings::GatewayRef;
use crate::plan::names::OWNER_ANNOTATION;

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
    #[serde(default, deserialize_with = "owner")]
    annotations: Option<String>,
    #[serde(default, deserialize_with = "replicas::managers")]
    managed_fields: BTreeSet<String>,
}

impl<S: Default, T: Default> Manifest<S, T> {
    /// What the object says.
    pub(super) fn live<K: Kind<Spec = S, Status = T>>(self) -> Live {
        let Self { metadata, spec, status, data } = self;
        let Metadata {
            generation,
            resource_version,
            creation_timestamp: created,
            annotations: owner,
            managed_fields: replicas_managers,
        } = metadata;
        let spec = spec.unwrap_or_default();
        Live {
            generation,
            resource_version,
            created,
            owner,
            replicas_managers,
            shows_token: data.is_some_and(|data| data.token.is_some()),
            hostnames: K::hostnames(&spec),
            gateways: K::gateways(&spec),
            facts: K::facts(spec, status.unwrap_or_default()),
        }
    }
}

/// A list that may be null.
pub(crate) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// The owner mark among the annotations, without keeping the others.
fn owner<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    struct Annotations;

    impl<'de> Visitor<'de> for Annotations {
        type Value = Option<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("annotations")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_map<A: MapAccess<'de>>(self, mut annotations: A) -> Result<Self::Value, A::Error> {
            let mut owner = None;
            while let Some(IsOwner(is_owner)) = annotations.next_key()? {
                if is_owner {
                    owner = Some(annotations.next_value()?);
                } else {
                    annotations.next_value::<IgnoredAny>()?;
                }
            }
            Ok(owner)
        }
    }

    from.deserialize_any(Annotations)
}

/// An annotation's key, compared where it stands.
struct IsOwner(bool);

impl<'de> Deserialize<'de> for IsOwner {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Name;

        impl Visitor<'_> for Name {
            type Value = IsOwner;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of an annotation")
            }

            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(IsOwner(name == OWNER_ANNOTATION))
            }
        }

        from.deserialize_str(Name)
    }
}
