//! Who has which place among the ring's registered files: the mailbox, then connections, then segments.

use io_uring::types::Fixed;
use logtank_engine::io::ConnectionId;

use super::files::FILES_MAX;

/// The mailbox's eventfd.
pub(super) const MAIL: u32 = 0;
const FIRST_CONNECTION: u32 = 1;

pub(super) const fn of_connection(id: ConnectionId) -> Fixed {
    Fixed(FIRST_CONNECTION + id.slot)
}

/// The first segment's place beside so many connections; `None`: the ring can't number as many.
pub(super) fn first_segment(connections_max: usize) -> Option<u32> {
    let first = u32::try_from(connections_max).ok()?.checked_add(FIRST_CONNECTION)?;
    first.checked_add(FILES_MAX)?;
    Some(first)
}

/// How many places there are in all.
pub(super) const fn count(first_segment: u32) -> u32 {
    first_segment + FILES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_share_a_place() {
        let last = of_connection(ConnectionId { slot: 255, generation: 0 }).0;
        let segments = first_segment(256).unwrap();
        assert!(MAIL < of_connection(ConnectionId { slot: 0, generation: 0 }).0);
        assert_eq!(segments, last + 1);
        assert_eq!(count(segments), segments + FILES_MAX);
    }

    #[test]
    fn more_connections_than_can_be_numbered_are_refused() {
        let most = u32::MAX - FIRST_CONNECTION - FILES_MAX;
        assert_eq!(first_segment(most as usize), Some(most + FIRST_CONNECTION));
        assert_eq!(first_segment(most as usize + 1), None);
        assert_eq!(first_segment(usize::MAX), None);
    }
}
