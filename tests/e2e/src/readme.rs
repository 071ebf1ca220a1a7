//! What the README tells people to do, read so that the tests do just that.

use anyhow::{Context, Result, ensure};

use crate::workspace;

/// A command, and what the README says that it prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// As a person types it.
    pub command: String,
    /// Empty when the README shows nothing.
    pub output: String,
}

/// The fenced blocks of a language, in order.
pub fn blocks(language: &str) -> Result<Vec<String>> {
    let path = workspace::root().join("README.md");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let found = blocks_of(&text, language);
    ensure!(!found.is_empty(), "{} has no block of {language}", path.display());
    Ok(found)
}

fn blocks_of(text: &str, language: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(tag) = line.strip_prefix("```") else { continue };
        let block: Vec<&str> = lines.by_ref().take_while(|line| !line.starts_with("```")).collect();
        if tag == language {
            found.push(block.join("\n"));
        }
    }
    found
}

/// The commands of a block, which are the lines after `$ `. What follows is what they print.
pub fn steps(block: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push(Step { command: command.to_owned(), output: String::new() }),
            (None, Some(step)) => {
                step.output.push_str(line);
                step.output.push('\n');
            }
            (None, None) => {}
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_told_apart_by_their_language() {
        let text = "text\n```yaml\na: 1\n```\n```console\n$ ls\n```\n```yaml\nb: 2\nc: 3\n```\n";
        assert_eq!(blocks_of(text, "yaml"), ["a: 1", "b: 2\nc: 3"]);
        assert_eq!(blocks_of(text, "console"), ["$ ls"]);
    }

    #[test]
    fn steps_are_commands_with_what_they_print() {
        let step =
            |command: &str, output: &str| Step { command: command.to_owned(), output: output.to_owned() };
        assert_eq!(
            steps("$ make all\n$ ls\nREADME.md\nsrc\n"),
            [step("make all", ""), step("ls", "README.md\nsrc\n")]
        );
    }
}
