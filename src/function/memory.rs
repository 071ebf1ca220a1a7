//! What was decided for a model last: one at rest is asked about again and again, and nothing has changed.
//!
//! An answer is used again only where everything that it depends on is what it was. Which bytes that came in does not
//! matter: Go writes a map in another order at every call, and what a cluster adds to its objects is mostly of no
//! interest.

use std::fmt;
use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::FunctionError;
use super::model_stack::{Answer, Question};
use crate::api::settings::Composite;

/// What is kept beside the composed resources: the question, and what else is said. A full stack takes 48 KiB in all, of
/// which its resources are 20 (resident memory of a process that remembers 400 of them).
const BESIDE_RESOURCES: usize = 28 * 1024;

/// About how many stacks there are to be in a memory. The library keeps them in parts of at least 32, each with its share of
/// the room, and one that is larger than such a share is not kept.
const STACKS: usize = 256;

/// The last answers, by the composite that they were for. By default there is no memory.
#[derive(Default)]
pub struct Memory(Option<Cache<Composite, Arc<Remembered>, BySize>>);

struct Remembered {
    question: Question,
    answer: Answer,
}

impl Memory {
    /// A memory that takes about so many bytes. What is asked for least goes first.
    pub fn of(bytes: usize) -> Self {
        Self(Some(Cache::with_weighter(STACKS, bytes as u64, BySize)))
    }

    /// The answer to a question, and whether it was known.
    pub(super) fn answer<T>(
        &self,
        question: Question,
        decide: impl FnOnce(&Question) -> Result<Answer, FunctionError>,
        take: impl FnOnce(&Question, &Answer) -> Result<T, FunctionError>,
    ) -> Result<(T, bool), FunctionError> {
        let composite = &question.settings.composite;
        let known = self.0.as_ref().and_then(|cache| cache.get(composite));
        if let Some(known) = known.filter(|known| known.question == question) {
            return Ok((take(&known.question, &known.answer)?, true));
        }
        let answer = decide(&question)?;
        let taken = take(&question, &answer)?;
        if let Some(cache) = &self.0 {
            let composite = composite.clone();
            cache.insert(composite, Arc::new(Remembered { question, answer }));
        }
        Ok((taken, false))
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Memory").field(&self.0.as_ref().map(Cache::len)).finish()
    }
}

#[derive(Clone)]
struct BySize;

