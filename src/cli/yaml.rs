//! Reading YAML files: documents that know where each of their fields stands.
//!
//! Reads as Kubernetes tools do, by YAML 1.1: an unquoted `yes` is a boolean here as it is in `kubectl`, so that a
//! preview does not accept what an apply refuses. Knows nothing of what the documents mean.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_yaml::{MessageFormatter, Spanned, UserMessageFormatter};

use crate::api;

/// One document, and the file it came from.
#[derive(Debug, Clone)]
pub struct Document {
    /// As given on the command line.
    pub file: PathBuf,
    /// Its content.
    pub root: Node,
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub struct Node {
    /// Counted from 1.
    pub line: u64,
    /// Counted from 1.
    pub column: u64,
    /// The value.
    pub content: Content,
}

/// What a node holds.
#[derive(Debug, Clone)]
pub enum Content {
    /// Null, boolean, number or string.
    Scalar(Value),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the file.
    Map(Vec<(String, Node)>),
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The file cannot be read.
    #[error("cannot read {}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The file is no YAML.
    #[error("{}:{line}:{column}: {message}", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// Counted from 1.
        line: u64,
        /// Counted from 1.
        column: u64,
        /// What is wrong, with the place in the text.
        message: String,
    },
    /// A field is not what is needed.
    #[error("{}:{line}: {field}{}{message}", file.display(), if field.is_empty() { "" } else { ": " })]
    Field {
        /// The file.
        file: PathBuf,
        /// Counted from 1.
        line: u64,
        /// Path of the field; empty for the document itself.
        field: String,
        /// What is wrong.
        message: String,
    },
    /// The file holds another number of documents than it should.
    #[error("{} holds {found} documents; one is expected", file.display())]
    Count {
        /// The file.
        file: PathBuf,
        /// How many it holds.
        found: usize,
    },
    /// A folder holds no YAML file.
    #[error("{} holds no file that ends in .yaml or .yml", folder.display())]
    EmptyFolder {
        /// The folder.
        folder: PathBuf,
    },
}

/// All documents of one file; empty ones are left out.
pub fn read_file(file: &Path) -> Result<Vec<Document>, InputError> {
    let text =
        fs::read_to_string(file).map_err(|source| InputError::Read { file: file.to_owned(), source })?;
    parse(file, &text)
}

/// The only document of one file.
pub fn read_one(file: &Path) -> Result<Document, InputError> {
    let mut documents = read_file(file)?;
    match (documents.pop(), documents.len()) {
        (Some(document), 0) => Ok(document),
        (last, before) => Err(InputError::Count {
            file: file.to_owned(),
            found: before.saturating_add(usize::from(last.is_some())),
        }),
    }
}

