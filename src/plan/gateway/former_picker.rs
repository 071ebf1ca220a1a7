//! How a live model passes from a picker to one that reads another objective: both objectives are there until no replica
//! of the former picker is left.
//!
//! The other group is another object to the target cluster, so it has a key of its own: under one key the former object
//! would be left behind, since neither provider-kubernetes nor Crossplane deletes what a key used to stand for.
//! Meanwhile requests name the objective to both pickers, and whoever is bound to the picker's role may read both.

use crate::observe::{Facts, Observed};
use crate::plan::endpoint_picker::{Family, OwnPicker, PickerPlan};
use crate::plan::keys::Key;

use super::RoutingPlan;

impl RoutingPlan {
    /// The same, with what the picker needs that serves the live model until the wanted one does.
    pub(in crate::plan) fn until_it_takes_over(self, observed: &Observed) -> Self {
        let Some(former) = former(&self.picker, observed) else { return self };
        let priority = self.priority.map(|priority| priority.heeded_by(former));
        Self { priority, former_picker: Some(former), ..self }
    }
}

/// Releases that read one objective differ in nothing that is asked of the former one.
fn former(picker: &PickerPlan, observed: &Observed) -> Option<Family> {
    let wanted = picker.family().traits().objective;
    let former = Family::ALL.into_iter().find(|family| {
        let objective = family.traits().objective;
        objective != wanted && observed.objects.contains_key(&objective)
    })?;
    // What becomes of a picker that is somebody else's nobody here knows.
    let is_alone = picker.own().is_none_or(|own| is_alone(own, observed));
    let has_taken_over = is_alone && observed.live(wanted).is_some();
    (!has_taken_over).then_some(former)
}

