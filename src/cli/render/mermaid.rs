//! The picture of a stack: what refers to what, as a Mermaid flowchart.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::references::{Reference, Rendered, Target, references};

/// Draws the objects and the references among them.
pub fn flowchart(objects: &[Rendered]) -> String {
    let mut chart = "flowchart LR\n".to_owned();
    for (index, object) in objects.iter().enumerate() {
        let class = if object.observed_only { ":::observed" } else { "" };
        line(
            &mut chart,
            format_args!("{}[\"{}\"]{class}", id(objects, index), label(object.kind(), object.name())),
        );
    }
    let references = references(objects);
    let mut outside: BTreeMap<(&str, &str), String> = BTreeMap::new();
    for reference in &references {
        if let Target::Outside { kind, name } = &reference.to {
            let next = format!("outside{}", outside.len());
            outside.entry((kind, name)).or_insert(next);
        }
    }
    for ((kind, name), id) in &outside {
        line(&mut chart, format_args!("{id}[\"{}\"]:::outside", label(kind, name)));
    }
    for Reference { from, field, to } in &references {
        let here = id(objects, *from);
        let there = match to {
            Target::Inside(to) => id(objects, *to),
            Target::Outside { kind, name } => {
                outside.get(&(kind.as_str(), name.as_str())).cloned().unwrap_or_default()
            }
        };
        // A route names the Gateway it hangs on, but requests go from the Gateway to the route.
        let (first, second) = if *field == "parentRefs" { (there, here) } else { (here, there) };
        let arrow = if matches!(*field, "selector" | "triggers") { "-.->" } else { "-->" };
        line(&mut chart, format_args!("{first} {arrow}|{field}| {second}"));
    }
    if objects.iter().any(|object| object.observed_only) {
        line(&mut chart, format_args!("classDef observed stroke-dasharray: 4 4"));
    }
    if !outside.is_empty() {
        line(&mut chart, format_args!("classDef outside stroke:#c00,stroke-dasharray: 2 2"));
    }
    chart
}

fn line(chart: &mut String, content: std::fmt::Arguments<'_>) {
    // Writing to a String does not fail.
    let _ = writeln!(chart, "  {content}");
}

/// The key where it can stand in a flowchart, else a number.
fn id(objects: &[Rendered], index: usize) -> String {
    let key = objects.get(index).map_or("", |object| object.key.as_str());
    let is_word = !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    // `end` ends a flowchart, and this file's own words are taken.
    if is_word && !matches!(key, "end" | "graph" | "subgraph" | "flowchart" | "default" | "style") {
        key.to_owned()
    } else {
        format!("object{index}")
    }
}

fn label(kind: &str, name: &str) -> String {
    format!("{}<br/>{}", escaped(kind), escaped(name))
}

/// Mermaid reads `#` as the start of an entity, and what is left as HTML.
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |escaped, c| match c {
        '#' | '"' | '<' | '>' | '&' | '`' | '\\' | '\n' | '\r' => escaped + &format!("#{};", u32::from(c)),
        c => escaped + c.encode_utf8(&mut [0; 4]),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(key: &str, kind: &str, name: &str, spec: &serde_json::Value) -> Rendered {
        let manifest = json!({ "kind": kind, "metadata": { "name": name, "namespace": "a" }, "spec": spec });
        Rendered { key: key.to_owned(), manifest, observed_only: kind == "Gateway" }
    }

    #[test]
    fn objects_are_boxes_and_references_are_arrows() {
        let route = json!({ "parentRefs": [{ "name": "eg" }], "rules": [{ "backendRefs": [{ "name": "missing" }] }] });
        let chart = flowchart(&[
            object("http_route", "HTTPRoute", "llama", &route),
            object("gateway", "Gateway", "eg", &json!({})),
            object("end", "ConfigMap", "x\"#<b>", &json!({})),
        ]);
        assert_eq!(
            chart,
            "flowchart LR\n  http_route[\"HTTPRoute<br/>llama\"]\n  gateway[\"Gateway<br/>eg\"]:::observed\n  \
             object2[\"ConfigMap<br/>x#34;#35;#60;b#62;\"]\n  outside0[\"Service<br/>missing\"]:::outside\n  \
             http_route -->|backendRefs| outside0\n  gateway -->|parentRefs| http_route\n  \
             classDef observed stroke-dasharray: 4 4\n  classDef outside stroke:#c00,stroke-dasharray: 2 2\n"
        );
    }
}
