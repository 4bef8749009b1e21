//! Waiting for what no event tells.

use std::time::{Duration, Instant};

const LOOK_EVERY: Duration = Duration::from_millis(20);
/// As long as a busy machine takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits so long; whether it came.
pub fn comes(patience: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + patience;
    while Instant::now() < until {
        if holds() {
            return true;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    holds()
}

/// Waits for what must come.
///
/// # Panics
/// If it does not.
pub fn eventually(what: &str, holds: impl FnMut() -> bool) {
    assert!(comes(PATIENCE, holds), "not within {PATIENCE:?}: {what}");
}
