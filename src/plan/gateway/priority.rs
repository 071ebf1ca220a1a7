//! How requests come to carry the model's priority, by this model's route alone.

use crate::api::ModelName;
use crate::plan::endpoint_picker::{Family, Headers};

/// What an implementation lets us add to a route that acts on headers before the picker reads them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// A filter of the route.
    RouteFilter,
    /// A script that Envoy runs for the route, where the platform permits it and a host leads to the route.
    Script,
    /// Nothing. What its listeners or the whole mesh could do is not ours to change.
    Nothing,
}

/// What becomes of the headers that the picker trusts, whoever sends them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriorityPlan {
    /// Where that happens.
    pub hook: Hook,
    /// Headers that are overwritten: name and value.
    pub set: (&'static str, String),
    /// Headers that are taken out.
    pub remove: Vec<&'static str>,
}

/// `None` where nothing can be done.
pub(super) fn decide(hook: Hook, family: Family, model: &ModelName) -> Option<PriorityPlan> {
    if hook == Hook::Nothing {
        return None;
    }
    let Headers { objective, fairness, rewrite } = family.traits().headers;
    let (first, aliases) = objective.split_first()?;
    let remove = [aliases, fairness, rewrite].concat();
    Some(PriorityPlan { hook, set: (first, model.objective()), remove })
}

#[cfg(test)]
mod tests {
    use super::{Hook, decide};
    use crate::api::ModelName;
    use crate::plan::endpoint_picker::Family;

    /// A client that could send one of them could promote itself, or ask for another model.
    #[test]
    fn every_header_that_the_picker_trusts_is_overwritten_or_taken_out() {
        let model = ModelName::parse("llama").unwrap();
        for family in Family::ALL {
            let headers = family.traits().headers;
            let plan = decide(Hook::RouteFilter, family, &model).unwrap();
            assert_eq!(plan.set.1, "llama", "the objective's name");
            let trusted = [headers.objective, headers.fairness, headers.rewrite].concat();
            let treated: Vec<&str> = std::iter::once(plan.set.0).chain(plan.remove).collect();
            assert_eq!(treated, trusted, "{family:?}");
            assert_eq!(treated[0], headers.objective[0], "of several names the first one counts");
        }
        assert_eq!(decide(Hook::Nothing, Family::Gie1_3, &model), None);
    }
}
