//! When requests are due, in open loop.

use std::time::{Duration, Instant};

/// A request every so often, whatever became of those before.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    begin: Instant,
    every: Duration,
    taken: u32,
}

impl Pace {
    /// `rate` requests a second from `begin` on.
    pub(super) fn new(begin: Instant, rate: f64) -> Self {
        Self { begin, every: Duration::from_secs_f64(1.0 / rate), taken: 0 }
    }

    /// When the next request is due.
    pub(super) fn next(&self) -> Instant {
        self.begin + self.every * self.taken
    }

    /// It is sent, or given up.
    pub(super) fn take(&mut self) {
        self.taken += 1;
        // The product would overflow in weeks only, but a count of requests does not fit 32 bits.
        if self.taken == 1 << 20 {
            self.begin += self.every * self.taken;
            self.taken = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_kept_over_millions() {
        let begin = Instant::now();
        let mut pace = Pace::new(begin, 1e6);
        for _ in 0..3_000_000 {
            pace.take();
        }
        assert_eq!(pace.next(), begin + Duration::from_secs(3));
    }
}
