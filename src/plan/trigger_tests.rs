//! What the engines and the picker are asked, and what it means that there is nothing to read.

use std::collections::BTreeSet;

use crate::api::Duration;
use crate::api::fixtures::llm;
use crate::api::settings::{LatencyObjective, Metric, Toggle};

use super::Trigger;
use super::tests::{HOST, autoscaler};

#[test]
fn queries_pin_namespace_model_and_job() {
    let queue = "sum(vllm:num_requests_waiting{namespace=\"team-a\",inference_devopstoolkit_ai_model=\"llama\",\
                 job=\"llama-metrics\"})";
    let triggers = autoscaler(&llm().scaled(1, 4)).triggers;
    assert_eq!(triggers.len(), 2);
    assert_eq!((triggers[0].query.as_str(), triggers[0].threshold), (queue, 3.0));
    let selector = "{namespace=\"team-a\",inference_devopstoolkit_ai_model=\"llama\",job=\"llama-metrics\"}";
    assert_eq!(triggers[1].query.matches(selector).count(), 5, "{}", triggers[1].query);

    let mut on_cache = llm().scaled(1, 4);
    on_cache.scaling.as_mut().unwrap().metric = Metric::KvCache;
    let triggers = autoscaler(&on_cache).triggers;
    assert!(triggers[0].query.starts_with("sum(vllm:kv_cache_usage_perc{"), "the sum grows with the pool");
    assert_eq!((triggers.len(), triggers[0].threshold.to_string().as_str()), (2, "0.8"));
}

#[test]
fn an_engine_is_full_when_its_cache_or_its_batch_is() {
    let asked = |arguments: &[&str]| {
        let mut settings = llm().scaled(1, 4);
        settings.model.runtime.args = arguments.iter().map(ToString::to_string).collect();
        let trigger = autoscaler(&settings).triggers.remove(1);
        let selector = r#"{namespace="team-a",inference_devopstoolkit_ai_model="llama",job="llama-metrics"}"#;
        (trigger.name, trigger.query.replace(selector, ""), trigger.threshold)
    };
    let by = |batch: u32| {
        let running = "vllm:num_requests_running";
        let batch = format!("{running} / {batch}");
        let query =
            format!("sum(clamp_max(vllm:kv_cache_usage_perc > {batch} and {running} > 0 or {batch}, 0.9))");
        ("full-engines", format!("{query} + (0.9 * count(up == 0) or vector(0))"), 0.9)
    };
    let cases: [(&[&str], u32, &str); 6] = [
        (&[], 256, "what vLLM takes for most GPUs"),
        (&["--max-num-seqs=64"], 64, "as it is told"),
        (&["--seed=1", "--max_num_seqs", "32"], 32, "in two arguments, and by its other name"),
        (&["--max-num-seqs=64", "--max-num-seqs=128"], 128, "it takes the last one"),
        (&["--max-num-seqs=many"], 256, "the engine will not take that, and says so itself"),
        (&["--max-num-seqs=0"], 256, "nor that"),
    ];
    for (arguments, batch, reason) in cases {
        assert_eq!(asked(arguments), by(batch), "{reason}");
    }
}

/// The rows of `docs/scaling.md` that a trigger belongs to.
fn rows_of(name: &str) -> &'static [&'static str] {
    match name {
        "picker-queue" | "picker-running" => &["picker"],
        "time-to-first-token" | "inter-token-latency" => &["engine", "latency"],
        "full-engines" => &["engine", "`full-engines`"],
        _ => &["engine"],
    }
}

/// What a query says about series that are not there, as `docs/scaling.md` calls it.
fn what_nothing_reads(name: &str, query: &str) -> Vec<&'static str> {
    const AS_MANY: &str = "as many replicas as there are targets";
    let no_targets = query.contains("or sum(0 * absent(up{");
    let unread = query.rsplit_once(" or (").is_some_and(|(_, last)| last.contains("count(up{"));
    let scraped = query.contains("or (0 * sum(up{") && query.contains("} == 1))");
    let no_requests = query.contains("> 0) or 0 * (sum(") && query.contains("_count{");
    let mut means = match (rows_of(name), no_requests, no_targets, unread, scraped) {
        (["engine", "latency"], true, true, true, false)
        | (["engine"] | ["engine", "`full-engines`"], false, true, true, false) => vec!["zero", AS_MANY],
        (["engine"] | ["engine", "`full-engines`"], false, false, false, false) => vec!["an error"],
        (["engine", "latency"], true, false, false, false) | (["picker"], false, false, false, true) => {
            vec!["zero", "an error"]
        }
        (["picker"], false, false, true, true) => vec!["zero", AS_MANY, "an error"],
        _ => panic!("{name}: nobody tells what this means: {query}"),
    };
    if query.contains("} == 0) or vector(0))") {
        means.push("each of them as full as it may be");
    }
    means
}

/// The page is for people; this keeps it from lagging behind. What Prometheus makes of the queries,
/// `tests/e2e/tests/queries.rs` asks it.
#[test]
fn what_nothing_means_is_documented_for_each_trigger() {
    let page = include_str!("../../docs/scaling.md");
    let rows =
        page.lines().skip_while(|line| !line.starts_with("| Trigger | `minReplicas` | No series |")).skip(2);
    let rows: Vec<[&str; 4]> = rows
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [of, from, cause, reads, _] = cells.as_slice() else { panic!("{line}") };
            [*of, *from, *cause, *reads]
        })
        .collect();
    let mut told: BTreeSet<[&str; 4]> = BTreeSet::new();
    let objective = LatencyObjective {
        time_to_first_token: Some(Duration::from_seconds(1)),
        inter_token_latency: Some(Duration::from_millis(50)),
        percentile: 0.9,
    };
    for metric in [Metric::QueueDepth, Metric::KvCache, Metric::Latency(objective)] {
        for (min, words) in [(0, "0"), (1, "1 and above")] {
            let mut settings = llm().hosted(HOST).scaled(min, 3);
            settings.scaling.as_mut().unwrap().metric = metric;
            settings.routing.as_mut().unwrap().picker.flow_control = Toggle::Enabled;
            for Trigger { name, query, .. } in autoscaler(&settings).triggers {
                let of_it = |row: &&[&'static str; 4]| {
                    rows_of(name).contains(&row[0]) && [words, "any"].contains(&row[1])
                };
                let documented: Vec<_> = rows.iter().filter(of_it).collect();
                let reads: BTreeSet<&str> = documented.iter().map(|row| row[3]).collect();
                assert_eq!(
                    reads,
                    what_nothing_reads(name, &query).into_iter().collect::<BTreeSet<_>>(),
                    "{name} from {words}"
                );
                told.extend(documented.into_iter().copied());
            }
        }
    }
    assert_eq!(told.len(), rows.len(), "a row is about nothing that is composed");
}
