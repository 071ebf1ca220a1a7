//! What a preview prints.

use serde_json::{Value, json};

/// As a YAML stream, as `crossplane render` prints it: each document after a line of dashes, keys in alphabetical
/// order. Lines are never folded, so that a query stays in one piece.
pub fn yaml(documents: &[Value]) -> Result<String, serde_yaml::ser::Error> {
    let mut stream = String::new();
    for document in documents {
        let options = serde_yaml::ser_options! {
            // No string is this long.
            folded_wrap_chars: usize::MAX,
        };
        stream += "---\n";
        stream += &serde_yaml::to_string_with_options(document, options)?;
        if !stream.ends_with('\n') {
            stream.push('\n');
        }
    }
    Ok(stream)
}

/// As one list, which `jq` and `kubectl` read.
pub fn json(documents: &[Value]) -> Result<String, serde_json::Error> {
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": documents });
    serde_json::to_string_pretty(&list).map(|text| text + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_survives_readers_of_yaml_1_1_and_stays_readable() {
        let query = format!("sum({}) or (0 * sum(up == 1))", "x, ".repeat(60));
        let config = "a: 1\n# comment\nb:\n- c\n";
        let document = json!({
            "data": { "config": config, "no": "yes" },
            "list": ["on", "1:30", "12_000", "2024-01-01", "0x10", "1e3", "~", "null", "", "a: b", 1, 1.5, true, null],
            "query": query,
            "empty": {},
        });
        let text = yaml(&[document.clone(), json!({ "b": 1 })]).unwrap();
        assert_eq!(
            text,
            format!(
                "---\ndata:\n  config: |\n    a: 1\n    # comment\n    b:\n    - c\n  \"no\": \"yes\"\nempty: {{}}\n\
                 list:\n- \"on\"\n- \"1:30\"\n- \"12_000\"\n- \"2024-01-01\"\n- \"0x10\"\n- \"1e3\"\n- \"~\"\n- \"null\"\n\
                 - \"\"\n- \"a: b\"\n- 1\n- 1.5\n- true\n- null\nquery: {query}\n---\nb: 1\n"
            )
        );
    }

    #[test]
    fn json_is_a_list() {
        let list: Value = serde_json::from_str(&json(&[json!({ "a": 1 })]).unwrap()).unwrap();
        assert_eq!(list, json!({ "apiVersion": "v1", "kind": "List", "items": [{ "a": 1 }] }));
    }
}
