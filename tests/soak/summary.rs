//! Whether anything grew.

use std::time::Duration;

use crate::sample::{FIGURES, Sample};

/// The last third may be above the second by this share, and by this much beyond: figures go up and down in each cycle.
const SLACK: f64 = 1.15;
const SLACK_BEYOND: [f64; 4] = [16e6, 16.0, 100.0, 128e6];

#[derive(Debug)]
pub(crate) struct Summary {
    samples: usize,
    /// Medians of the second and of the last third, and the most, of each figure.
    figures: [(f64, f64, f64); 4],
}

impl Summary {
    pub(crate) fn new(samples: &[Sample]) -> Self {
        let third = samples.len() / 3;
        let figures = std::array::from_fn(|figure| {
            let median = |part: &[Sample]| {
                let mut values: Vec<f64> = part.iter().map(|sample| sample.figures[figure]).collect();
                values.sort_by(f64::total_cmp);
                values.get(values.len() / 2).copied().unwrap_or(0.0)
            };
            let most = samples.iter().map(|sample| sample.figures[figure]).fold(0.0, f64::max);
            (median(&samples[third..2 * third]), median(&samples[2 * third..]), most)
        });
        Self { samples: samples.len(), figures }
    }

    pub(crate) fn is_flat(&self) -> bool {
        let flat = |((before, after, _), beyond): (&(f64, f64, f64), f64)| *after <= before * SLACK + beyond;
        self.figures.iter().zip(SLACK_BEYOND).all(flat)
    }

    pub(crate) fn json(&self, kills_and_records: Option<(u32, u64)>, ran: Duration) -> String {
        let counts = kills_and_records
            .map(|(kills, records)| format!("\"kills\":{kills},\"records\":{records},"))
            .unwrap_or_default();
        let figures: Vec<_> = FIGURES
            .iter()
            .zip(&self.figures)
            .map(|((name, ..), (before, after, most))| {
                format!("\"{name}\":{{\"second_third\":{before},\"last_third\":{after},\"most\":{most}}}")
            })
            .collect();
        format!(
            "{{\"test\":\"soak\",\"minutes\":{:.1},{counts}\"samples\":{},\"flat\":{},{}}}",
            ran.as_secs_f64() / 60.0,
            self.samples,
            self.is_flat(),
            figures.join(",")
        )
    }
}
