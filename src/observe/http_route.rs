//! `gateway.networking.k8s.io/v1` `HTTPRoute`.

use crate::api::settings::GatewayRef;
use crate::protocol::{Fault, Item};

use super::live::Own;
use super::parents;

pub(super) fn own(spec: &Item<'_, '_>, status: &Item<'_, '_>) -> Result<Own, Fault> {
    let [hostnames, parent_refs] = spec.fields(["hostnames", "parentRefs"])?;
    let mut served = Vec::new();
    hostnames.each_item(|hostname| {
        served.extend(hostname.owned()?);
        Ok(())
    })?;
    // Gateways; of other kinds our routes name none.
    let gateways = parent_refs.each(|parent| {
        let [name, namespace, section_name] = parent.fields(["name", "namespace", "sectionName"])?;
        let (name, section_name) = (name.owned()?.unwrap_or_default(), section_name.owned()?);
        Ok(namespace.owned()?.map(|namespace| GatewayRef { name, namespace, section_name }))
    })?;
    Ok(Own {
        hostnames: served,
        gateways: gateways.into_iter().flatten().collect(),
        ..parents::of_a_route(spec, status)?
    })
}
