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
    /// Headers that are overwritten.
    pub set: Vec<&'static str>,
    /// By the name of this objective.
    pub objective: String,
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
    Some(PriorityPlan { hook, set: vec![*first], objective: model.objective(), remove })
}

impl PriorityPlan {
    /// The same, where a picker of that family reads the headers too.
    pub(super) fn heeded_by(mut self, family: Family) -> Self {
        let Headers { objective, fairness, rewrite } = family.traits().headers;
        self.set.extend(objective.first().filter(|first| !self.set.contains(first)));
        self.remove.extend([objective, fairness, rewrite].concat());
        let mut seen = self.set.clone();
        self.remove.retain(|name| {
            let is_first = !seen.contains(name);
            seen.push(*name);
            is_first
        });
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

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
            assert_eq!(plan.objective, "llama");
            let trusted = [headers.objective, headers.fairness, headers.rewrite].concat();
            let treated = [plan.set, plan.remove].concat();
            assert_eq!(treated, trusted, "{family:?}");
            assert_eq!(treated[0], headers.objective[0], "of several names the first one counts");
        }
        assert_eq!(decide(Hook::Nothing, Family::Gie1_3, &model), None);
    }

    #[test]
    fn two_pickers_that_read_other_headers_are_told_the_same() {
        let model = ModelName::parse("llama").unwrap();
        for wanted in Family::ALL {
            for former in Family::ALL {
                let alone = |family: Family| decide(Hook::RouteFilter, family, &model).unwrap();
                let both = alone(wanted).heeded_by(former);
                let named = |family: Family| family.traits().headers.objective[0];
                assert_eq!(both.set[0], named(wanted));
                assert!(both.set.contains(&named(former)), "{wanted:?} and {former:?}: {:?}", both.set);
                let treated: Vec<&str> = both.set.iter().chain(&both.remove).copied().collect();
                let each: BTreeSet<&str> = treated.iter().copied().collect();
                assert_eq!(each.len(), treated.len(), "a header is overwritten or taken out: {treated:?}");
                let alone = [alone(wanted), alone(former)].map(|plan| [plan.set, plan.remove].concat());
                assert_eq!(each, alone.concat().into_iter().collect(), "{wanted:?} and {former:?}");
            }
        }
    }
}
