//! Reading what people write: every field on its own, so that one wrong value hides no other.
//!
//! serde stops at the first error; a `Read` type notes it and goes on. `object!` declares a type once: its fields, its
//! schema (by schemars) and its reader.

use std::collections::BTreeMap;

use serde_json::Map as JsonMap;
use serde_json_borrow::{ObjectAsVec, Value};

use super::problem::{Path, Problems, Step, shown};
use super::shape::Shape;

/// A type that people write.
pub(super) trait Read: Sized {
    /// Its fields.
    const SHAPE: &'static Shape;

    /// The value, or `None` and a problem.
    fn read(node: Node<'_>, problems: &mut Problems) -> Option<Self>;
}

/// A value and where it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node<'a> {
    pub(super) value: &'a Value<'a>,
    trail: Trail<'a>,
}

/// A path, as a list from the end: nothing is allocated until there is a problem.
#[derive(Debug, Clone, Copy)]
enum Trail<'a> {
    Root,
    Field(&'a Trail<'a>, &'a str),
    Index(&'a Trail<'a>, usize),
}

impl Trail<'_> {
    fn path(&self) -> Path {
        match self {
            Self::Root => Path::default(),
            Self::Field(parent, name) => {
                let mut path = parent.path();
                path.0.push(Step::Field((*name).to_owned()));
                path
            }
            Self::Index(parent, index) => {
                let mut path = parent.path();
                path.0.push(Step::Index(*index));
                path
            }
        }
    }
}

impl<'a> Node<'a> {
    /// The value that the fields of a document's type live in.
    pub(super) fn root(value: &'a Value<'a>) -> Self {
        Self { value, trail: Trail::Root }
    }

    pub(super) fn path(&self) -> Path {
        self.trail.path()
    }

    /// Where a field of the object that this is stands.
    pub(super) fn path_of(&self, field: &str) -> Path {
        Trail::Field(&self.trail, field).path()
    }

    /// A problem with this value.
    pub(super) fn refuse(&self, problems: &mut Problems, want: impl Into<String>) {
        problems.add(&self.path(), shown(self.value), want);
    }

    /// A problem with this value, which is not to be shown.
    pub(super) fn refuse_unseen(&self, problems: &mut Problems, seen: &str, want: impl Into<String>) {
        problems.add(&self.path(), seen, want);
    }

    pub(super) fn object(&self, problems: &mut Problems) -> Option<&'a ObjectAsVec<'a>> {
        let object = self.value.as_object();
        if object.is_none() {
            self.refuse(problems, "must be an object");
        }
        object
    }

    /// One field of the object that this is. A null is no value: the API server drops it.
    pub(super) fn field<T: Read>(
        &self,
        object: &ObjectAsVec<'_>,
        name: &str,
        problems: &mut Problems,
    ) -> Option<T> {
        let value = object.get(name).filter(|value| !value.is_null())?;
        T::read(Node { value, trail: Trail::Field(&self.trail, name) }, problems)
    }

    /// Whether that field of the object that this is was written.
    pub(super) fn has(&self, field: &str) -> bool {
        self.value.as_object().and_then(|object| object.get(field)).is_some_and(|value| !value.is_null())
    }

    /// A problem for each of those fields that is not there.
    pub(super) fn require(&self, names: &[&str], problems: &mut Problems) {
        for name in names {
            if !self.has(name) {
                problems.add(&self.path_of(name), "missing", "it is required");
            }
        }
    }
}

impl Read for bool {
    const SHAPE: &'static Shape = &Shape::Leaf;

    fn read(node: Node<'_>, problems: &mut Problems) -> Option<Self> {
        let value = node.value.as_bool();
        if value.is_none() {
            node.refuse(problems, "must be true or false");
        }
        value
    }
}

/// A list of at most `MAX` entries.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct List<T, const MAX: usize>(pub(super) Vec<T>);

impl<T: Read, const MAX: usize> Read for List<T, MAX> {
    const SHAPE: &'static Shape = &Shape::List(T::SHAPE);

