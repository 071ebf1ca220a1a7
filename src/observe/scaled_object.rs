//! `keda.sh/v1alpha1` `ScaledObject`.

use crate::protocol::{Fault, Item};

use super::live::Own;
use super::{ConditionFacts, Facts, ScaledObjectFacts};

pub(super) fn own(_: &Item<'_, '_>, status: &Item<'_, '_>) -> Result<Own, Fault> {
    let [conditions, last_active] = status.fields(["conditions", "lastActiveTime"])?;
    let conditions = conditions.each(ConditionFacts::of)?;
    Ok(Facts::ScaledObject(ScaledObjectFacts { conditions, last_active: last_active.owned()? }).into())
}
