//! What leads where: the rules of the route.

use crate::plan::endpoint_picker::Family;

/// One rule of the route. The most exact match of all rules decides, whatever their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulePlan {
    /// Any of these.
    pub matches: Vec<RequestMatch>,
    /// Where such a request goes.
    pub to: Destination,
}

/// What a request has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestMatch {
    /// For that path and no other.
    Path(&'static str),
    /// Anything.
    Any,
}

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// Where the picker says.
    Pool,
    /// To any replica, by the model servers' Service.
    ModelServers,
}

/// The host is this model's alone.
///
/// What the picker does not understand goes past it: it would refuse such a request or, where it has no body, answer
/// with an error while no replica runs.
pub(super) fn by_host(family: Family) -> Vec<RulePlan> {
    let inference = family.traits().paths.iter().copied().map(RequestMatch::Path).collect();
    vec![
        RulePlan { matches: inference, to: Destination::Pool },
        RulePlan { matches: vec![RequestMatch::Any], to: Destination::ModelServers },
    ]
}
