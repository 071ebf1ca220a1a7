//! Which plugins a release has, and which parameters each takes. An unknown one stops the picker at start, or, of
//! parameters before LDR v0.9, does nothing.
//!
//! From what each release registers (`cmd/epp/runner/runner.go`, `registerInTreePlugins`) and what the factories read,
//! of GIE v1.3.1, v1.4.0 and v1.5.0, and of LDR v0.9.0 and v0.10.0. Only the parameters themselves: what stands inside
//! of them is left to the picker.

use super::Family;
use super::known::{
    ALWAYS, GIE_1_3, GIE_1_4, GIE_1_4_AND_1_5, GIE_1_5, Known, LLM_D_0_9, LLM_D_0_10, SINCE_GIE_1_4,
    SINCE_GIE_1_5, SINCE_LLM_D_0_9, UNTIL_GIE_1_4, UNTIL_GIE_1_5,
};

/// A plugin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plugin {
    /// Its type.
    pub(super) kind: &'static str,
    /// Who has it.
    pub(super) known: Known,
    /// Whether LDR v0.10 takes it only when told to.
    alpha: bool,
    /// Whether a release that knows it adds it by itself: it may be referred to without being listed.
    added: bool,
    /// Its parameters, by who has them, with blanks between.
    parameters: &'static [(Known, &'static str)],
}

const fn plugin(kind: &'static str, known: Known, parameters: &'static [(Known, &'static str)]) -> Plugin {
    Plugin { kind, known, alpha: false, added: false, parameters }
}

/// One that a configuration has without listing it (`pkg/epp/config/loader/defaults.go`).
const fn added(kind: &'static str, known: Known, parameters: &'static [(Known, &'static str)]) -> Plugin {
    Plugin { kind, known, alpha: false, added: true, parameters }
}

const fn alpha(kind: &'static str, known: Known, parameters: &'static [(Known, &'static str)]) -> Plugin {
    Plugin { kind, known, alpha: true, added: false, parameters }
}

impl Plugin {
    /// The plugin of that type, in any release.
    pub(super) fn named(kind: &str) -> impl Iterator<Item = &'static Self> {
        all().filter(move |plugin| plugin.kind == kind)
    }

    /// Every plugin of a release.
    pub(super) fn of(family: Family) -> impl Iterator<Item = &'static Self> {
        all().filter(move |plugin| plugin.known.has(family))
    }

    /// The plugin of that type that rates endpoints, in any release.
    pub(super) fn scorer(kind: &str) -> Option<&'static Self> {
        SCORERS.iter().find(|plugin| plugin.kind == kind)
    }

    /// Every plugin of a release that rates endpoints.
    pub(super) fn scorers_of(family: Family) -> impl Iterator<Item = &'static Self> {
        SCORERS.iter().filter(move |plugin| plugin.known.has(family))
    }

    /// Its parameters in a release.
    pub(super) fn parameters_of(&self, family: Family) -> impl Iterator<Item = &'static str> {
        let known = self.parameters.iter().filter(move |(known, _)| known.has(family));
        known.flat_map(|(_, names)| names.split_ascii_whitespace())
    }

    /// Whether a release that knows it has it without being told.
    pub(super) const fn is_added(&self) -> bool {
        self.added
    }

    /// Whether the release takes it only when told to (LDR v0.10.0, `--allow-experimental-plugins`).
    pub(super) fn is_experimental_in(&self, family: Family) -> bool {
        self.alpha && LLM_D_0_10.has(family)
    }
}

fn all() -> impl Iterator<Item = &'static Plugin> {
    SCORERS.iter().chain(OTHERS)
}

