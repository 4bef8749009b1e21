//! Random bytes of the kernel.

use std::fs::File;
use std::io::{self, Read};

use logtank_engine::format::Salt;
use rustix::rand::{GetRandomFlags, getrandom};

/// Fills `bytes` with random ones, fit for keys. Waits only in the first moments after the machine started.
///
/// # Panics
/// If the kernel gives none, neither by its call nor by its device: continuing without would be worse.
pub fn fill(bytes: &mut [u8]) {
    let mut filled = 0;
    while filled < bytes.len() {
        match getrandom(&mut bytes[filled..], GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            // A filter of system calls may not know it.
            Err(error) => match from_device(&mut bytes[filled..]) {
                Ok(()) => return,
                Err(also) => panic!("the kernel gives no random bytes: {error}; /dev/urandom: {also}"),
            },
        }
    }
}

fn from_device(bytes: &mut [u8]) -> io::Result<()> {
    File::open("/dev/urandom")?.read_exact(bytes)
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

    #[test]
    fn the_device_gives_what_the_call_is_refused() {
        let mut bytes = vec![0; 1_000];
        from_device(&mut bytes).unwrap();
        assert!(bytes.windows(16).all(|window| window != [0; 16]));
    }
}