/// Whether the wanted picker answers, and no other does any more. Of one release there is one image.
fn is_alone(picker: &OwnPicker, observed: &Observed) -> bool {
    let Some(live) = observed.live(Key::EppDeployment) else { return false };
    let Facts::Deployment(facts) = &live.facts else { return false };
    facts.image.as_ref() == Some(&picker.image)
        && facts.are_of(live.generation)
        && facts.available_replicas.is_some_and(|count| count > 0)
        && facts.updated_replicas == facts.replicas
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::api::fixtures::llm;
    use crate::api::settings::Settings;
    use crate::compose::compose;
    use crate::kinds::inference::{EXPERIMENTAL_GROUP, LLM_D_GROUP};
    use crate::observe::fixtures::{Cluster, cluster};
    use crate::plan::gateway::Implementation;
    use crate::plan::keys::Key;
    use crate::plan::plan;

    const GIE: (&str, Key) = ("v1.3.1", Key::InferenceObjective);
    const LLM_D: (&str, Key) = ("v0.10.0", Key::InferenceObjectiveLlmD);

    /// Behind a Gateway whose routes name the objective.
    fn of(version: &str) -> Settings {
        let mut settings = llm().hosted("llama.example.com").on(Implementation::Agentgateway);
        settings.routing.as_mut().unwrap().picker.version = Some(version.to_owned());
        settings
    }

    /// What is composed by key.
    fn composed(settings: &Settings, cluster: &Cluster) -> Vec<(Key, Value)> {
        let plan = plan(settings, &cluster.observed()).unwrap();
        let composed = compose(&plan).unwrap();
        composed.into_iter().map(|it| (it.key, serde_json::to_value(&it.manifest).unwrap())).collect()
    }

    fn find(composed: &[(Key, Value)], key: Key) -> &Value {
        composed.iter().find_map(|(found, object)| (*found == key).then_some(object)).unwrap_or(&Value::Null)
    }

    /// The picker's Deployment of a release, with so many replicas, updated ones and available ones.
    fn deployment(version: &str, [replicas, updated, available]: [u32; 3]) -> Value {
        let mut deployment = find(&composed(&of(version), &cluster()), Key::EppDeployment).clone();
        deployment["metadata"]["generation"] = json!(2);
        deployment["status"] = json!({
            "observedGeneration": 2,
            "replicas": replicas, "updatedReplicas": updated, "availableReplicas": available,
        });
        deployment
    }

    #[test]
    fn the_former_objective_stays_until_no_former_picker_is_left() {
        for (former, wanted) in [(GIE, LLM_D), (LLM_D, GIE)] {
            let served = || cluster().holding(former.1, json!({}));
            let both = || served().holding(wanted.1, json!({}));
            let is = |counts| deployment(wanted.0, counts);
            let mut unseen = is([1, 1, 1]);
            unseen["metadata"]["generation"] = json!(3);
            let was = deployment(former.0, [1, 1, 1]);
            let cases = [
                (cluster(), false, "a new model"),
                (cluster().holding(Key::EppDeployment, is([1, 1, 1])), false, "it never had another"),
                (served().holding(Key::EppDeployment, was.clone()), true, "the other release is wanted"),
                (
                    both().holding(Key::EppDeployment, was),
                    true,
                    "the provider has not come to the Deployment",
                ),
                (both(), true, "nor has anybody seen it"),
                (both().holding(Key::EppDeployment, unseen), true, "the controller has not come to it"),
                (both().holding(Key::EppDeployment, is([2, 1, 1])), true, "the former replica still answers"),
                (both().holding(Key::EppDeployment, is([1, 1, 0])), true, "nobody answers yet"),
                (served().holding(Key::EppDeployment, is([1, 1, 1])), true, "it has no objective yet"),
                (both().holding(Key::EppDeployment, is([1, 1, 1])), false, "it has taken over"),
                (both().holding(Key::EppDeployment, is([3, 3, 1])), false, "of several one leads"),
            ];
            for (seen, want, reason) in cases {
                let direct = (of(wanted.0).direct(), seen.clone().directly());
                for (settings, seen) in [(of(wanted.0), seen), direct] {
                    let reason = format!("{:?}, to {}: {reason}", settings.transport, wanted.0);
                    let composed = composed(&settings, &seen);
                    assert!(!find(&composed, wanted.1).is_null(), "{reason}");
                    assert_eq!(!find(&composed, former.1).is_null(), want, "{reason}");
                }
            }
            let unknown =
                both().holding(Key::EppDeployment, is([1, 1, 1])).broken(wanted.1, "no matches for kind");
            let composed = composed(&of(wanted.0), &unknown);
            assert!(!find(&composed, former.1).is_null(), "it cannot have one yet");
        }
    }

    #[test]
    fn both_pickers_are_served_meanwhile() {
        for (former, wanted) in [(GIE, LLM_D), (LLM_D, GIE)] {
            let alone = composed(&of(wanted.0), &cluster());
            let both = composed(&of(wanted.0), &cluster().holding(former.1, json!({})));
            let was = composed(&of(former.0), &cluster());
            let objective = |composed: &[(Key, Value)], key| {
                let mut objective = find(composed, key).clone();
                objective["metadata"] = Value::Null;
                objective
            };
            assert_eq!(objective(&both, former.1), objective(&was, former.1), "the former one is as it was");
            assert_eq!(objective(&both, wanted.1), objective(&alone, wanted.1));

            let groups = find(&both, Key::EppRolePoolReader)["rules"][1]["apiGroups"].as_array().unwrap();
            for group in [EXPERIMENTAL_GROUP, LLM_D_GROUP] {
                assert!(groups.iter().any(|it| it == group), "{groups:?}");
            }

            let set = |composed: &[(Key, Value)]| {
                let filter = &find(composed, Key::HttpRoute)["spec"]["rules"][0]["filters"][0];
                filter["requestHeaderModifier"]["set"].as_array().unwrap().clone()
            };
            assert_eq!(set(&both), [set(&alone), set(&was)].concat(), "requests name the objective to both");
        }
    }
}
