//! What recoveries reported lost.

use std::collections::BTreeMap;

use logtank_engine::ids::{Epoch, Position};
use logtank_engine::raw_log::RecoveryReport;

/// All reports so far, and what could be lost.
#[derive(Debug, Default)]
pub(super) struct Reports {
    lost: BTreeMap<Epoch, Vec<(u32, u32)>>,
    /// How many positions of each epoch were handed out.
    handed_out: BTreeMap<Epoch, u32>,
}

impl Reports {
    /// Positions before this one are handed out in its epoch.
    pub(super) fn handed_out(&mut self, next: Position) {
        let ordinals = self.handed_out.entry(next.epoch()).or_default();
        *ordinals = next.ordinal().max(*ordinals);
    }

    /// A recovery reports.
    ///
    /// # Errors
    /// If it reports lost what never was.
    pub(super) fn add(&mut self, report: &RecoveryReport) -> Result<(), String> {
        for lost in &report.lost {
            let handed_out = self.handed_out.get(&lost.epoch).copied().unwrap_or(0);
            if lost.gaps.iter().any(|(_, end)| *end > handed_out) {
                return Err(format!("{lost:?} is reported lost, but only {handed_out} were handed out"));
            }
            self.lost.entry(lost.epoch).or_default().extend(&lost.gaps);
        }
        Ok(())
    }

    /// Whether what has this position was reported lost.
    pub(super) fn is_reported(&self, position: Position) -> bool {
        let ordinal = position.ordinal();
        let gaps = self.lost.get(&position.epoch());
        gaps.is_some_and(|gaps| gaps.iter().any(|(first, end)| (*first..*end).contains(&ordinal)))
    }
}
