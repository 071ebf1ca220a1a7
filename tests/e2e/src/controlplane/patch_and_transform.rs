//! Plays crossplane-contrib/function-patch-and-transform, as far as our examples and suites use it: resources as they
//! are written down, with values of the composite resource's fields in them.
//!
//! It reads the real function's Input (`pt.fn.crossplane.io/v1beta1`, kind `Resources`) and refuses what it does not
//! play, so a Composition that is called with it here is one that the real function takes too.

use anyhow::{Context, Result, bail, ensure};
use function_inference::protocol::desired::Part;
use function_inference::protocol::view::{Ready, Result as Outcome, RunFunctionRequest, RunFunctionResponse};
use function_inference::protocol::{from_struct, join};
use serde_json::Value;

use super::cluster::{condition, text};
use super::played::passed_on;
use crate::files::set;

/// What Compositions call it.
pub const NAME: &str = "function-patch-and-transform";

/// Answers a call.
pub fn answer(request: &RunFunctionRequest) -> RunFunctionResponse {
    let mut response = passed_on(request);
    match desired(request) {
        Ok(part) => response.desired.push(part.encode()),
        Err(error) => response.results.push(Outcome::fatal(format!("{error:#}"))),
    }
    response
}

fn desired(request: &RunFunctionRequest) -> Result<Part> {
    let input: Value = from_struct(&join(&request.input).context("no Input")?)?;
    let composite: Value = from_struct(&request.observed_composite().unwrap_or_default())?;
    let observed = request.observed_resources();
    let mut part = Part::default();
    for template in entries(&input, "/resources") {
        let name = text(template, "/name");
        let object = made_of(template, &composite).with_context(|| format!("resource {name:?}"))?;
        let live = observed.get(name).and_then(|observed| observed.object()).unwrap_or_default();
        // Where no readinessChecks are written, it is the condition Ready that counts.
        let is_ready = condition(&from_struct(&live)?, "Ready") == "True";
        part.resource(name, &object, if is_ready { Ready::True } else { Ready::False })?;
    }
    Ok(part)
}

/// The base of a template, patched.
fn made_of(template: &Value, composite: &Value) -> Result<Value> {
    knows(template, &["name", "base", "patches"])?;
    let mut object = template.get("base").cloned().context("has no base")?;
    for patch in entries(template, "/patches") {
        knows(patch, &["type", "fromFieldPath", "toFieldPath"])?;
        let (from, to) = (text(patch, "/fromFieldPath"), text(patch, "/toFieldPath"));
        ensure!(text(patch, "/type") == "FromCompositeFieldPath", "only FromCompositeFieldPath is played");
        ensure!(
            !format!("{from}{to}").contains('['),
            "{from} or {to} leads into a list, which is not played"
        );
        // A field that is not there patches nothing, unless a policy says otherwise.
        if let Some(value) = composite.pointer(&format!("/{}", from.replace('.', "/"))) {
            set(&mut object, to, value.clone());
        }
    }
    Ok(object)
}

fn knows(object: &Value, fields: &[&str]) -> Result<()> {
    let unknown =
        object.as_object().into_iter().flatten().find(|(field, _)| !fields.contains(&field.as_str()));
    match unknown {
        Some((field, _)) => bail!("{field} is not played"),
        None => Ok(()),
    }
}

fn entries<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_of_the_composite_takes_its_place_and_what_is_not_played_is_refused() {
        let composite = json!({"metadata": {"name": "gpu"}, "spec": {"size": 3}});
        let patch = |from: &str| json!({"type": "FromCompositeFieldPath", "fromFieldPath": from, "toFieldPath": "spec.to"});
        let cases = [
            (json!([]), Ok(json!({"kind": "A"}))),
            (json!([patch("spec.size")]), Ok(json!({"kind": "A", "spec": {"to": 3}}))),
            (json!([patch("spec.none")]), Ok(json!({"kind": "A"}))),
            (json!([patch("spec.list[0]")]), Err("leads into a list")),
            (json!([{"type": "CombineFromComposite"}]), Err("only FromCompositeFieldPath")),
            (json!([{"policy": {}}]), Err("policy is not played")),
        ];
        for (patches, want) in cases {
            let template = json!({"name": "a", "base": {"kind": "A"}, "patches": patches});
            match (made_of(&template, &composite), want) {
                (Ok(object), Ok(want)) => assert_eq!(object, want),
                (Err(error), Err(want)) => assert!(error.to_string().contains(want), "{error}"),
                (found, want) => panic!("{template}: {found:?}, not {want:?}"),
            }
        }
    }
}
