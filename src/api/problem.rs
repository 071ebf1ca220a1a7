//! What is wrong with what someone wrote: where, what was seen, and what would be right.

use std::fmt::{self, Write as _};

use serde_json_borrow::Value;

use super::shape::Shape;

/// Which document a problem is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Source {
    /// The composite resource.
    #[default]
    Composite,
    /// The pipeline step's Input.
    Input,
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A field of an object.
    Field(String),
    /// An entry of a list.
    Index(usize),
}

/// Where a value stands in its document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Path(pub Vec<Step>);

impl Path {
    /// A path of fields.
    pub fn fields(fields: &[&str]) -> Self {
        Self(fields.iter().map(|field| Step::Field((*field).to_owned())).collect())
    }

    /// A path as it is written, such as `spec.parameters`: fields only.
    pub fn dotted(path: &str) -> Self {
        Self(path.split('.').map(|field| Step::Field(field.to_owned())).collect())
    }

    /// This path, and then another.
    #[must_use]
    pub fn join(&self, rest: &Self) -> Self {
        Self(self.0.iter().chain(&rest.0).cloned().collect())
    }

    /// Whether this path leads to `other` or to something that contains it.
    pub fn contains(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }
}

/// `spec.runtime.env[0].name`; keys that are no plain field stand in brackets: `spec.labels["a.b/c"]`.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Field(field) if field.chars().all(|c| c.is_ascii_alphanumeric()) => {
                    f.write_str(if position == 0 { "" } else { "." })?;
                    f.write_str(field)?;
                }
                Step::Field(field) => write!(f, "[{}]", Value::from(field.as_str()))?,
            }
        }
        Ok(())
    }
}

/// One thing wrong with what someone wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The document.
    pub source: Source,
    /// The field.
    pub path: Path,
    /// What was seen there: a value, `missing`, …
    pub seen: String,
    /// What would be right.
    pub want: String,
}

impl Problem {
    /// The problem without naming its document.
    pub fn sentence(&self) -> String {
        format!("{} is {}: {}", self.path, self.seen, self.want)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.source {
            Source::Composite => {}
            Source::Input => f.write_str("Input ")?,
        }
        write!(f, "{} is {}: {}", self.path, self.seen, self.want)
    }
}

/// A value as a problem shows it: short, and never more than one line.
pub(super) fn shown(value: &Value<'_>) -> String {
    const MAX: usize = 64;
    match value {
        Value::Null => "missing".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(entries) => format!("a list of {}", entries.len()),
        Value::Object(_) => "an object".to_owned(),
        Value::Str(text) if hides_credentials(text) => {
            "a URL with credentials, which is not shown".to_owned()
        }
        Value::Str(text) if text.chars().count() <= MAX => value.to_string(),
        Value::Str(text) => {
            let start: String = text.chars().take(MAX).collect();
            let mut shown = Value::from(start).to_string();
            // Infallible: writing into a String.
            let _ = write!(shown, " and more, {} characters in all", text.chars().count());
            shown
        }
    }
}

/// What stands between `://` and `@` is often a password.
fn hides_credentials(text: &str) -> bool {
    text.split_once("://").is_some_and(|(_, rest)| rest.contains('@'))
}

/// The known name that was probably meant.
pub fn nearest<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let distance = |name: &str| strsim::damerau_levenshtein(&written.to_lowercase(), &name.to_lowercase());
    let near = known.iter().map(|name| (distance(name), *name)).min()?;
    // A third of the letters may differ.
    (near.0 * 3 <= near.1.len().max(written.len())).then_some(near.1)
}

/// The problems of one document, gathered while it is read.
#[derive(Debug)]
pub(super) struct Problems {
    source: Source,
    base: Path,
    found: Vec<Problem>,
}

impl Problems {
    /// `base` is where the fields of our types live in the document.
    pub(super) fn new(source: Source, base: Path) -> Self {
        Self { source, base, found: Vec::new() }
    }

    /// A problem below `base`. A field that has one, or stands in something that has one, gets no second: it would be
    /// about a value that nobody wrote.
    pub(super) fn add(&mut self, path: &Path, seen: impl Into<String>, want: impl Into<String>) {
        let path = self.base.join(path);
        self.add_at(path, seen, want);
    }

    /// A problem anywhere in the document.
    pub(super) fn add_at(&mut self, path: Path, seen: impl Into<String>, want: impl Into<String>) {
        if !self.found.iter().any(|known| known.path.contains(&path)) {
            self.found.push(Problem { source: self.source, path, seen: seen.into(), want: want.into() });
        }
    }

    /// Whether the value at that path, below `base`, is known to be wrong.
    pub(super) fn doubt(&self, path: &Path) -> bool {
        let path = self.base.join(path);
        self.found.iter().any(|known| known.path.contains(&path))
    }

    /// Whether that, or something in it, is known to be wrong.
    pub(super) fn doubt_part_of(&self, path: &Path) -> bool {
        let inside = self.base.join(path);
        self.doubt(path) || self.found.iter().any(|known| inside.contains(&known.path))
    }

    /// Every problem, in the order in which the fields are declared: first what identifies the document.
    pub(super) fn in_order(self, shape: &Shape) -> Vec<Problem> {
        let Self { base, mut found, .. } = self;
        found.sort_by_cached_key(|problem| match problem.path.0.strip_prefix(base.0.as_slice()) {
            Some(below) => (true, shape.rank(below)),
            None => (false, Vec::new()),
        });
        found
    }
}

#[cfg(test)]
mod tests {
    use super::{Path, Problems, Source, Step, shown};

    #[test]
    fn paths_are_written_as_in_kubernetes() {
        let mut path = Path::fields(&["spec", "runtime", "nodeSelector"]);
        path.0.push(Step::Field("gpu.vendor/kind".to_owned()));
        assert_eq!(path.to_string(), r#"spec.runtime.nodeSelector["gpu.vendor/kind"]"#);

        let mut path = Path::dotted("spec.runtime.env");
        path.0.extend([Step::Index(2), Step::Field("name".to_owned())]);
        assert_eq!(path.to_string(), "spec.runtime.env[2].name");
    }

    #[test]
    fn values_are_shown_short_and_without_passwords() {
        let shown = |value: &str| shown(&value.into());
        assert_eq!(shown("a\nb"), r#""a\nb""#);
        assert_eq!(shown("http://me:secret@host"), "a URL with credentials, which is not shown");
        assert_eq!(shown(&"a".repeat(70)), format!(r#""{}" and more, 70 characters in all"#, "a".repeat(64)));
    }

    #[test]
    fn a_field_inside_a_wrong_object_is_not_reported_again() {
        let mut problems = Problems::new(Source::Composite, Path::dotted("spec"));
        problems.add(&Path::dotted("scaling"), "true", "must be an object");
        problems.add(&Path::dotted("scaling.target"), "missing", "must be there");
        problems.add(&Path::dotted("scalingFactor"), "2", "is another field");
        assert!(problems.doubt(&Path::dotted("scaling.metric")));
        assert_eq!(problems.found.len(), 2);
    }
}
