//! What fields there are, as data: for unknown fields, for the order of problems, and for tests that walk every field.

use super::problem::Step;

/// The fields of a document, or of a part of it.
#[derive(Debug)]
pub enum Shape {
    /// One value, whatever its type.
    Leaf,
    /// Any number of the same.
    List(&'static Self),
    /// Keys that the writer chooses.
    Map(&'static Self),
    /// Known fields, in the order in which they are declared.
    Object(&'static [(&'static str, &'static Self)]),
}

impl Shape {
    /// Sorts paths in the order of declaration.
    pub(super) fn rank(&self, path: &[Step]) -> Vec<usize> {
        let mut shape = self;
        let mut rank = Vec::with_capacity(path.len());
        for step in path {
            match (shape, step) {
                (Self::Object(fields), Step::Field(field)) => {
                    let position = fields.iter().position(|(name, _)| name == field);
                    rank.push(position.unwrap_or(fields.len()));
                    match position.and_then(|position| fields.get(position)) {
                        Some((_, inner)) => shape = inner,
                        None => break,
                    }
                }
                (Self::List(inner), Step::Index(index)) => {
                    rank.push(*index);
                    shape = inner;
                }
                (Self::Map(inner), Step::Field(_)) => shape = inner,
                _ => break,
            }
        }
        rank
    }
}