/// All documents of one file, or of every YAML file directly in a folder, by file name.
pub fn read_path(path: &Path) -> Result<Vec<Document>, InputError> {
    if !path.is_dir() {
        return read_file(path);
    }
    let unreadable = |source| InputError::Read { file: path.to_owned(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        let is_yaml = file.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        if is_yaml && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(InputError::EmptyFolder { folder: path.to_owned() });
    }
    let mut documents = Vec::new();
    for file in files {
        documents.append(&mut read_file(&file)?);
    }
    Ok(documents)
}

/// All documents of a text that came from `file`; empty ones are left out.
pub fn parse(file: &Path, text: &str) -> Result<Vec<Document>, InputError> {
    let options = serde_yaml::options! {
        // As go-yaml reads it, and with it kubectl and Crossplane.
        legacy_octal_numbers: true,
    };
    let roots: Vec<Node> = serde_yaml::from_multiple_with_options(text, options).map_err(|error| {
        let place = error.location();
        let (line, column) = place.map_or((1, 1), |place| (place.line(), place.column()));
        let message = UserMessageFormatter.format_message(error.without_snippet());
        // Part of the text may be in the message: nothing in it may move the cursor.
        let message = message.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
        InputError::Syntax {
            file: file.to_owned(),
            line,
            column,
            message: message + &quote(text, line, column),
        }
    })?;
    Ok(roots.into_iter().map(|root| Document { file: file.to_owned(), root }).collect())
}

/// The line in question with a mark under the column.
fn quote(text: &str, line: u64, column: u64) -> String {
    let [line, column] = [line, column].map(|number| usize::try_from(number).unwrap_or(usize::MAX));
    let Some(quoted) = text.lines().nth(line.saturating_sub(1)) else { return String::new() };
    let quoted: String = quoted.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect();
    let mark = column.saturating_sub(1).min(quoted.chars().count());
    format!("\n{line:>4} | {quoted}\n     | {:mark$}^", "")
}

impl Document {
    /// The string at a path of plain keys, such as `metadata.name`; `None` where it is absent, empty or no string.
    pub fn string(&self, path: &str) -> Option<&str> {
        match &self.root.get(path)?.content {
            Content::Scalar(Value::String(text)) if !text.is_empty() => Some(text),
            Content::Scalar(_) | Content::List(_) | Content::Map(_) => None,
        }
    }

    /// The same, where it has to be there.
    pub fn required_string(&self, path: &str) -> Result<&str, InputError> {
        self.string(path).ok_or_else(|| {
            let message = match self.root.get(path) {
                None => "is missing",
                Some(_) => "is not a string with at least one character",
            };
            self.wrong(path, message)
        })
    }

    /// An error about one field. Points at the field, or at the nearest field around it that is there.
    pub fn wrong(&self, path: &str, message: impl Into<String>) -> InputError {
        InputError::Field {
            file: self.file.clone(),
            line: self.root.nearest(path).line,
            field: path.to_owned(),
            message: message.into(),
        }
    }
}

impl Node {
    /// The node at a path such as `spec.env[0].name`. Keys with a dot in them are not found.
    pub fn get(&self, path: &str) -> Option<&Self> {
        let (node, whole) = self.walk(path);
        whole.then_some(node)
    }

    /// The node at a path, or the last one on the way there.
    pub fn nearest(&self, path: &str) -> &Self {
        self.walk(path).0
    }

    /// The node at a path of a problem, or the last one on the way there.
    pub fn nearest_to(&self, path: &api::Path) -> &Self {
        let mut node = self;
        for step in &path.0 {
            let next = match step {
                api::Step::Field(field) => node.field(field),
                api::Step::Index(index) => node.item(*index),
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        node
    }

    fn walk(&self, path: &str) -> (&Self, bool) {
        let mut node = self;
        for step in path.split(['.', '[']).map(|step| step.trim_end_matches(']')).filter(|s| !s.is_empty()) {
            match node.field(step).or_else(|| node.item(step.parse().ok()?)) {
                Some(next) => node = next,
                None => return (node, false),
            }
        }
        (node, true)
    }

    fn field(&self, name: &str) -> Option<&Self> {
        let Content::Map(entries) = &self.content else { return None };
        entries.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    fn item(&self, index: usize) -> Option<&Self> {
        let Content::List(items) = &self.content else { return None };
        items.get(index)
    }

    /// The value as it stands, nulls included.
    pub fn to_json(&self) -> Value {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::List(items) => items.iter().map(Self::to_json).collect(),
            Content::Map(entries) => {
                let entries: Map<String, Value> =
                    entries.iter().map(|(key, value)| (key.clone(), value.to_json())).collect();
                Value::Object(entries)
            }
        }
    }

    /// The value without the fields that are null, which is how an API server keeps a custom resource.
    pub fn to_json_without_nulls(&self) -> Value {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::List(items) => items.iter().map(Self::to_json_without_nulls).collect(),
            Content::Map(entries) => {
                let entries: Map<String, Value> = entries
                    .iter()
                    .filter(|(_, value)| !matches!(value.content, Content::Scalar(Value::Null)))
                    .map(|(key, value)| (key.clone(), value.to_json_without_nulls()))
                    .collect();
                Value::Object(entries)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned: Spanned<Content> = Spanned::deserialize(deserializer)?;
        Ok(Self {
            line: spanned.referenced.line(),
            column: spanned.referenced.column(),
            content: spanned.value,
        })
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Content, E> {
        Ok(Content::Scalar(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Content, E> {
        Ok(Content::Scalar(Value::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Content, E> {
        /// Integers beyond this do not survive a double.
        const LAST_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;
        #[expect(clippy::cast_possible_truncation, reason = "whole and within what an i64 holds")]
        let number = if value.fract() == 0.0 && value.abs() <= LAST_SAFE_INTEGER {
            // Go writes a whole double without a fraction when it turns YAML into JSON.
            Number::from(value as i64)
        } else {
            Number::from_f64(value).ok_or_else(|| E::custom("not a finite number"))?
        };
        Ok(Content::Scalar(Value::Number(number)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_string<E>(self, value: String) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Content, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Content::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Content, A::Error> {
        let mut entries: Vec<(String, Node)> = Vec::new();
        while let Some((key, value)) = access.next_entry::<String, Node>()? {
            if entries.iter().any(|(known, _)| *known == key) {
                // Two YAML keys, such as 1 and "1", may be one in JSON.
                return Err(A::Error::custom(format_args!("{key} appears twice in one mapping")));
            }
            entries.push((key, value));
        }
        Ok(Content::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn documents(text: &str) -> Vec<Document> {
        parse(Path::new("x.yaml"), text).unwrap()
    }

    fn error(text: &str) -> InputError {
        parse(Path::new("x.yaml"), text).unwrap_err()
    }

    #[test]
    fn fields_know_their_line() {
        let [document] = &documents("# comment\nspec:\n  env:\n  - name: A\n    value: B\n")[..] else {
            panic!()
        };
        let cases = [
            ("spec", 3, "a mapping begins where its first key stands"),
            ("spec.env[0].value", 5, "through lists too"),
            ("spec.env[0].secret", 4, "a missing field is shown by what it is missing in"),
            ("status.url", 2, "nothing of the path is there"),
        ];
        for (path, line, reason) in cases {
            assert_eq!(document.root.nearest(path).line, line, "{path}: {reason}");
        }
        assert!(document.root.get("spec.env[0].secret").is_none());
        let field = |name: &str| api::Step::Field(name.to_owned());
        let value = api::Path(vec![field("spec"), field("env"), api::Step::Index(0), field("value")]);
        assert_eq!(document.root.nearest_to(&value).line, 5);
        assert!(document.root.get("spec.env[1]").is_none());
    }

    #[test]
    fn scalars_are_read_as_kubectl_reads_them() {
        let text = "{a: yes, b: \"yes\", c: 0x10, d: 010, e: 1.0, f: 1.5, g: ~, h: 2024-01-01, i: 1e3}";
        assert_eq!(
            documents(text)[0].root.to_json(),
            json!({"a": true, "b": "yes", "c": 16, "d": 8, "e": 1, "f": 1.5, "g": null, "h": "2024-01-01", "i": 1000})
        );
    }

    #[test]
    fn nulls_go_from_mappings_and_stay_in_lists() {
        let document = &documents("a: null\nb: {c: ~, d: 1}\ne: [1, ~]\nf: {g: }\n")[0];
        assert_eq!(document.root.to_json_without_nulls(), json!({"b": {"d": 1}, "e": [1, null], "f": {}}));
    }

    #[test]
    fn documents_come_in_order_and_empty_ones_are_left_out() {
        let names: Vec<Value> = documents("---\na: 1\n---\n# nothing\n---\nb: 2\n...\n")
            .iter()
            .map(|d| d.root.to_json())
            .collect();
        assert_eq!(names, [json!({"a": 1}), json!({"b": 2})]);
    }

    #[test]
    fn errors_name_file_line_and_field() {
        assert_eq!(
            error("a:\n  b: 1\n  b: 2\n").to_string(),
            "x.yaml:3:3: duplicate mapping key: b not allowed here\n   3 |   b: 2\n     |   ^"
        );
        assert_eq!(
            error("a:\n\tb: 1\n").to_string(),
            "x.yaml:2:2: tabs disallowed within this context (block indentation)\n   2 |  b: 1\n     |  ^"
        );
        let document = &documents("metadata:\n  namespace: 7\n")[0];
        assert_eq!(
            document.required_string("metadata.name").unwrap_err().to_string(),
            "x.yaml:2: metadata.name: is missing"
        );
        assert_eq!(
            document.required_string("metadata.namespace").unwrap_err().to_string(),
            "x.yaml:2: metadata.namespace: is not a string with at least one character"
        );
    }

    #[test]
    fn deep_nesting_is_an_error_and_not_a_crash() {
        let deep = "[".repeat(10_000);
        error(&deep);
        error(&format!("{deep}{}", "]".repeat(10_000)));
    }
}
