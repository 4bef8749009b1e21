//! Which start of the machine this is.

use std::path::Path;

/// A UUID that the kernel makes when it starts.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// A number that is another one each time the machine starts; where the kernel doesn't tell, each time the process does, which
/// is more often than needed.
pub(super) fn boot() -> u64 {
    let path = Path::new(BOOT_ID);
    std::fs::read_to_string(path).ok().and_then(|text| number(&text)).unwrap_or_else(|| {
        tracing::debug!("{BOOT_ID} can't be read: recoveries that read the raw log begin anew after a restart of this process");
        let mut bytes = [0; 8];
        logtank_os::random::fill(&mut bytes);
        u64::from_le_bytes(bytes)
    })
}

/// The first half of a UUID.
fn number(text: &str) -> Option<u64> {
    let digits = text.trim().replace('-', "");
    u64::from_str_radix(digits.get(..16)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_start_has_one_number() {
        assert_eq!(boot(), boot());
        assert_eq!(number("0b1ee2a4-0b0e-4f0c-9c5e-6a1c7d5d2f11\n"), Some(0x0b1e_e2a4_0b0e_4f0c));
        assert_eq!(number("?"), None);
    }
}
