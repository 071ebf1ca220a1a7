//! Adapters that are served beside the model.

use super::llm_inference as xr;
use super::problem::{Path, Problems, Source, Step};
use super::settings::{Adapter, Lora, Runtime};

/// The engine's own default (vllm-project/vllm v0.13, `vllm/config/lora.py`).
const DEFAULT_MAX_RANK: u32 = 16;

/// The engine's flag that turns adapters on.
pub(crate) const ENABLE: &str = "--enable-lora";
/// Its flag for how many of them share a batch.
pub(crate) const MAX_ADAPTERS: &str = "--max-loras";
/// Its flag for the largest rank.
pub(crate) const MAX_RANK: &str = "--max-lora-rank";
/// Its flag for their names and paths.
pub(crate) const MODULES: &str = "--lora-modules";

/// Flags that `lora` sets where it is there.
const FLAGS: [&str; 4] = [ENABLE, MAX_ADAPTERS, MAX_RANK, MODULES];

/// Whoever says arguments for the engine must not say these.
pub(super) fn check_arguments(runtime: &Runtime, problems: &mut Problems, input: &mut Problems) {
    let (base, problems) = match runtime.args_source {
        Source::Composite => ("runtime.args", problems),
        Source::Input => ("defaults.runtime.args", input),
    };
    for (index, flag) in runtime.arguments_that_set(|flag| FLAGS.contains(&flag)) {
        let mut path = Path::dotted(base);
        path.0.push(Step::Index(index));
        problems.add(&path, flag, "must not be there for a model with lora, which sets it");
    }
}

/// What is in effect, and whether it fits what else is asked for.
pub(super) fn settle(lora: xr::Lora, names: [&Option<String>; 2], problems: &mut Problems) -> Lora {
    let xr::Lora { adapters, max_adapters, max_rank } = lora;
    let adapters = adapters.map(|adapters| adapters.0).unwrap_or_default();
    for (index, xr::Adapter { name, path: _ }) in adapters.iter().enumerate() {
        // The engine would take the base model for it.
        if let Some(name) = name.as_ref().filter(|name| names.into_iter().flatten().any(|it| *it == name.0)) {
            let mut path = Path::dotted("lora.adapters");
            path.0.extend([Step::Index(index), Step::Field("name".to_owned())]);
            problems.add(&path, format!("{:?}", name.0), "must not be the name of the model itself");
        }
    }
    let adapters: Vec<Adapter> = adapters
        .into_iter()
        .filter_map(|xr::Adapter { name, path }| Some(Adapter { name: name?.0, path: path?.0 }))
        .collect();
    let number = |it: i64| u32::try_from(it).ok();
    let all = u32::try_from(adapters.len().max(1)).unwrap_or(u32::MAX);
    Lora {
        adapters,
        max_adapters: max_adapters.and_then(|it| number(it.0)).unwrap_or(all),
        max_rank: max_rank.and_then(|it| number(it.0)).unwrap_or(DEFAULT_MAX_RANK),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::api::settings::{Adapter, Lora};
    use crate::api::tests::{composite, input, problems, settings};

    #[test]
    fn room_follows_from_the_adapters() {
        let adapter = |name: &str| json!({"name": name, "path": "acme/a"});
        let cases = [
            (
                json!({"adapters": [adapter("a"), adapter("b")]}),
                (2, 2, 16),
                "one for each, of the usual rank",
            ),
            (
                json!({"adapters": [adapter("a")], "maxAdapters": 4, "maxRank": 64}),
                (1, 4, 64),
                "as asked for",
            ),
            (json!({}), (0, 1, 16), "adapters may come at runtime"),
        ];
        for (lora, want, reason) in cases {
            let Lora { adapters, max_adapters, max_rank } =
                settings(composite(json!({"lora": lora})), None).model.lora.unwrap();
            assert_eq!((adapters.len(), max_adapters, max_rank), want, "{reason}");
            assert!(adapters.iter().all(|Adapter { path, .. }| path == "acme/a"), "{reason}");
        }
        assert_eq!(settings(composite(json!({})), None).model.lora, None, "not asked for");
    }

    #[test]
    fn what_would_be_said_twice_is_refused() {
        let adapters = |name: &str| json!({"adapters": [{"name": name, "path": "acme/a"}]});
        let cases = [
            (
                json!({"servedModelName": "base", "lora": adapters("base")}),
                "spec.lora.adapters[0].name is \"base\": must not be the name of the model itself",
            ),
            (
                json!({"lora": adapters("a"), "runtime": {"args": ["--max_loras=3"]}}),
                "spec.runtime.args[0] is --max-loras: must not be there for a model with lora, which sets it",
            ),
        ];
        for (fields, want) in cases {
            assert_eq!(problems(composite(fields), None), [want]);
        }
        let platform =
            || Some(input(json!({"defaults": {"runtime": {"args": ["--seed=1", "--enable-lora"]}}})));
        assert_eq!(
            problems(composite(json!({"lora": adapters("a")})), platform()),
            [
                "Input spec.defaults.runtime.args[1] is --enable-lora: must not be there for a model with lora, which sets it"
            ],
            "the platform's arguments are the platform's to correct"
        );
        let own = json!({"lora": adapters("a"), "runtime": {"args": []}});
        assert_eq!(problems(composite(own), platform()), [""; 0], "they are not in effect");
        let alone = json!({"runtime": {"args": ["--enable-lora"]}});
        assert_eq!(
            problems(composite(alone), None),
            Vec::<String>::new(),
            "without lora a flag stands alone"
        );
    }
}