    fn read(node: Node<'_>, problems: &mut Problems) -> Option<Self> {
        let Some(entries) = node.value.as_array() else {
            node.refuse(problems, "must be a list");
            return None;
        };
        if entries.len() > MAX {
            node.refuse(problems, format!("must have at most {MAX} entries"));
            return None;
        }
        let read =
            |(index, value)| T::read(Node { value, trail: Trail::Index(&node.trail, index) }, problems);
        Some(Self(entries.iter().enumerate().filter_map(read).collect()))
    }
}

/// A list of at most `MAX` entries, each with a `name` of its own.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Named<T, const MAX: usize>(pub(super) Vec<T>);

impl<T: Read, const MAX: usize> Read for Named<T, MAX> {
    const SHAPE: &'static Shape = &Shape::List(T::SHAPE);

    fn read(node: Node<'_>, problems: &mut Problems) -> Option<Self> {
        let List(list) = List::<T, MAX>::read(node, problems)?;
        let name = |entry: &'_ Value<'_>| entry.as_object()?.get("name")?.as_str().map(str::to_owned);
        let names: Vec<_> = node.value.as_array().into_iter().flatten().map(name).collect();
        for (index, name) in names.iter().enumerate() {
            let Some(name) = name else { continue };
            if names.iter().take(index).flatten().any(|earlier| earlier == name) {
                let entry = Trail::Index(&node.trail, index);
                let path = Trail::Field(&entry, "name").path();
                problems.add(&path, shown(&Value::from(name.as_str())), "an earlier entry has that name");
            }
        }
        Some(Self(list))
    }
}

/// An object that somebody else understands.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Free(pub(super) JsonMap<String, serde_json::Value>);

impl Read for Free {
    const SHAPE: &'static Shape = &Shape::Leaf;

    fn read(node: Node<'_>, problems: &mut Problems) -> Option<Self> {
        node.object(problems).map(|object| Self(object.into()))
    }
}

/// An object of at most `MAX` keys that the writer chooses; `K` says which keys are right.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Map<K, V, const MAX: usize>(pub(super) BTreeMap<String, V>, std::marker::PhantomData<K>);

/// Which keys a map may have.
pub(super) trait KeyRule {
    /// The same as CEL.
    #[cfg(any(test, feature = "schema"))]
    const RULES: &'static [super::rules::Rule];
    const WANT: &'static str;
    fn accepts(key: &str) -> bool;
}

impl<K: KeyRule, V: Read, const MAX: usize> Read for Map<K, V, MAX> {
    const SHAPE: &'static Shape = &Shape::Map(V::SHAPE);

    fn read(node: Node<'_>, problems: &mut Problems) -> Option<Self> {
        let object = node.object(problems)?;
        if object.len() > MAX {
            node.refuse(problems, format!("must have at most {MAX} keys"));
            return None;
        }
        let mut map = BTreeMap::new();
        for (key, value) in object.iter().filter(|(_, value)| !value.is_null()) {
            let trail = Trail::Field(&node.trail, key);
            if !K::accepts(key) {
                problems.add(&trail.path(), "a key", format!("a key must be {}", K::WANT));
                continue;
            }
            if let Some(value) = V::read(Node { value, trail }, problems) {
                map.insert(key.to_owned(), value);
            }
        }
        Some(Self(map, std::marker::PhantomData))
    }
}

