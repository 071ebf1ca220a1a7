//! What Gateways say about a route or a pool.

use crate::api::settings::GatewayRef;
use crate::protocol::{Fault, Item};

use super::live::Own;
use super::{ConditionFacts, Facts, Live, Parent};

/// Of a route or a pool.
pub(super) fn of_a_route(_: &Item<'_, '_>, status: &Item<'_, '_>) -> Result<Own, Fault> {
    let [parents] = status.fields(["parents"])?;
    Ok(Facts::Parents(parents.each(|entry| parent(entry, "parentRef"))?).into())
}

/// Of a policy, as Gateway API has it for all of them (`PolicyStatus`).
pub(super) fn of_a_policy(_: &Item<'_, '_>, status: &Item<'_, '_>) -> Result<Own, Fault> {
    let [ancestors] = status.fields(["ancestors"])?;
    Ok(Facts::Parents(ancestors.each(|entry| parent(entry, "ancestorRef"))?).into())
}

fn parent(entry: &Item<'_, '_>, reference: &'static str) -> Result<Parent, Fault> {
    let [reference, conditions] = entry.fields([reference, "conditions"])?;
    let [kind, name, namespace] = reference.fields(["kind", "name", "namespace"])?;
    Ok(Parent {
        kind: kind.owned()?,
        name: name.owned()?.unwrap_or_default(),
        namespace: namespace.owned()?,
        conditions: conditions.each(ConditionFacts::of)?,
    })
}

/// What has to hold of a route or pool, and of a policy, which refers to nothing that would have to be found.
const OF_ROUTES: &[&str] = &["Accepted", "ResolvedRefs"];
const OF_POLICIES: &[&str] = &["Accepted"];

/// A Gateway's word on a route or a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acceptance {
    /// Nothing yet, or nothing about the current generation. A Gateway speaks of a pool only once a route refers to it.
    Waiting,
    /// Accepted, all references resolved.
    Accepted,
    /// It said no: the condition, the machine word and the text for people.
    Refused(ConditionFacts),
}

impl Live {
    /// What that Gateway says about this route or pool.
    pub fn acceptance(&self, gateway: &GatewayRef) -> Acceptance {
        self.word(gateway, OF_ROUTES)
    }

    /// Whether that Gateway has accepted this route, in whichever generation.
    pub fn was_accepted(&self, gateway: &GatewayRef) -> bool {
        let Facts::Parents(parents) = &self.facts else { return false };
        let accepted =
            |condition: &ConditionFacts| condition.kind == "Accepted" && condition.status == "True";
        parents.iter().any(|parent| parent.is(gateway) && parent.conditions.iter().any(accepted))
    }

    /// What is said of this policy for that Gateway.
    pub fn policy_acceptance(&self, gateway: &GatewayRef) -> Acceptance {
        self.word(gateway, OF_POLICIES)
    }

    fn word(&self, gateway: &GatewayRef, kinds: &[&str]) -> Acceptance {
        let Facts::Parents(parents) = &self.facts else { return Acceptance::Waiting };
        // A Gateway that changed its class may leave the entry of the former controller behind, so one yes is enough.
        let words = parents
            .iter()
            .filter(|parent| parent.is(gateway))
            .map(|parent| parent.acceptance(self.generation, kinds));
        words.fold(Acceptance::Waiting, |so_far, word| match (&so_far, &word) {
            (Acceptance::Accepted, _) | (Acceptance::Refused(_), Acceptance::Waiting) => so_far,
            _ => word,
        })
    }

    /// The complaint of a controller about a pool that no Gateway refers to, if any.
    ///
    /// agentgateway keeps a placeholder parent for such a pool (kind `Status`, name `default`). It is no Gateway: it
    /// can say what is wrong, and never that all is well.
    pub fn placeholder_complaint(&self) -> Option<&ConditionFacts> {
        let Facts::Parents(parents) = &self.facts else { return None };
        parents
            .iter()
            .filter(|parent| parent.kind.as_deref() == Some("Status") && parent.name == "default")
            .flat_map(|parent| &parent.conditions)
            .find(|condition| condition.status == "False" && condition.is_current(self.generation))
    }
}

impl Parent {
    /// Whether this entry speaks for that Gateway.
    ///
    /// A kind left out means Gateway (Gateway API, `ParentReference`). A namespace left out is not held against an
    /// entry: our route names no other Gateway, and controllers write pools' parents with and without one.
    fn is(&self, gateway: &GatewayRef) -> bool {
        self.kind.as_deref().is_none_or(|kind| kind == "Gateway")
            && self.name == gateway.name
            && self.namespace.as_deref().is_none_or(|namespace| namespace == gateway.namespace)
    }

    fn acceptance(&self, generation: Option<i64>, kinds: &[&str]) -> Acceptance {
        let current = |kind: &&str| {
            self.conditions
                .iter()
                .find(|condition| condition.kind == *kind && condition.is_current(generation))
        };
        let words: Vec<_> = kinds.iter().map(current).collect();
        if let Some(refused) = words.iter().copied().flatten().find(|condition| condition.status == "False") {
            return Acceptance::Refused(refused.clone());
        }
        if words.into_iter().all(|condition| condition.is_some_and(|condition| condition.status == "True")) {
            Acceptance::Accepted
        } else {
            Acceptance::Waiting
        }
    }
}

