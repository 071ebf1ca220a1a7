//! What a composite may ask for: the provider's credentials reach further than its author should.

use super::reading::List;
use super::texts::{Text, TextRule};

/// Namespaces that no composite may ask for by default: the cluster's own, and Crossplane's, whose objects decide over
/// everybody else's.
const RESERVED_NAMESPACES: [&str; 2] = ["kube-*", "crossplane-system"];

/// What `*` stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Star {
    /// Any run of characters but a slash.
    NoSlash,
    /// Any run of characters: images are nested at will.
    Anything,
}

/// The patterns of a policy, `None` where the platform has set none.
pub(super) fn patterns<R: TextRule<Value = String>, const MAX: usize>(
    list: Option<&List<Text<R>, MAX>>,
) -> Option<Vec<&str>> {
    list.map(|list| list.0.iter().map(|pattern| pattern.0.as_str()).collect())
}

/// Whether one of the patterns fits.
pub(super) fn allows(patterns: &[&str], value: &str, star: Star) -> bool {
    patterns.iter().any(|pattern| fits(pattern, value, star))
}

/// `None`: the namespace may be asked for; else what may be.
pub(super) fn refuse_namespace(
    patterns: Option<&[&str]>,
    namespace: &str,
    gateway_namespaces: &[&str],
) -> Option<String> {
    if let Some(patterns) = patterns {
        return (!allows(patterns, namespace, Star::NoSlash)).then(|| permitted(patterns));
    }
    let reserved = allows(&RESERVED_NAMESPACES, namespace, Star::NoSlash);
    (reserved || gateway_namespaces.contains(&namespace)).then(|| {
        "the platform's policy permits any namespace but kube-*, crossplane-system and the Gateway's"
            .to_owned()
    })
}

/// The rule, as the user is told it.
pub(super) fn permitted(patterns: &[&str]) -> String {
    if patterns.is_empty() {
        "the platform's policy permits none".to_owned()
    } else {
        format!("the platform's policy permits {}", super::reading::either(patterns))
    }
}

/// Greedy matching with one point to come back to: linear in practice, and at worst the product of both lengths, so a
/// pattern cannot be made to take long.
fn fits(pattern: &str, value: &str, star: Star) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let value: Vec<char> = value.chars().collect();
    let (mut at, mut seen) = (0, 0);
    // Where the last star was, and how much of the value it has taken.
    let mut back: Option<(usize, usize)> = None;
    while let Some(&next) = value.get(seen) {
        match pattern.get(at) {
            Some('*') => {
                back = Some((at, seen));
                at += 1;
            }
            Some(&wanted) if wanted == next => {
                at += 1;
                seen += 1;
            }
            _ => match back {
                Some((star_at, taken)) if star == Star::Anything || value.get(taken) != Some(&'/') => {
                    back = Some((star_at, taken + 1));
                    at = star_at + 1;
                    seen = taken + 1;
                }
                _ => return false,
            },
        }
    }
    pattern.get(at..).is_some_and(|rest| rest.iter().all(|&c| c == '*'))
}

#[cfg(test)]
mod tests {
    use super::{Star, fits, refuse_namespace};

    #[test]
    fn stars_stop_at_slashes_but_in_images() {
        use Star::{Anything, NoSlash};
        let cases = [
            ("team-*", "team-a", NoSlash, true, "any run of characters"),
            ("team-*", "team-", NoSlash, true, "an empty one too"),
            ("team-*", "teams", NoSlash, false, "the rest is literal"),
            ("*", "anything", NoSlash, true, "everything"),
            ("*", "a/b", NoSlash, false, "but a slash"),
            ("infra/*", "infra/eg", NoSlash, true, "a namespace's Gateways"),
            ("infra*", "infra/eg", NoSlash, false, "a star does not cross over to the name"),
            ("*/eg", "infra/eg", NoSlash, true, "a name in any namespace"),
            ("docker.io/*", "docker.io/lmcache/vllm-openai:v1", Anything, true, "images are nested"),
            ("*vllm*:v1", "docker.io/lmcache/vllm-openai:v1", Anything, true, "several stars"),
            ("*vllm*:v1", "docker.io/lmcache/vllm-openai:v2", Anything, false, "the end counts"),
            ("a*b*c", "abxbc", NoSlash, true, "a star may have to give way to a later one"),
            ("", "", NoSlash, true, "nothing is nothing"),
            ("docker.io/*", "docker.io", Anything, false, "the slash must be there"),
            (
                "registry.example.com/*",
                "registry.example.com.evil.io/x",
                Anything,
                false,
                "no prefix of a host",
            ),
        ];
        for (pattern, value, star, want, reason) in cases {
            assert_eq!(fits(pattern, value, star), want, "{pattern} on {value}: {reason}");
        }
    }

    #[test]
    fn by_default_namespaces_of_the_platform_are_out_of_reach() {
        let gateways = ["envoy-gateway-system"];
        let cases = [
            ("models", true, "any other"),
            ("kube-system", false, "the cluster's own"),
            ("kubeflow", true, "not the cluster's, though it starts alike"),
            ("crossplane-system", false, "Crossplane's"),
            ("envoy-gateway-system", false, "the Gateway's"),
        ];
        for (namespace, want, reason) in cases {
            assert_eq!(refuse_namespace(None, namespace, &gateways).is_none(), want, "{namespace}: {reason}");
        }
        assert_eq!(
            refuse_namespace(Some(&["kube-*"]), "kube-system", &gateways),
            None,
            "a platform that says so means it"
        );
    }
}