/// Declares a type that people write: every field optional and named as in the document, what is required said at the
/// top, and beside it the CEL rules and their twin, a function of `rules`.
macro_rules! object {
    (
        $(#[doc = $about:literal])*
        struct $name:ident $(requires [$($required:literal),*])? $(rules $rules:ident twin $twin:ident)? {
            $($(#[doc = $doc:literal])* $json:literal $field:ident: $type:ty,)*
        }
    ) => {
        $(#[doc = $about])*
        #[cfg_attr(any(test, feature = "schema"), derive(schemars::JsonSchema))]
        $(#[cfg_attr(any(test, feature = "schema"), schemars(extend("required" = [$($required),*])))])?
        $(#[cfg_attr(any(test, feature = "schema"), schemars(extend("x-kubernetes-validations" = $crate::api::rules::$rules)))])?
        #[derive(Debug, Clone, PartialEq, Default)]
        pub(in $crate::api) struct $name {
            $(
                $(#[doc = $doc])*
                #[cfg_attr(any(test, feature = "schema"), schemars(rename = $json))]
                pub(in $crate::api) $field: Option<$type>,
            )*
        }

        impl $crate::api::reading::Read for $name {
            const SHAPE: &'static $crate::api::shape::Shape = &$crate::api::shape::Shape::Object(&[
                $(($json, <$type as $crate::api::reading::Read>::SHAPE),)*
            ]);

            fn read(
                node: $crate::api::reading::Node<'_>,
                problems: &mut $crate::api::problem::Problems,
            ) -> Option<Self> {
                let object = node.object(problems)?;
                $(node.require(&[$($required),*], problems);)?
                let read = Self { $($field: node.field(object, $json, problems),)* };
                $($crate::api::rules::$twin(&read, node, problems);)?
                Some(read)
            }
        }
    };
}

/// Declares how the values of an enum are written.
macro_rules! choice {
    ($(#[doc = $about:literal])* enum $name:ident { $($variant:ident = $text:literal,)* }) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(in $crate::api) enum $name { $(
            #[doc = concat!("`", $text, "`")]
            $variant,
        )* }

        $crate::api::reading::choice!(impl $name { $($variant = $text,)* });
    };
    (impl $name:ident { $($variant:ident = $text:literal,)* }) => {
        impl $crate::api::reading::Read for $name {
            const SHAPE: &'static $crate::api::shape::Shape = &$crate::api::shape::Shape::Leaf;

            fn read(
                node: $crate::api::reading::Node<'_>,
                problems: &mut $crate::api::problem::Problems,
            ) -> Option<Self> {
                match node.value.as_str() {
                    $(Some($text) => Some(Self::$variant),)*
                    _ => {
                        node.refuse(problems, format!("must be {}", $crate::api::reading::either(&[$($text),*])));
                        None
                    }
                }
            }
        }

        impl $name {
            /// As it is written.
            #[allow(dead_code, reason = "only some of the enums are written again")]
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        #[cfg(any(test, feature = "schema"))]
        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool { true }
            fn schema_name() -> std::borrow::Cow<'static, str> { stringify!($name).into() }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "string", "enum": [$($text),*]})
            }
        }
    };
}

pub(super) use {choice, object};

/// `a, b or c`.
pub(super) fn either(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [rest @ .., last] => format!("{} or {last}", rest.join(", ")),
    }
}

#[cfg(any(test, feature = "schema"))]
mod schema {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

    use super::{Free, KeyRule, List, Map, Named};

    impl<T: JsonSchema, const MAX: usize> JsonSchema for Named<T, MAX> {
        fn inline_schema() -> bool {
            true
        }
        fn schema_name() -> Cow<'static, str> {
            "Named".into()
        }
        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            json_schema!({
                "type": "array",
                "maxItems": MAX,
                "items": generator.subschema_for::<T>(),
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            })
        }
    }

    impl JsonSchema for Free {
        fn inline_schema() -> bool {
            true
        }
        fn schema_name() -> Cow<'static, str> {
            "Free".into()
        }
        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
        }
    }

    impl<T: JsonSchema, const MAX: usize> JsonSchema for List<T, MAX> {
        fn inline_schema() -> bool {
            true
        }
        fn schema_name() -> Cow<'static, str> {
            "List".into()
        }
        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            json_schema!({"type": "array", "maxItems": MAX, "items": generator.subschema_for::<T>()})
        }
    }

    impl<K: KeyRule, V: JsonSchema, const MAX: usize> JsonSchema for Map<K, V, MAX> {
        fn inline_schema() -> bool {
            true
        }
        fn schema_name() -> Cow<'static, str> {
            "Map".into()
        }
        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            let values = generator.subschema_for::<V>();
            json_schema!({
                "type": "object",
                "maxProperties": MAX,
                "additionalProperties": values,
                "x-kubernetes-validations": K::RULES,
            })
        }
    }
}
