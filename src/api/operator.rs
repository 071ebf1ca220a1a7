//! The table of operator releases: which fields of `VLLMRuntime` each knows.
//!
//! A field that a CRD does not declare is refused by server-side apply, so what is written follows from the release.

/// A release of the vLLM production stack's operator, or the first of several whose CRDs do not differ for us.
///
/// From `operator/config/crd/bases` of vllm-project/production-stack at the tags `vllm-stack-<version>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operator {
    /// 0.1.5 to 0.1.8; so is the one in the stack's own `operator/config/default.yaml`.
    V0_1_5,
    /// 0.1.9.
    V0_1_9,
    /// 0.1.10.
    V0_1_10,
    /// 0.1.11.
    V0_1_11,
    /// 0.1.12.
    V0_1_12,
}

/// What came after the first release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// `deploymentConfig.nodeSelectorTerms`. From then on the operator panics where they are missing.
    NodeSelectorTerms,
    /// `deploymentConfig.toleration`.
    Tolerations,
    /// `deploymentConfig.resources.gpuType`; before it was fixed.
    GpuType,
    /// `model.hfTokenSecret.{hfTokenSecretName, hfTokenKeyName}`, instead of `hfTokenSecret.name` and `hfTokenName`.
    TokenKeyName,
    /// The scale subresource, and counts in the status.
    Scale,
    /// `deploymentConfig.podAnnotations`.
    PodAnnotations,
    /// `deploymentConfig.runtimeClass`.
    RuntimeClass,
}

impl Operator {
    /// The releases that we know, oldest first, and the row of each.
    pub(super) const RELEASES: [(&str, Self); 8] = [
        ("0.1.5", Self::V0_1_5),
        ("0.1.6", Self::V0_1_5),
        ("0.1.7", Self::V0_1_5),
        ("0.1.8", Self::V0_1_5),
        ("0.1.9", Self::V0_1_9),
        ("0.1.10", Self::V0_1_10),
        ("0.1.11", Self::V0_1_11),
        ("0.1.12", Self::V0_1_12),
    ];

    /// The row of a release.
    pub(super) fn of(version: &str) -> Option<Self> {
        Self::RELEASES.into_iter().find(|(release, _)| *release == version).map(|(_, row)| row)
    }

    /// Whether it knows that.
    pub fn has(self, what: Since) -> bool {
        self >= what.release()
    }
}

impl Since {
    /// The first release that has it.
    pub(super) const fn release(self) -> Operator {
        match self {
            Self::NodeSelectorTerms => Operator::V0_1_9,
            Self::Tolerations | Self::GpuType | Self::TokenKeyName => Operator::V0_1_10,
            Self::Scale => Operator::V0_1_11,
            Self::PodAnnotations | Self::RuntimeClass => Operator::V0_1_12,
        }
    }

    /// That release's name.
    pub(super) fn version(self) -> &'static str {
        let first = Operator::RELEASES.into_iter().find(|(_, row)| *row == self.release());
        first.map_or("", |(version, _)| version)
    }
}

#[cfg(test)]
mod tests {
    use super::{Operator, Since};

    #[test]
    fn a_release_knows_what_came_before_it() {
        let fields = [
            (Since::NodeSelectorTerms, "0.1.9"),
            (Since::Tolerations, "0.1.10"),
            (Since::GpuType, "0.1.10"),
            (Since::TokenKeyName, "0.1.10"),
            (Since::Scale, "0.1.11"),
            (Since::PodAnnotations, "0.1.12"),
            (Since::RuntimeClass, "0.1.12"),
        ];
        for (field, since) in fields {
            assert_eq!(field.version(), since, "{field:?}");
            let mut known = false;
            for (version, operator) in Operator::RELEASES {
                known |= version == since;
                assert_eq!(operator.has(field), known, "{field:?} in {version}");
            }
        }
        assert_eq!(Operator::of("0.1.13"), None, "what a later release knows is not known");
    }
}