/// Plugins that rate endpoints: those that `endpointPicker.scorers` may name.
#[rustfmt::skip]
const SCORERS: &[Plugin] = &[
    plugin("active-request-scorer", SINCE_LLM_D_0_9, &[
        (SINCE_LLM_D_0_9, "idleThreshold inFlightLoadProducerName maxBusyScore requestTimeout"),
    ]),
    plugin("context-length-aware", SINCE_LLM_D_0_9, &[(SINCE_LLM_D_0_9, "enableFiltering label")]),
    alpha("endpoint-attribute-scorer", LLM_D_0_10, &[(LLM_D_0_10, "algorithm attributeKey")]),
    alpha("header-label-affinity-scorer", LLM_D_0_10, &[(LLM_D_0_10, "headerName labelKey")]),
    plugin("kv-cache-utilization-scorer", ALWAYS, &[]),
    plugin("latency-scorer", SINCE_GIE_1_5, &[
        (SINCE_GIE_1_5, "compositeKVWeight compositePrefixWeight compositeQueueWeight headroomSelectionStrategy \
            tpotWeight ttftWeight"),
        (SINCE_LLM_D_0_9, "latencyPredictionInfoProducerName prefixMatchInfoProducerName"),
    ]),
    plugin("load-aware-scorer", SINCE_LLM_D_0_9, &[(SINCE_LLM_D_0_9, "threshold")]),
    plugin("lora-affinity-scorer", ALWAYS, &[]),
    plugin("mm-embeddings-cache-scorer", SINCE_LLM_D_0_9, &[(SINCE_LLM_D_0_9, "producerName")]),
    alpha("multicluster-kv-cache-utilization-scorer", LLM_D_0_10, &[]),
    alpha("multicluster-prefix-cache-scorer", LLM_D_0_10, &[
        (LLM_D_0_10, "matchLengthScaleTokens matchLengthWeight prefixMatchInfoProducerName"),
    ]),
    alpha("multicluster-queue-scorer", LLM_D_0_10, &[]),
    plugin("no-hit-lru-scorer", SINCE_LLM_D_0_9, &[
        (SINCE_LLM_D_0_9, "lruSize prefixMatchInfoProducerName prefixPluginName prefixPluginType"),
    ]),
    plugin("precise-prefix-cache-scorer", SINCE_LLM_D_0_9, &[
        (SINCE_LLM_D_0_9, "indexerConfig kvEventsConfig speculativeIndexing speculativeTTL tokenProcessorConfig"),
    ]),
    plugin("predicted-latency-scorer", UNTIL_GIE_1_5, &[
        (UNTIL_GIE_1_5, "affinityGateTau affinityGateTauGlobal compositeKVWeight compositePrefixWeight \
            compositeQueueWeight epsilonExploreNeg epsilonExploreSticky headroomSelectionStrategy \
            headroomTPOTWeight headroomTTFTWeight maxSampledTokens negHeadroomTPOTWeight \
            negHeadroomTTFTWeight samplingMean selectionMode sloBufferFactor streamingMode"),
        (GIE_1_4_AND_1_5, "contextTTL endpointRoleLabel"),
        (GIE_1_5, "affinityMaxTTFTPenaltyMs"),
    ]),
    plugin("prefix-cache-scorer", ALWAYS, &[
        (UNTIL_GIE_1_5, "autoTune blockSize lruCapacityPerServer maxPrefixBlocksToMatch"),
        (GIE_1_4_AND_1_5, "blockSizeTokens"),
        (GIE_1_5, "maxPrefixTokensToMatch"),
        (SINCE_LLM_D_0_9, "prefixMatchInfoProducerName"),
        (LLM_D_0_10, "matchLengthScaleTokens matchLengthWeight"),
    ]),
    plugin("queue-scorer", ALWAYS, &[]),
    plugin("running-requests-size-scorer", ALWAYS, &[]),
    alpha("session-affinity-scorer", SINCE_LLM_D_0_9, &[
        (LLM_D_0_9, "headerName"),
        (SINCE_LLM_D_0_9, "profileName"),
        (LLM_D_0_10, "encodedEndpointHeaderConfig sessionIdConfig strategy"),
    ]),
    plugin("token-load-scorer", SINCE_GIE_1_5, &[
        (SINCE_GIE_1_5, "queueThresholdTokens"),
        (SINCE_LLM_D_0_9, "inFlightLoadProducerName"),
    ]),
    alpha("topology-affinity-scorer", LLM_D_0_10, &[(LLM_D_0_10, "topologyProducerName")]),
];

