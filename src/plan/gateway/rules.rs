//! What leads where: the rules of the route.

use crate::api::settings::Model;
use crate::plan::endpoint_picker::Family;

use super::implementation::ByModel;

/// Set by body-based routers to the model that a request asks for (kubernetes-sigs/gateway-api-inference-extension
/// v1.3.1, `pkg/bbr/handlers/request.go`; v1.5.0, `pkg/bbr/plugins`).
pub(crate) const MODEL_HEADER: &str = "X-Gateway-Model-Name";
/// Set by them to the base model of an adapter that a `ConfigMap` lists, to the model itself where one lists it so, and
/// to nothing else (likewise).
const BASE_MODEL: &str = "X-Gateway-Base-Model-Name";
/// Set by Envoy AI Gateway to the model that a request asks for (envoyproxy/ai-gateway v1.0.0,
/// `internal/extproc/processor_impl.go`).
const AI_GATEWAY_MODEL: &str = "x-ai-eg-model";

/// Most matches of a rule, and of a route (kubernetes-sigs/gateway-api v1.6.3, `apis/v1/httproute_types.go`). Rules are
/// fewer than the 16 that a route may have: two more than whole rules fit into those matches.
const MATCHES_OF_RULE: usize = 64;
const MATCHES: usize = 128;
/// What Envoy AI Gateway adds to the route that it makes: one that leads nowhere.
const MATCHES_ADDED: usize = 1;

/// One rule of the route. The most exact match of all rules decides, whatever their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulePlan {
    /// Any of these.
    pub matches: Vec<RequestMatch>,
    /// Where such a request goes.
    pub to: Destination,
}

/// What a request has to be: all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestMatch {
    /// For that path and no other; `None`: for any.
    pub path: Option<&'static str>,
    /// With that header of that value; `None`: with any.
    pub header: Option<HeaderValue>,
}

/// A header and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderValue {
    /// The header.
    pub name: &'static str,
    /// Its value.
    pub value: String,
}

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// Where the picker says.
    Pool,
    /// To any replica, by the model servers' Service.
    ModelServers,
}

/// A route would be too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooManyAdapters {
    /// How many there are.
    pub(super) are: usize,
    /// How many there may be.
    pub(super) may: usize,
    /// What a route may hold.
    pub(super) matches: usize,
}

impl RulePlan {
    /// Whether it relies on a body-based router that knows the adapters.
    pub(super) fn asks_for_base(&self) -> bool {
        self.matches.iter().filter_map(|it| it.header.as_ref()).any(|header| header.name == BASE_MODEL)
    }
}

/// The host is this model's alone.
///
/// What the picker does not understand goes past it: it would refuse such a request or, where it has no body, answer
/// with an error while no replica runs.
pub(super) fn by_host(family: Family) -> Vec<RulePlan> {
    let inference = paths(family).map(|path| RequestMatch { path, header: None }).collect();
    let others = vec![RequestMatch { path: None, header: None }];
    vec![
        RulePlan { matches: inference, to: Destination::Pool },
        RulePlan { matches: others, to: Destination::ModelServers },
    ]
}

/// The Gateway is shared with other models: requests have to ask for this one, or for one of its adapters.
///
/// What asks for no model, such as `GET /v1/models`, cannot be for this one. Envoy AI Gateway's own route knows no paths;
/// its processor answers that request itself, and lets nothing pass that it does not understand.
pub(super) fn by_model(by: ByModel, family: Family, model: &Model) -> Result<Vec<RulePlan>, TooManyAdapters> {
    let headers = headers(by, model);
    let mut to_pool = Vec::new();
    let mut past_it = Vec::new();
    for header in &headers {
        let with = |path| RequestMatch { path, header: Some(header.clone()) };
        if by == ByModel::OwnRoute {
            to_pool.push(with(None));
        } else {
            to_pool.extend(paths(family).map(with));
            past_it.push(with(None));
        }
    }
    let matches = MATCHES - if by == ByModel::OwnRoute { MATCHES_ADDED } else { 0 };
    let are = to_pool.len() + past_it.len();
    if are > matches {
        // Each name takes the same room, and the model itself is one.
        let may = (matches * headers.len() / are).saturating_sub(1);
        return Err(TooManyAdapters { are: headers.len() - 1, may, matches });
    }
    let rules = |all: &[RequestMatch], to| -> Vec<RulePlan> {
        all.chunks(MATCHES_OF_RULE).map(|some| RulePlan { matches: some.to_vec(), to }).collect()
    };
    Ok([rules(&to_pool, Destination::Pool), rules(&past_it, Destination::ModelServers)].concat())
}

/// By what a request shows that it asks for the model or one of its adapters: by any of these.
fn headers(by: ByModel, model: &Model) -> Vec<HeaderValue> {
    let adapters = model.lora.as_ref().map_or(&[][..], |lora| &lora.adapters);
    let is = |name, value: &str| HeaderValue { name, value: value.to_owned() };
    let itself = model.requested_name();
    let each = |header| {
        let names = adapters.iter().map(|adapter| adapter.name.as_str());
        std::iter::once(itself).chain(names).map(|name| is(header, name)).collect()
    };
    match by {
        ByModel::OwnRoute => each(AI_GATEWAY_MODEL),
        ByModel::Header => each(MODEL_HEADER),
        // The model itself is found without the list too, which a router reads in some namespaces only.
        ByModel::Router if !adapters.is_empty() => vec![is(MODEL_HEADER, itself), is(BASE_MODEL, itself)],
        ByModel::Router => vec![is(MODEL_HEADER, itself)],
        ByModel::Nothing => Vec::new(),
    }
}

