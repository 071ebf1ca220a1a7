//! The Ingress of `ingressHost`: nothing is lost on the way to the route that replaces it.

use crate::api::settings::Settings;
use crate::observe::Observed;

use super::keys::Key;
use super::{IngressPlan, RoutingPlan};

/// Wanted while the field says so, and after that until the route that replaces it is accepted.
pub(super) fn decide(settings: &Settings, routing: Option<&RoutingPlan>, observed: &Observed) -> IngressPlan {
    if let Some(host) = &settings.ingress_host {
        return IngressPlan::Wanted(host.to_string());
    }
    let Some(routing) = routing else { return IngressPlan::Absent };
    let is_replaced =
        routing.gateway.as_ref().is_ok_and(|gateway| observed.accepted(routing.route_key(), gateway));
    match observed.objects.get(&Key::Ingress).and_then(|object| object.asked.ingress_host.clone()) {
        Some(host) if !is_replaced => IngressPlan::Kept(host),
        Some(_) | None => IngressPlan::Absent,
    }
}
