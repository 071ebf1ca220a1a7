//! What is composed is what the plan says.

use crate::api::fixtures::llm;
use crate::observe::Observed;
use crate::plan::keys::Key;
use crate::plan::plan;

use super::compose;

#[test]
fn what_is_composed_is_what_the_plan_has() {
    let mut bare = llm();
    bare.monitoring = None;
    bare.disruption_budget = false;
    let hosted = || llm().hosted("llama.example.com");
    for settings in [bare, llm(), llm().scaled(1, 3), hosted(), hosted().scaled(1, 3), hosted().scaled(0, 3)]
    {
        let plan = plan(&settings, &Observed::default()).unwrap();
        let composed: Vec<Key> = compose(&plan).unwrap().into_iter().map(|composed| composed.key).collect();
        let planned: Vec<Key> = Key::ALL.into_iter().filter(|key| plan.has(*key)).collect();
        assert_eq!(composed, planned);
    }
}