fn paths(family: Family) -> impl Iterator<Item = Option<&'static str>> {
    family.traits().paths.iter().copied().map(Some)
}

#[cfg(test)]
mod tests {
    use super::{BASE_MODEL, Destination, HeaderValue, RequestMatch, RulePlan, TooManyAdapters, by_model};
    use crate::api::fixtures::llm;
    use crate::api::settings::{Adapter, Lora, Model};
    use crate::plan::endpoint_picker::Family;
    use crate::plan::gateway::ByModel;

    fn with_adapters(count: usize) -> Model {
        let adapter = |number| Adapter { name: format!("lora-{number}"), path: "acme/a".to_owned() };
        let adapters = (0..count).map(adapter).collect();
        Model { lora: Some(Lora { adapters, max_adapters: 1, max_rank: 16 }), ..llm().model }
    }

    #[test]
    fn a_request_shows_by_its_headers_that_it_asks_for_this_model() {
        let two = with_adapters(2);
        let aliased = Model { alias: Some("chat".to_owned()), ..llm().model };
        let qwen = "Qwen/Qwen2.5-3B-Instruct";
        let cases = [
            (
                ByModel::OwnRoute,
                &two,
                vec![("x-ai-eg-model", qwen), ("x-ai-eg-model", "lora-0"), ("x-ai-eg-model", "lora-1")],
                "Envoy AI Gateway knows nothing of adapters",
            ),
            (
                ByModel::Header,
                &two,
                vec![
                    ("X-Gateway-Model-Name", qwen),
                    ("X-Gateway-Model-Name", "lora-0"),
                    ("X-Gateway-Model-Name", "lora-1"),
                ],
                "nor does a Gateway that only copies the name",
            ),
            (
                ByModel::Router,
                &two,
                vec![("X-Gateway-Model-Name", qwen), (BASE_MODEL, qwen)],
                "a router knows which model they belong to",
            ),
            (ByModel::Router, &with_adapters(0), vec![("X-Gateway-Model-Name", qwen)], "there are none"),
            (ByModel::Router, &aliased, vec![("X-Gateway-Model-Name", "chat")], "the name to route by"),
            (ByModel::OwnRoute, &aliased, vec![("x-ai-eg-model", "chat")], "likewise"),
        ];
        for (by, model, want, reason) in cases {
            let rules = by_model(by, Family::Gie1_3, model).unwrap();
            let pool: Vec<&RulePlan> = rules.iter().filter(|rule| rule.to == Destination::Pool).collect();
            let mut seen: Vec<(&str, &str)> = Vec::new();
            for RequestMatch { header, .. } in pool.iter().flat_map(|rule| &rule.matches) {
                let HeaderValue { name, value } = header.as_ref().unwrap();
                if !seen.contains(&(*name, value.as_str())) {
                    seen.push((name, value));
                }
            }
            assert_eq!(seen, want, "{by:?}: {reason}");
        }
    }

    #[test]
    fn what_the_picker_does_not_understand_passes_it_for_this_model_alone() {
        let rules = by_model(ByModel::Router, Family::Gie1_3, &llm().model).unwrap();
        let places: Vec<(Destination, Vec<Option<&str>>)> =
            rules.iter().map(|rule| (rule.to, rule.matches.iter().map(|it| it.path).collect())).collect();
        assert_eq!(
            places,
            [
                (Destination::Pool, vec![Some("/v1/completions"), Some("/v1/chat/completions")]),
                (Destination::ModelServers, vec![None]),
            ],
        );
        assert!(
            rules.iter().flat_map(|rule| &rule.matches).all(|it| it.header.is_some()),
            "and for no other"
        );
        let own = by_model(ByModel::OwnRoute, Family::Gie1_3, &llm().model).unwrap();
        assert_eq!(own.len(), 1, "Envoy AI Gateway's route has no paths");
    }

    /// kubernetes-sigs/gateway-api v1.6.3 takes 64 matches a rule, 128 a route and 16 rules.
    #[test]
    fn a_route_holds_as_many_adapters_as_fit() {
        let cases = [
            (ByModel::Header, Family::Gie1_3, 41, Ok(()), "42 names of 2 paths and the rest"),
            (ByModel::Header, Family::Gie1_3, 42, Err(41), "one more"),
            (ByModel::Header, Family::LlmD0_10, 17, Ok(()), "18 names of 6 paths and the rest"),
            (ByModel::Header, Family::LlmD0_10, 64, Err(17), "as many as the schema lets people write"),
            (ByModel::Router, Family::LlmD0_10, 64, Ok(()), "a router takes them together"),
            (ByModel::OwnRoute, Family::LlmD0_10, 64, Ok(()), "a route without paths has room for all"),
        ];
        for (by, family, adapters, want, reason) in cases {
            let rules = by_model(by, family, &with_adapters(adapters));
            let found = rules.as_ref().map(|_| ()).map_err(|TooManyAdapters { may, .. }| *may);
            assert_eq!(found, want, "{by:?}: {reason}");
            let Ok(rules) = rules else { continue };
            assert!(rules.iter().all(|rule| rule.matches.len() <= 64), "{by:?}: {reason}");
            assert!(rules.iter().map(|rule| rule.matches.len()).sum::<usize>() <= 128, "{by:?}: {reason}");
            assert!(rules.len() <= 15, "{by:?}: Envoy AI Gateway keeps one for itself");
        }
    }
}
