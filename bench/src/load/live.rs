//! The line that tells how a run goes while it runs.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::measure::Measure;
use super::measured::micros;

const EVERY: Duration = Duration::from_secs(1);

/// A line each second, in place on a terminal.
#[derive(Debug)]
pub(crate) struct Live(Option<Line>);

#[derive(Debug)]
struct Line {
    bar: ProgressBar,
    next: Instant,
    told: usize,
}

impl Live {
    /// None: for runs of a comparison, which tells of itself.
    pub(crate) const fn silent() -> Self {
        Self(None)
    }

    /// On standard error.
    pub(crate) fn shown() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(ProgressStyle::with_template("{spinner} {msg}").expect("the template is valid"));
        Self(Some(Line { bar, next: Instant::now() + EVERY, told: 0 }))
    }

    pub(super) fn tell(&mut self, now: Instant, measure: &Measure, refused: u64) {
        let Some(line) = &mut self.0 else { return };
        if now < line.next {
            return;
        }
        line.next = now + EVERY;
        let slots = &measure.slots()[line.told..];
        line.told = measure.slots().len();
        let text = if slots.is_empty() {
            format!("no reply within a second, {refused} batches refused")
        } else {
            let rate = slots.iter().map(|slot| slot.records_per_second).sum::<f64>() / slots.len() as f64;
            let at = |quantile| micros(measure.all.value_at_quantile(quantile));
            format!(
                "{rate:.0} records/s; so far µs: p50 {:.0}, p99 {:.0}, p99.9 {:.0}; {refused} batches refused",
                at(0.5),
                at(0.99),
                at(0.999)
            )
        };
        if line.bar.is_hidden() {
            eprintln!("{text}");
        } else {
            line.bar.set_message(text);
            line.bar.tick();
        }
    }

    pub(super) fn end(&self) {
        if let Some(line) = &self.0 {
            line.bar.finish_and_clear();
        }
    }
}
