//! Processor time that a hypervisor gives to other machines: a run that lost much of it measured them, not the server.

use std::io::{Error, Result};
use std::time::{Duration, Instant};

use super::Placement;

/// More than this and a run doesn't count.
pub(crate) const STOLEN_MOST: f64 = 0.02;
/// How long processors are kept busy to see whether they are ours: one that idles is stolen from nobody.
const SPIN: Duration = Duration::from_millis(250);
const PAUSE: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(60);

/// What the processors were used for until some moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ticks {
    stolen: u64,
    all: u64,
}

impl Ticks {
    /// Until now.
    ///
    /// # Errors
    /// If the system does not tell.
    pub(crate) fn now() -> Result<Self> {
        Self::parse(&std::fs::read_to_string("/proc/stat")?)
            .ok_or_else(|| Error::other("/proc/stat does not begin as it should"))
    }

    fn parse(stat: &str) -> Option<Self> {
        let fields = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
        // Guests' time, behind these eight, is part of the first two.
        let ticks: Vec<u64> = fields.take(8).map(str::parse).collect::<std::result::Result<_, _>>().ok()?;
        Some(Self { stolen: *ticks.get(7)?, all: ticks.iter().sum() })
    }

    /// The part of all processors' time that was stolen since.
    pub(crate) fn stolen_since(self, before: Self) -> f64 {
        let all = self.all.saturating_sub(before.all).max(1);
        self.stolen.saturating_sub(before.stolen) as f64 / all as f64
    }
}

/// Waits until the processors are ours alone; whether they are within a minute.
///
/// # Errors
/// If the system does not tell.
pub(crate) fn await_processors(placement: &Placement) -> Result<bool> {
    let began = Instant::now();
    loop {
        let before = Ticks::now()?;
        std::thread::scope(|scope| {
            for &cpu in &placement.all {
                scope.spawn(move || {
                    Placement::on(&[cpu], || {
                        spin();
                        Ok(())
                    })
                });
            }
        });
        if Ticks::now()?.stolen_since(before) <= STOLEN_MOST {
            return Ok(true);
        }
        if began.elapsed() > PATIENCE {
            return Ok(false);
        }
        std::thread::sleep(PAUSE);
    }
}

fn spin() {
    let began = Instant::now();
    while began.elapsed() < SPIN {
        std::hint::spin_loop();
    }
}

#[cfg(test)]
mod tests {
    use super::Ticks;

    #[test]
    fn what_is_stolen_is_the_eighth_field() {
        let before = Ticks::parse("cpu  100 0 0 0 0 0 0 10 0 0\ncpu0 1 2").unwrap();
        let after = Ticks::parse("cpu  100 0 30 0 0 0 0 20 7 0\n").unwrap();
        assert!((after.stolen_since(before) - 0.25).abs() < 1e-9);
        assert!(Ticks::parse("cpu  1 2 3").is_none() && Ticks::parse("").is_none());
    }
}
