//! Which Gateway a model stands behind, where nobody names it: the only one, else the one with the platform's labels.

use crate::api::settings::{Discovery, GatewayChoice, GatewayRef};
use crate::observe::{FoundGateway, Observed};
use crate::plan::keys::Key;

/// Why no Gateway is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undecided {
    /// Nobody has looked yet.
    NotLooked,
    /// There is none.
    Nothing,
    /// There are several, and not one of them alone has the labels: their names.
    Several(Vec<String>),
}

/// The Gateway. What a live route names stays where nothing better is found: a Gateway that nobody sees for a while, or
/// that gets a neighbour, costs no model its route.
pub(super) fn choose(choice: &GatewayChoice, observed: &Observed) -> Result<GatewayRef, Undecided> {
    let Discovery { labels, section_name } = match choice {
        GatewayChoice::Named(gateway) => return Ok(gateway.clone()),
        GatewayChoice::Discovered(discovery) => discovery,
    };
    let found = match &observed.gateways {
        None => Err(Undecided::NotLooked),
        Some(found) => {
            one(found, |gateway| labels.iter().all(|(label, value)| gateway.labels.get(label) == Some(value)))
        }
    };
    let chosen = match found {
        Ok(FoundGateway { name, namespace, labels: _, class: _ }) => Ok((name.clone(), namespace.clone())),
        Err(undecided) => present(observed).ok_or(undecided),
    };
    let section_name = section_name.clone();
    chosen.map(|(name, namespace)| GatewayRef { name, namespace, section_name })
}

fn one(
    found: &[FoundGateway],
    is_marked: impl Fn(&FoundGateway) -> bool,
) -> Result<&FoundGateway, Undecided> {
    let mut marked = found.iter().filter(|gateway| is_marked(gateway));
    match (found, marked.next(), marked.next()) {
        ([], _, _) => Err(Undecided::Nothing),
        ([only], _, _) => Ok(only),
        (_, Some(gateway), None) => Ok(gateway),
        (all, _, _) => {
            let mut names: Vec<String> = all
                .iter()
                .map(|FoundGateway { name, namespace, .. }| format!("{namespace}/{name}"))
                .collect();
            names.sort();
            Err(Undecided::Several(names))
        }
    }
}

/// The Gateway that the route names first, by its Object where that can no longer be looked at.
fn present(observed: &Observed) -> Option<(String, String)> {
    [Key::HttpRoute, Key::AiGatewayRoute]
        .into_iter()
        .find_map(|key| observed.objects.get(&key)?.asked.gateway.clone())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::observe::fixtures::cluster;

    fn gateway(name: &str, label: Option<&str>) -> FoundGateway {
        let labels: BTreeMap<String, String> =
            label.map(|value| ("use".to_owned(), value.to_owned())).into_iter().collect();
        FoundGateway { name: name.to_owned(), namespace: "gateways".to_owned(), labels, class: None }
    }

    #[test]
    fn the_only_one_is_taken_or_the_one_with_the_labels_and_else_the_present_one_stays() {
        let (a, b, c) = (gateway("a", None), gateway("b", Some("yes")), gateway("c", Some("yes")));
        let several = |names: &[&str]| {
            Err(Undecided::Several(names.iter().map(|name| format!("gateways/{name}")).collect()))
        };
        let cases = [
            (None, Err(Undecided::NotLooked), "a", "nobody has looked"),
            (Some(vec![]), Err(Undecided::Nothing), "a", "there is none"),
            (Some(vec![a.clone()]), Ok("a"), "a", "the only one needs no label"),
            (Some(vec![b.clone()]), Ok("b"), "b", "the only one, whatever was before"),
            (Some(vec![a.clone(), b.clone()]), Ok("b"), "b", "the one with the label"),
            (Some(vec![b.clone(), c.clone()]), several(&["b", "c"]), "a", "two have it"),
            (Some(vec![c, a.clone(), b]), several(&["a", "b", "c"]), "a", "by name"),
            (Some(vec![a.clone(), gateway("d", Some("no"))]), several(&["a", "d"]), "a", "another value"),
        ];
        let choice = GatewayChoice::Discovered(Discovery {
            labels: BTreeMap::from([("use".to_owned(), "yes".to_owned())]),
            section_name: Some("https".to_owned()),
        });
        let named = |name: &str| GatewayRef {
            name: name.to_owned(),
            namespace: "gateways".to_owned(),
            section_name: Some("https".to_owned()),
        };
        let parents = json!({"spec": {"parentRefs": [{"name": "a", "namespace": "gateways"}]}});
        for (gateways, new, live, reason) in cases {
            let observed = Observed { gateways: gateways.clone(), ..Observed::default() };
            assert_eq!(choose(&choice, &observed), new.map(named), "{reason}");
            for route in [Key::HttpRoute, Key::AiGatewayRoute] {
                let mut observed = cluster().asking(route, &parents).observed();
                observed.gateways.clone_from(&gateways);
                assert_eq!(choose(&choice, &observed), Ok(named(live)), "{reason}, and a model is live");
            }
        }
    }
}
