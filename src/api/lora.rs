//! Adapters that are served beside the model.

use super::llm_inference as xr;
use super::problem::{Path, Problems, Step};
use super::settings::{Adapter, Lora};

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

/// What is in effect, and whether it fits what else is asked for.
pub(super) fn settle(
    lora: xr::Lora,
    names: [&Option<String>; 2],
    arguments: &[String],
    problems: &mut Problems,
) -> Lora {
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
    for argument in arguments {
        let flag = argument.split('=').next().unwrap_or(argument).replace('_', "-");
        if FLAGS.contains(&flag.as_str()) {
            let want = "must not have this flag where lora is there, which sets it";
            problems.add(&Path::dotted("runtime.args"), format!("{flag:?}"), want);
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
    use crate::api::tests::{composite, problems, settings};

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
                "spec.runtime.args is \"--max-loras\": must not have this flag where lora is there, which sets it",
            ),
        ];
        for (fields, want) in cases {
            assert_eq!(problems(composite(fields), None), [want]);
        }
        let alone = json!({"runtime": {"args": ["--enable-lora"]}});
        assert_eq!(
            problems(composite(alone), None),
            Vec::<String>::new(),
            "without lora a flag stands alone"
        );
    }
}
