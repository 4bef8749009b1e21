//! Whether all of an epoch was read.

use crate::error::Corruption;
use crate::raw_log::read::live::EpochView;

/// The writer's seals say how many positions the epoch has; if recovery found none of them missing, each is a record.
///
/// # Errors
/// If `found` records were read and it has another number.
pub(super) fn check_count(epoch: &EpochView, found: u64) -> Result<(), Corruption> {
    match (epoch.records_by_seal(), epoch.segments.first()) {
        (Some(sealed), Some(segment)) if epoch.lost.is_none() && u64::from(sealed) != found => {
            let what = format!(
                "the epoch's seals tell of {sealed} records, its segments hold {found}: one may be missing"
            );
            Err(Corruption { path: segment.path.clone(), offset: 0, what })
        }
        _ => Ok(()),
    }
}
