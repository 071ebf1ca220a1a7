//! The page that keeps what was measured: `docs/performance.md` has a place for each part, between two comments.

use anyhow::{Context, Result};

use crate::workload::root;

/// What a call costs.
pub const MEASURED: &str = "measured";
/// What a hundred large calls do.
pub const CROWD: &str = "crowd";
/// What minutes of load do.
pub const SOAK: &str = "soak";

/// Puts a part into its place.
pub fn write(part: &str, text: &str) -> Result<()> {
    let path = root().join("docs/performance.md");
    let page = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let page = replaced(&page, part, text)
        .with_context(|| format!("{} has no place for what was {part}", path.display()))?;
    std::fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))
}

fn replaced(page: &str, part: &str, text: &str) -> Option<String> {
    let (before, rest) = page.split_once(&format!("<!-- {part}: begin -->\n"))?;
    let (_, after) = rest.split_once(&format!("<!-- {part}: end -->"))?;
    Some(format!("{before}<!-- {part}: begin -->\n{}\n<!-- {part}: end -->{after}", text.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_replaces_what_was_there_before() {
        let page = "a\n<!-- soak: begin -->\nold\n<!-- soak: end -->\nb\n";
        let want = "a\n<!-- soak: begin -->\nnew\n<!-- soak: end -->\nb\n";
        assert_eq!(replaced(page, SOAK, "new\n").as_deref(), Some(want));
        assert_eq!(replaced(page, MEASURED, "new"), None, "there is no such place");
    }

    #[test]
    fn the_page_has_a_place_for_every_part() {
        let page = std::fs::read_to_string(root().join("docs/performance.md")).unwrap();
        for part in [MEASURED, CROWD, SOAK] {
            assert!(replaced(&page, part, "").is_some(), "{part}");
        }
    }
}
