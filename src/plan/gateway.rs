//! The implementation table: everything that depends on which Gateway implementation serves the route.

use crate::api::Duration;

/// A Gateway implementation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Implementation {
    /// envoyproxy/ai-gateway on Envoy Gateway.
    EnvoyAiGateway,
}

/// What an implementation can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traits {
    /// As the platform's Input spells it.
    pub name: &'static str,
    /// How long it keeps a request open while the picker holds it.
    pub hold_limit: Option<Duration>,
    /// Whether a route can name the objective before the picker reads the headers.
    pub names_objective: bool,
}

impl Implementation {
    /// The table.
    pub const fn traits(self) -> Traits {
        match self {
            // envoyproxy/ai-gateway v0.5 to v1.1, `internal/extensionserver`: the picker's ext_proc filter has a fixed
            // message timeout of 300 s, and sits before the router filter, which is where route filters set headers.
            Self::EnvoyAiGateway => Traits {
                name: "EnvoyAIGateway",
                hold_limit: Some(Duration::from_seconds(300)),
                names_objective: false,
            },
        }
    }
}
