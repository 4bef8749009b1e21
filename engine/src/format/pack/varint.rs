/// Most bytes that a varint has.
pub(super) const VARINT_BYTES_MAX: usize = 10;

/// Appends `value`: seven bits a byte, the low ones first.
pub(super) fn write(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The value at the beginning of `bytes`, and how many of them it takes; `None` if it is not whole, more than 64 bits, or
/// longer than need be.
pub(super) fn read(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0;
    for (at, &byte) in bytes.iter().enumerate().take(VARINT_BYTES_MAX) {
        let bits = u64::from(byte & 0x7f);
        let shift = 7 * at as u32;
        if bits.leading_zeros() < shift {
            return None;
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return (byte != 0 || at == 0).then_some((value, at + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_longer_than_need_be_or_too_great_is_refused() {
        assert_eq!(read(&[0]), Some((0, 1)));
        assert_eq!(read(&[0x80, 0]), None, "a zero that adds nothing");
        assert_eq!(read(&[0x80]), None, "cut");
        let greatest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        assert_eq!(read(&greatest), Some((u64::MAX, 10)));
        let mut beyond = greatest;
        beyond[9] = 2;
        assert_eq!(read(&beyond), None, "65 bits");
        beyond[9] = 0x81;
        assert_eq!(read(&beyond), None, "eleven bytes");
    }

    proptest::proptest! {
        #[test]
        fn any_number_round_trips(value: u64, bits in 0..64_u32) {
            let value = value >> bits;
            let mut bytes = Vec::new();
            write(&mut bytes, value);
            proptest::prop_assert_eq!(read(&bytes), Some((value, bytes.len())));
            bytes.push(0xff);
            proptest::prop_assert_eq!(read(&bytes), Some((value, bytes.len() - 1)));
        }
    }
}