impl ConditionFacts {
    /// Whether it speaks of that generation. Some controllers leave theirs out; those are believed.
    pub fn is_current(&self, generation: Option<i64>) -> bool {
        match (self.observed_generation, generation) {
            (Some(observed), Some(generation)) => observed >= generation,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Acceptance;
    use crate::api::settings::GatewayRef;
    use crate::observe::{ConditionFacts, Facts, Live, Parent};

    fn eg() -> GatewayRef {
        GatewayRef { name: "eg".to_owned(), namespace: "envoy-gateway-system".to_owned(), section_name: None }
    }

    fn parent(
        kind: Option<&str>,
        name: &str,
        namespace: Option<&str>,
        conditions: &[(&str, &str, i64)],
    ) -> Parent {
        Parent {
            kind: kind.map(str::to_owned),
            name: name.to_owned(),
            namespace: namespace.map(str::to_owned),
            conditions: conditions
                .iter()
                .map(|(kind, status, generation)| ConditionFacts {
                    kind: (*kind).to_owned(),
                    status: (*status).to_owned(),
                    observed_generation: Some(*generation),
                    ..ConditionFacts::default()
                })
                .collect(),
        }
    }

    #[test]
    fn one_gateway_is_asked_and_only_about_the_current_generation() {
        struct Case {
            reason: &'static str,
            parents: Vec<Parent>,
            want: &'static str,
        }
        let ours = |conditions: &[(&str, &str, i64)]| {
            parent(Some("Gateway"), "eg", Some("envoy-gateway-system"), conditions)
        };
        let yes: &[(&str, &str, i64)] = &[("Accepted", "True", 2), ("ResolvedRefs", "True", 2)];
        let no: &[(&str, &str, i64)] = &[("Accepted", "False", 2)];
        let cases = [
            Case { reason: "no parents: nobody has looked yet", parents: vec![], want: "waiting" },
            Case { reason: "accepted and resolved", parents: vec![ours(yes)], want: "accepted" },
            Case {
                reason: "a kind left out is a Gateway",
                parents: vec![parent(None, "eg", Some("envoy-gateway-system"), yes)],
                want: "accepted",
            },
            Case {
                reason: "accepted, but of the former generation",
                parents: vec![ours(&[("Accepted", "True", 1), ("ResolvedRefs", "True", 2)])],
                want: "waiting",
            },
            Case {
                reason: "accepted, but nothing said of references",
                parents: vec![ours(&[("Accepted", "True", 2)])],
                want: "waiting",
            },
            Case {
                reason: "accepted with a reference that leads nowhere",
                parents: vec![ours(&[("Accepted", "True", 2), ("ResolvedRefs", "False", 2)])],
                want: "refused",
            },
            Case {
                reason: "a refusal of the former generation no longer counts",
                parents: vec![ours(&[("Accepted", "False", 1)])],
                want: "waiting",
            },
            Case {
                reason: "Unknown is not yet",
                parents: vec![ours(&[("Accepted", "Unknown", 2), ("ResolvedRefs", "True", 2)])],
                want: "waiting",
            },
            Case {
                reason: "another Gateway's word is not ours",
                parents: vec![parent(Some("Gateway"), "other", Some("envoy-gateway-system"), yes)],
                want: "waiting",
            },
            Case {
                reason: "a Gateway of that name elsewhere is another one",
                parents: vec![parent(Some("Gateway"), "eg", Some("team"), yes)],
                want: "waiting",
            },
            Case {
                reason: "the placeholder is no Gateway",
                parents: vec![parent(Some("Status"), "default", None, yes)],
                want: "waiting",
            },
            Case {
                reason: "a former controller's no beside the present one's yes",
                parents: vec![ours(no), ours(yes)],
                want: "accepted",
            },
            Case {
                reason: "the order does not matter",
                parents: vec![ours(yes), ours(no)],
                want: "accepted",
            },
            Case { reason: "refused", parents: vec![ours(&[]), ours(no), ours(&[])], want: "refused" },
        ];
        for Case { reason, parents, want } in cases {
            let live = Live { generation: Some(2), facts: Facts::Parents(parents), ..Live::default() };
            let got = match live.acceptance(&eg()) {
                Acceptance::Waiting => "waiting",
                Acceptance::Accepted => "accepted",
                Acceptance::Refused(_) => "refused",
            };
            assert_eq!(got, want, "{reason}");
        }
    }

    #[test]
    fn the_placeholder_says_what_is_wrong_with_a_pool() {
        let complaint = |status| {
            let parents = vec![parent(Some("Status"), "default", None, &[("ResolvedRefs", status, 1)])];
            let live = Live { generation: Some(1), facts: Facts::Parents(parents), ..Live::default() };
            live.placeholder_complaint().cloned()
        };
        assert_eq!(complaint("False").map(|condition| condition.kind), Some("ResolvedRefs".to_owned()));
        assert_eq!(complaint("True"), None);
    }
}