/// All the others, which a whole configuration may name.
#[rustfmt::skip]
const OTHERS: &[Plugin] = &[
    alpha("agent-identity", SINCE_LLM_D_0_9, &[(SINCE_LLM_D_0_9, "additionalSessionHeaders")]),
    plugin("always-disagg-multimodal-decider", SINCE_LLM_D_0_9, &[]),
    plugin("always-disagg-pd-decider", SINCE_LLM_D_0_9, &[]),
    added("anthropic-parser", SINCE_LLM_D_0_9, &[]),
    plugin("approx-prefix-cache-producer", SINCE_GIE_1_5, &[
        (SINCE_GIE_1_5, "autoTune blockSize blockSizeTokens lruCapacityPerServer maxPrefixBlocksToMatch \
            maxPrefixTokensToMatch"),
    ]),
    alpha("burst-prefix-cache-producer", LLM_D_0_10, &[
        (LLM_D_0_10, "balanceBy blockSizeTokens maxBatchSize maxPerReplica maxPrefixTokensToMatch \
            minColocateBlocks windowDurationMs"),
    ]),
    plugin("by-label", SINCE_LLM_D_0_9, &[(SINCE_LLM_D_0_9, "allowsNoLabel label validValues")]),
    plugin("by-label-selector", SINCE_LLM_D_0_9, &[(SINCE_LLM_D_0_9, "matchExpressions matchLabels")]),
    plugin("concurrency-detector", SINCE_GIE_1_5, &[
        (SINCE_GIE_1_5, "concurrencyMode headroom maxConcurrency maxTokenConcurrency"),
        (SINCE_LLM_D_0_9, "inFlightLoadProducerName"),
    ]),
    added("core-metrics-extractor", SINCE_GIE_1_5, &[
        (SINCE_GIE_1_5, "defaultEngine engineConfigs engineLabelKey"),
    ]),
    plugin("data-parallel-profile-handler", SINCE_LLM_D_0_9, &[(SINCE_LLM_D_0_9, "primaryPort")]),
    alpha("dcgm-data-source", LLM_D_0_10, &[
        (LLM_D_0_10, "insecureSkipVerify interval path port scheme useNodeAddress"),
    ]),
    alpha("dcgm-extractor", LLM_D_0_10, &[]),
    plugin("decode-filter", SINCE_LLM_D_0_9, &[]),
    plugin("destination-endpoint-served-verifier", ALWAYS, &[]),
    plugin("disagg-headers-handler", SINCE_LLM_D_0_9, &[(SINCE_LLM_D_0_9, "encodeProfile prefillProfile")]),
    plugin("disagg-profile-handler", SINCE_LLM_D_0_9, &[
        (SINCE_LLM_D_0_9, "deciderPluginName deciders decodeProfile encodeDeciderPluginName encodeProfile \
            prefillDeciderPluginName prefillProfile profiles"),
        (LLM_D_0_10, "stageOrder"),
    ]),
    alpha("disaggregatedset-rollout-screener", LLM_D_0_10, &[(LLM_D_0_10, "headerSelectors revisionGating scope")]),
    plugin("edf-ordering-policy", SINCE_GIE_1_4, &[]),
    plugin("encode-filter", SINCE_LLM_D_0_9, &[]),
    alpha("endpoint-attribute-filter", LLM_D_0_10, &[
        (LLM_D_0_10, "algorithm attribute fallbackOnEmpty onMissing"),
    ]),
    plugin("endpoint-notification-source", SINCE_GIE_1_5, &[]),
    added("fcfs-ordering-policy", SINCE_GIE_1_4, &[]),
    plugin("file-discovery", SINCE_LLM_D_0_9, &[(SINCE_LLM_D_0_9, "path watchFile")]),
    added("global-strict-fairness-policy", SINCE_GIE_1_4, &[]),
    plugin("header-based-testing-filter", ALWAYS, &[]),
    alpha("header-profile-handler", LLM_D_0_10, &[(LLM_D_0_10, "defaultProfile headerName")]),
    plugin("inflight-load-producer", SINCE_GIE_1_5, &[
        (SINCE_LLM_D_0_9, "addEstimatedOutputTokens prefixMatchInfoProducerName"),
        (LLM_D_0_10, "maxEstimatedOutputTokens outputRatio syncCrossReplicaState"),
    ]),
    plugin("k8s-notification-source", SINCE_GIE_1_4, &[(SINCE_GIE_1_4, "group kind version")]),
    plugin("label-selector-filter", SINCE_LLM_D_0_9, &[(SINCE_LLM_D_0_9, "matchExpressions matchLabels")]),
    plugin("latency-slo-admitter", SINCE_GIE_1_5, &[(SINCE_LLM_D_0_9, "latencyPredictionInfoProducerName")]),
    added("max-score-picker", ALWAYS, &[(ALWAYS, "maxNumOfEndpoints")]),
    added("metrics-data-source", ALWAYS, &[
        (ALWAYS, "insecureSkipVerify path scheme"),
        (LLM_D_0_10, "caCertPath clientCertPath clientKeyPath interval port"),
    ]),
    plugin("mm-embeddings-cache-producer", SINCE_LLM_D_0_9, &[(SINCE_LLM_D_0_9, "cacheSizeInMBPerServer")]),
    plugin("model-server-protocol-metrics", UNTIL_GIE_1_4, &[
        (GIE_1_3, "cacheInfoSpec kvUsageSpec loraSpec queueRequestsSpec runningRequestsSpec"),
        (GIE_1_4, "defaultEngine engineConfigs engineLabelKey"),
    ]),
    plugin("models-data-extractor", SINCE_LLM_D_0_9, &[]),
    plugin("models-data-source", SINCE_LLM_D_0_9, &[
        (SINCE_LLM_D_0_9, "insecureSkipVerify path scheme"),
        (LLM_D_0_10, "caCertPath clientCertPath clientKeyPath interval"),
    ]),
    alpha("multicluster-approx-prefix-cache-producer", LLM_D_0_10, &[
        (LLM_D_0_10, "autoTune blockSize blockSizeTokens lruCapacityPerServer maxPrefixBlocksToMatch \
            maxPrefixTokensToMatch"),
    ]),
    alpha("multicluster-file-discovery", LLM_D_0_10, &[(LLM_D_0_10, "path watchFile")]),
    alpha("multicluster-metrics-data-source", LLM_D_0_10, &[
        (LLM_D_0_10, "caCertPath clientCertPath clientKeyPath insecureSkipVerify interval path port scheme"),
    ]),
    alpha("multicluster-metrics-extractor", LLM_D_0_10, &[
        (LLM_D_0_10, "kvCacheUtilizationMetric queueSizeMetric"),
    ]),
    alpha("multicluster-session-affinity-filter", LLM_D_0_10, &[
        (LLM_D_0_10, "encodedEndpointHeaderConfig profileName sessionIdConfig strategy"),
    ]),
    added("openai-parser", SINCE_GIE_1_5, &[]),
    alpha("p2p-source-producer", LLM_D_0_10, &[
        (LLM_D_0_10, "minCachedTokenDelta prefillProfileName prefixMatchInfoProducerName"),
    ]),
    plugin("passthrough-parser", SINCE_GIE_1_5, &[]),
    plugin("pd-profile-handler", SINCE_LLM_D_0_9, &[
        (SINCE_LLM_D_0_9, "deciderPluginName decodeProfile prefillProfile prefixMatchInfoProducerName \
            prefixPluginName prefixPluginType primaryPort"),
    ]),
    plugin("precise-prefix-cache-producer", SINCE_LLM_D_0_9, &[
        (SINCE_LLM_D_0_9, "indexerConfig kvEventsConfig speculativeIndexing speculativeTTL tokenProcessorConfig"),
    ]),
    plugin("predicted-latency-producer", SINCE_GIE_1_5, &[
        (GIE_1_5, "predictInPrepareData"),
        (SINCE_GIE_1_5, "contextTTL endpointRoleLabel maxDecodeTokenSamplesForPrediction samplingMean \
            sloBufferFactor streamingMode"),
        (SINCE_LLM_D_0_9, "predictInProduce prefixMatchInfoProducerName"),
        (LLM_D_0_10, "encoderCacheMatchInfoProducerName inFlightLoadProducerName useEncoderCacheFeatures"),
    ]),
    plugin("prefill-filter", SINCE_LLM_D_0_9, &[]),
    plugin("prefill-header-handler", SINCE_LLM_D_0_9, &[(SINCE_LLM_D_0_9, "encodeProfile prefillProfile")]),
    plugin("prefix-based-pd-decider", SINCE_LLM_D_0_9, &[
        (SINCE_LLM_D_0_9, "nonCachedTokens"),
        (LLM_D_0_10, "promptTokens"),
    ]),
    plugin("prefix-cache-affinity-filter", SINCE_GIE_1_5, &[
        (SINCE_GIE_1_5, "affinityThreshold explorationProbability maxTTFTPenaltyMs"),
        (SINCE_LLM_D_0_9, "inFlightLoadProducerName latencyPredictionInfoProducerName peakPrefillThroughput \
            prefixMatchInfoProducerName ttftSource"),
    ]),
    alpha("priority-holdback-policy", LLM_D_0_10, &[(LLM_D_0_10, "domain maxCeiling minCeiling shape")]),
    alpha("priority-then-time-eviction-order-policy", LLM_D_0_10, &[]),
    plugin("probabilistic-admitter", SINCE_LLM_D_0_9, &[
        (SINCE_LLM_D_0_9, "k kvCacheUtilThreshold power queueDepthThreshold"),
    ]),
    plugin("program-aware-fairness", SINCE_LLM_D_0_9, &[
        (SINCE_LLM_D_0_9, "evictionSweepSeconds evictionTtlSeconds lasDecayFactor lasHalfLifeSeconds \
            lasWeightHeadWait lasWeightService strategy"),
    ]),
    plugin("random-picker", ALWAYS, &[(ALWAYS, "maxNumOfEndpoints")]),
    plugin("request-attribute-reporter", SINCE_GIE_1_4, &[(SINCE_GIE_1_4, "attributes")]),
    plugin("round-robin-fairness-policy", SINCE_GIE_1_4, &[]),
    alpha("session-affinity-filter", SINCE_LLM_D_0_9, &[
        (LLM_D_0_9, "headerName"),
        (SINCE_LLM_D_0_9, "profileName"),
        (LLM_D_0_10, "encodedEndpointHeaderConfig sessionIdConfig strategy"),
    ]),
    plugin("session-id-producer", SINCE_LLM_D_0_9, &[(SINCE_LLM_D_0_9, "cookieName headerName")]),
    alpha("sheddable-eviction-filter", LLM_D_0_10, &[]),
    added("single-profile-handler", ALWAYS, &[]),
    plugin("slo-deadline-ordering-policy", SINCE_GIE_1_5, &[]),
    plugin("slo-headroom-tier-filter", SINCE_GIE_1_5, &[
        (SINCE_GIE_1_5, "epsilonExploreNeg"),
        (SINCE_LLM_D_0_9, "latencyPredictionInfoProducerName"),
    ]),
    alpha("soft-reflective-ceiling-policy", LLM_D_0_10, &[]),
    added("static-usage-limit-policy", SINCE_GIE_1_5, &[(SINCE_GIE_1_5, "threshold")]),
    plugin("token-producer", SINCE_LLM_D_0_9, &[(SINCE_LLM_D_0_9, "estimate modelName udsTokenizerConfig vllm")]),
    plugin("tokenizer", SINCE_LLM_D_0_9, &[(SINCE_LLM_D_0_9, "estimate modelName udsTokenizerConfig vllm")]),
    alpha("topology-affinity-filter", LLM_D_0_10, &[(LLM_D_0_10, "minAffinity topologyProducerName")]),
    alpha("topology-extractor", LLM_D_0_10, &[(LLM_D_0_10, "hostname rack region zone")]),
    added("utilization-detector", SINCE_GIE_1_5, &[
        (SINCE_GIE_1_5, "headroom kvCacheUtilThreshold metricsStalenessThreshold queueDepthThreshold"),
    ]),
    alpha("utilization-filter", LLM_D_0_10, &[(LLM_D_0_10, "conditions fallbackOnEmpty inFlightLoadProducerName")]),
    plugin("vertexai-parser", SINCE_LLM_D_0_9, &[]),
    plugin("vllmgrpc-parser", SINCE_GIE_1_5, &[]),
    added("vllmhttp-parser", SINCE_LLM_D_0_9, &[]),
    plugin("weighted-random-picker", ALWAYS, &[(ALWAYS, "maxNumOfEndpoints")]),
];
