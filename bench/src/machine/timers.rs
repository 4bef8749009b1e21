use std::io::Result;

/// Lets the calling thread be woken when it asked for it, not up to 50 µs later.
///
/// # Errors
/// The system's.
pub(crate) fn wake_in_time() -> Result<()> {
    Ok(rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1))?)
}