impl Weighter<Composite, Arc<Remembered>> for BySize {
    fn weight(&self, _: &Composite, remembered: &Arc<Remembered>) -> u64 {
        (remembered.answer.resources.len() + BESIDE_RESOURCES) as u64
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use serde_json::{Value, json};

    use super::Memory;
    use crate::function::{run, run_again};
    use crate::protocol::official::RunFunctionResponse;
    use crate::protocol::{caller, to_struct, view};

    fn model(name: &str) -> Value {
        json!({
            "apiVersion": "inference.devopstoolkit.ai/v1alpha1",
            "kind": "LLMInference",
            "metadata": {"name": name, "namespace": "team-a"},
            "spec": {"model": "meta-llama/Llama-3.3-70B-Instruct", "providerConfigName": "gpu-cluster"},
        })
    }

    fn about(composite: &Value) -> view::RunFunctionRequest {
        let resource = vec![to_struct(composite).unwrap().into()];
        view::RunFunctionRequest {
            meta: Some(view::RequestMeta { tag: "a tag".to_owned(), capabilities: vec![] }),
            observed: Some(view::ObservedState {
                composite: Some(view::ObservedResource { resource }),
                resources: vec![],
            }),
            ..view::RunFunctionRequest::default()
        }
    }

    /// Whether the answer was known; it has to be the right one.
    fn knows(memory: &Memory, request: &view::RunFunctionRequest) -> bool {
        let (response, is_known) = run_again(request, memory);
        assert_eq!(response.encode_to_vec(), run(request).encode_to_vec());
        is_known
    }

    #[test]
    fn an_answer_is_known_until_something_of_interest_changes() {
        let memory = Memory::of(1 << 20);
        let composite = model("llama");
        assert!(!knows(&memory, &about(&composite)), "nobody has asked");
        assert!(knows(&memory, &about(&composite)), "nothing has changed");

        let mut relabelled = composite.clone();
        relabelled["metadata"]["labels"] = json!({"team": "a"});
        relabelled["metadata"]["managedFields"] = json!([{"manager": "kubectl"}]);
        assert!(knows(&memory, &about(&relabelled)), "nothing that anybody reads has changed");

        let mut moved = composite.clone();
        moved["spec"]["providerConfigName"] = json!("another-cluster");
        assert!(!knows(&memory, &about(&moved)), "the spec has changed");
        assert!(!knows(&memory, &about(&composite)), "and has changed back: only the last answer is kept");

        let mut synced = composite.clone();
        synced["status"] =
            json!({"conditions": [{"type": "WorkloadReady", "status": "True", "reason": "Ready"}]});
        assert!(!knows(&memory, &about(&synced)), "what the composite said last has changed");
        assert!(knows(&memory, &about(&synced)));
    }

    #[test]
    fn the_order_in_which_a_map_arrives_does_not_matter() {
        let memory = Memory::of(1 << 20);
        let composite = model("llama");
        assert!(!knows(&memory, &about(&composite)));
        // Encodings that follow each other merge.
        let fields = caller::to_struct(composite.as_object().unwrap()).fields.into_iter().rev();
        let entries = fields.map(|entry| caller::Struct { fields: [entry].into() }.encode_to_vec());
        let mut request = about(&composite);
        let observed = request.observed.as_mut().unwrap().composite.as_mut().unwrap();
        observed.resource = vec![entries.collect::<Vec<_>>().concat().into()];
        assert!(knows(&memory, &request));
    }

    #[test]
    fn what_a_call_brings_beside_its_question_is_answered_anew() {
        let memory = Memory::of(1 << 20);
        let mut request = about(&model("llama"));
        assert!(!knows(&memory, &request));
        request.meta = Some(view::RequestMeta { tag: "another tag".to_owned(), capabilities: vec![] });
        let theirs = json!({"status": {"theirs": "stays"}});
        let composite = view::ObservedResource { resource: vec![to_struct(&theirs).unwrap().into()] };
        let state = view::ObservedState { composite: Some(composite), resources: vec![] };
        request.desired = vec![state.encode_to_vec().into()];
        assert!(knows(&memory, &request));
        let (response, _) = run_again(&request, &memory);
        let response = RunFunctionResponse::decode(response.encode_to_vec().as_slice()).unwrap();
        assert_eq!(response.meta.unwrap().tag, "another tag");
        let composite = response.desired.unwrap().composite.unwrap().resource.unwrap();
        let status = &caller::from_struct(composite)["status"];
        assert_eq!(status["theirs"], "stays", "what another step says of the composite");
        assert_eq!(status["modelName"], "meta-llama/Llama-3.3-70B-Instruct", "beside what we say of it");
    }

    #[test]
    fn nothing_is_remembered_that_would_keep_the_request() {
        let memory = Memory::of(1 << 20);
        let mut composite = model("llama");
        composite["spec"] =
            json!({"model": "meta-llama/Llama-3.3-70B-Instruct", "host": "llama.example.com"});
        let asked = |discovery| {
            let input = to_struct(&json!({
                "apiVersion": "inference.fn.crossplane.io/v1beta1",
                "kind": "ModelStack",
                "spec": {"target": "Direct", "gateway": {"discovery": discovery}},
            }));
            let request =
                view::RunFunctionRequest { input: vec![input.unwrap().into()], ..about(&composite) };
            assert!(run(&request).results.is_empty(), "{:?}", run(&request).results);
            [(); 2].map(|()| knows(&memory, &request))
        };
        assert_eq!(asked(true), [false, false], "Gateways come with the request");
        assert_eq!(asked(false), [false, true]);
    }

    #[test]
    fn errors_are_not_remembered() {
        let memory = Memory::of(1 << 20);
        let mut composite = model("llama");
        composite["spec"]["gpu"] = json!("many");
        for _ in 0..2 {
            assert!(!knows(&memory, &about(&composite)));
        }
    }

    #[test]
    fn thousands_of_models_take_no_more_than_they_may() {
        const ROOM: usize = 1 << 20;
        let memory = Memory::of(ROOM);
        let ask = |number: usize| run_again(&about(&model(&format!("model-{number}"))), &memory).1;
        let known = |_| (0..2_000).filter(|number| ask(*number)).count();
        let rounds: Vec<usize> = (0..3).map(known).collect();
        let cache = memory.0.as_ref().unwrap();
        assert!(cache.weight() <= ROOM as u64, "{}", cache.weight());
        assert!(cache.len() > 10, "{}", cache.len());
        assert_eq!(rounds[0], 0, "each is asked for the first time");
        assert!(
            rounds[2] > 0,
            "a part stays, where the least recently used would be gone each time: {rounds:?}"
        );
    }
}
