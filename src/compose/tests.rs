//! What is composed is what the plan says.

use crate::api::fixtures::llm;
use crate::observe::Observed;
use crate::plan::keys::Key;
use crate::plan::plan;

use crate::api::settings::PickerFamily as Family;
use crate::kinds::Manifest;

use super::compose;

#[test]
fn what_is_composed_is_what_the_plan_has() {
    let mut bare = llm();
    bare.monitoring = None;
    bare.disruption_budget = false;
    let hosted = || llm().hosted("llama.example.com");
    let mut replicated = hosted();
    replicated.routing.as_mut().unwrap().picker.replicas = 2;
    let scaled = [llm().scaled(1, 3), hosted().scaled(1, 3), hosted().scaled(0, 3)];
    for settings in [bare, llm(), hosted(), replicated].into_iter().chain(scaled) {
        let plan = plan(&settings, &Observed::default()).unwrap();
        let composed: Vec<Key> = compose(&plan).unwrap().into_iter().map(|composed| composed.key).collect();
        let planned: Vec<Key> = Key::ALL.into_iter().filter(|key| plan.has(*key)).collect();
        assert_eq!(composed, planned);
    }
}

/// Group, resources, verbs and names of every rule of a role.
fn rights(family: Family, wanted: Key) -> Vec<String> {
    let mut settings = llm().hosted("llama.example.com");
    let picker = &mut settings.routing.as_mut().unwrap().picker;
    (picker.family, picker.replicas) = (Some(family), 2);
    let stack = compose(&plan(&settings, &Observed::default()).unwrap()).unwrap();
    let found = stack.into_iter().find(|composed| composed.key == wanted).map(|composed| composed.manifest);
    let Some(Manifest::Role(role)) = found else { panic!("{wanted:?} is no Role") };
    let text = |list: Option<Vec<String>>| list.unwrap_or_default().join(",");
    let as_text = |rule: k8s_openapi::api::rbac::v1::PolicyRule| {
        let names = text(rule.resource_names);
        let rights =
            format!("{} {} {} {names}", text(rule.api_groups), text(rule.resources), rule.verbs.join(","));
        rights.trim_end().to_owned()
    };
    role.rules.unwrap().into_iter().map(as_text).collect()
}

#[test]
fn a_picker_may_do_what_its_release_does_and_no_more() {
    let (pool, experimental) = ("inference.networking.k8s.io", "inference.networking.x-k8s.io");
    let (read, kinds) = ("get,list,watch", "inferenceobjectives,inferencemodelrewrites");
    for family in Family::ALL {
        let (groups, lease, reason) = match family {
            Family::Gie1_3 | Family::Gie1_4 | Family::Gie1_5 => (
                experimental.to_owned(),
                "epp-team-a-llama.gateway-api-inference-extension.sigs.k8s.io",
                "GIE, pkg/epp/server/controller_manager.go",
            ),
            Family::LlmD0_9 | Family::LlmD0_10 => (
                format!("llm-d.ai,{experimental}"),
                "epp-team-a-llama.llm-d.ai",
                "LDR watches the old group where the cluster knows no other, and cannot start if it may not",
            ),
        };
        let want = [
            (Key::EppRolePodReader, vec![format!(" pods {read}")]),
            (
                Key::EppRolePoolReader,
                vec![format!("{pool} inferencepools {read}"), format!("{groups} {kinds} {read}")],
            ),
            (
                Key::EppRoleLeaderElection,
                vec![
                    "coordination.k8s.io leases create".to_owned(),
                    format!("coordination.k8s.io leases get,update {lease}"),
                    " events create,patch".to_owned(),
                ],
            ),
        ];
        for (key, want) in want {
            assert_eq!(rights(family, key), want, "{family:?}: {reason}");
        }
    }
}
