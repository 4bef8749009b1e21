//! Random bytes of the kernel.

use logtank_engine::format::raw::Salt;
use rustix::rand::{GetRandomFlags, getrandom};

/// Fills `bytes` with random ones, fit for keys. Waits only in the first moments after the machine started.
///
/// # Panics
/// If the kernel has none to give, which Linux since 3.17 does not do: going on without would be worse.
pub fn fill(bytes: &mut [u8]) {
    let mut filled = 0;
    while filled < bytes.len() {
        match getrandom(&mut bytes[filled..], GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("the kernel gives no random bytes: {error}"),
        }
    }
}

/// A salt for a raw segment's next life.
#[must_use]
pub fn salt() -> Salt {
    let mut bytes = [0; 8];
    fill(&mut bytes);
    Salt(u64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_filled_also_of_long_requests() {
        // The kernel answers requests beyond 256 bytes in pieces when a signal arrives.
        let mut bytes = vec![0; 100_000];
        fill(&mut bytes);
        assert!(bytes.windows(16).all(|window| window != [0; 16]));
        assert_ne!(salt(), salt());
    }
}
