//! The borders of records in what a peer sends.

/// Bytes of a record's header: its type, its version, its length.
const HEADER_BYTES: usize = 5;

/// Where in a record a connection is.
#[derive(Debug, Default)]
pub(super) struct Records {
    header: [u8; HEADER_BYTES],
    /// Bytes of the header that have come.
    header_bytes: usize,
    /// Bytes of the content that have come.
    content_bytes: usize,
}

impl Records {
    /// Bytes came, in order.
    pub(super) fn follow(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let wanted = if self.header_bytes < HEADER_BYTES {
                let count = bytes.len().min(HEADER_BYTES - self.header_bytes);
                self.header[self.header_bytes..][..count].copy_from_slice(&bytes[..count]);
                self.header_bytes += count;
                count
            } else {
                let count = bytes.len().min(self.length() - self.content_bytes);
                self.content_bytes += count;
                count
            };
            bytes = &bytes[wanted..];
            if self.header_bytes == HEADER_BYTES && self.content_bytes == self.length() {
                *self = Self::default();
            }
        }
    }

    fn length(&self) -> usize {
        usize::from(u16::from_be_bytes([self.header[3], self.header[4]]))
    }

    /// Bytes of a record of which more is to come.
    pub(super) const fn unfinished(&self) -> usize {
        self.header_bytes + self.content_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_behind_the_last_border_is_unfinished() {
        let stream = [&[22, 3, 3, 0, 2, 8, 8][..], &[21, 3, 3, 0, 0], &[23, 3, 3, 1, 0], &[7; 256]].concat();
        let borders = [7, 12, stream.len()];
        for portion in 1..=stream.len() {
            let (mut records, mut seen) = (Records::default(), 0);
            for bytes in stream.chunks(portion) {
                records.follow(bytes);
                seen += bytes.len();
                let border = borders.iter().rev().find(|border| **border <= seen).unwrap_or(&0);
                assert_eq!(records.unfinished(), seen - border, "{seen} bytes in portions of {portion}");
            }
        }
    }
}
