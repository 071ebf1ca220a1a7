//! `gateway.networking.k8s.io/v1` `Gateway` and `GatewayClass`, and `AIGatewayRoute` of `aigateway.envoyproxy.io/v1alpha1`.

use crate::protocol::{Fault, Item};

use super::live::Own;
use super::{ConditionFacts, Facts, GatewayFacts, Listener};

pub(super) fn gateway(spec: &Item<'_, '_>, status: &Item<'_, '_>) -> Result<Own, Fault> {
    let [class, listeners] = spec.fields(["gatewayClassName", "listeners"])?;
    let [addresses, conditions] = status.fields(["addresses", "conditions"])?;
    let addresses = addresses.each(|address| {
        let [value] = address.fields(["value"])?;
        value.owned()
    })?;
    Ok(Facts::Gateway(GatewayFacts {
        class: class.owned()?,
        listeners: listeners.each(listener)?,
        addresses: addresses.into_iter().flatten().collect(),
        conditions: conditions.each(ConditionFacts::of)?,
    })
    .into())
}

fn listener(listener: &Item<'_, '_>) -> Result<Listener, Fault> {
    let [name, hostname, port, protocol] = listener.fields(["name", "hostname", "port", "protocol"])?;
    Ok(Listener {
        name: name.owned()?.unwrap_or_default(),
        hostname: hostname.owned()?,
        port: port.number()?.unwrap_or_default(),
        protocol: protocol.owned()?.unwrap_or_default(),
    })
}

pub(super) fn class(spec: &Item<'_, '_>, _: &Item<'_, '_>) -> Result<Own, Fault> {
    let [controller_name] = spec.fields(["controllerName"])?;
    Ok(Facts::GatewayClass(controller_name.owned()?).into())
}

pub(super) fn ai_gateway_route(_: &Item<'_, '_>, status: &Item<'_, '_>) -> Result<Own, Fault> {
    let [conditions] = status.fields(["conditions"])?;
    Ok(Facts::AiGatewayRoute(conditions.each(ConditionFacts::of)?).into())
}
