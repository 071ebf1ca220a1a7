//! What the engine is told about adapters.

use serde::Serialize;

use crate::api::lora::{ENABLE, MAX_ADAPTERS, MAX_RANK, MODULES};
use crate::api::settings::{Lora, Model};

/// Ranks that the engine makes room for (vllm-project/vllm v0.13 and v0.27.1, `vllm/config/lora.py`).
const RANKS: [u32; 8] = [8, 16, 32, 64, 128, 256, 320, 512];

/// An entry of `--lora-modules` (vllm-project/vllm v0.13, `vllm/entrypoints/openai/models/protocol.py`).
#[derive(Serialize)]
struct Module<'a> {
    name: &'a str,
    path: &'a str,
    base_model_name: &'a str,
}

/// Arguments for the end of the engine's command line: what follows `--lora-modules` belongs to it, up to the next flag.
/// It is there once, since a second one would replace the first.
pub fn arguments(model: &Model) -> Vec<String> {
    let Some(Lora { adapters, max_adapters, max_rank }) = &model.lora else { return Vec::new() };
    let rank = RANKS.into_iter().find(|rank| rank >= max_rank).unwrap_or(*max_rank);
    let mut arguments =
        vec![ENABLE.to_owned(), format!("{MAX_ADAPTERS}={max_adapters}"), format!("{MAX_RANK}={rank}")];
    let modules = adapters.iter().filter_map(|adapter| {
        let module = Module { name: &adapter.name, path: &adapter.path, base_model_name: &model.served_name };
        // Three texts can always be written down.
        serde_json::to_string(&module).ok()
    });
    let mut modules = modules.peekable();
    if modules.peek().is_some() {
        arguments.push(MODULES.to_owned());
        arguments.extend(modules);
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::arguments;
    use crate::api::fixtures::llm;
    use crate::api::settings::{Adapter, Lora};

    #[test]
    fn the_engine_is_told_what_is_served_beside_the_model() {
        struct Case {
            adapters: Vec<Adapter>,
            max_rank: u32,
            want: &'static [&'static str],
            reason: &'static str,
        }
        let adapter = |name: &str, path: &str| Adapter { name: name.to_owned(), path: path.to_owned() };
        let cases = [
            Case {
                adapters: vec![adapter("sql", "acme/sql"), adapter("poetry", "/models/poetry=1")],
                max_rank: 16,
                want: &[
                    "--enable-lora",
                    "--max-loras=2",
                    "--max-lora-rank=16",
                    "--lora-modules",
                    r#"{"name":"sql","path":"acme/sql","base_model_name":"Qwen/Qwen2.5-3B-Instruct"}"#,
                    r#"{"name":"poetry","path":"/models/poetry=1","base_model_name":"Qwen/Qwen2.5-3B-Instruct"}"#,
                ],
                reason: "one flag with an entry for each, in JSON",
            },
            Case {
                adapters: Vec::new(),
                max_rank: 17,
                want: &["--enable-lora", "--max-loras=2", "--max-lora-rank=32"],
                reason: "adapters may come at runtime; the engine has no room for exactly 17",
            },
            Case {
                adapters: Vec::new(),
                max_rank: 1,
                want: &["--enable-lora", "--max-loras=2", "--max-lora-rank=8"],
                reason: "old releases have no room for less than 8",
            },
        ];
        for Case { adapters, max_rank, want, reason } in cases {
            let mut model = llm().model;
            model.lora = Some(Lora { adapters, max_adapters: 2, max_rank });
            assert_eq!(arguments(&model), want, "{reason}");
        }
        assert_eq!(arguments(&llm().model), Vec::<String>::new(), "no adapters, no flags");
    }
}
