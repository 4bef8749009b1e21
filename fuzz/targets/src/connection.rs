//! A shard and its peers: any bytes, in any portions, with pauses, vanishing and deaf peers, and a drive that stands still.

use crate::world::{PEERS, World};

/// First byte: the settings (bit 3: the peers' connections are encrypted). Then steps, each a byte: to whom (bits 0 and 1), what (2 to 4), how (5 to 7); for bytes to
/// send, then a length and so many bytes.
///
/// Each call is answered once and in order, within the bounds; in the end the shard can still be shut down.
pub(crate) fn connection(data: &[u8]) {
    let Some((&settings, mut rest)) = data.split_first() else { return };
    let mut world = World::new(settings);
    while let Some((&step, after)) = rest.split_first() {
        rest = after;
        let (peer, how) = (usize::from(step) % PEERS, step >> 5);
        match step >> 2 & 7 {
            0 => world.finish(peer),
            1 => world.pass(u64::from(how) * 10 + 1),
            2 => world.allow_appends(how & 1 == 0),
            3 => match how {
                0 | 1 => world.seal(),
                2 | 3 => world.turn_deaf(peer),
                4 | 5 => world.step_clock(how == 4),
                _ => world.stop_drive(how == 6),
            },
            what => {
                let Some((&length, after)) = rest.split_first() else { break };
                let unit = if what == 4 { 4 } else { 1 };
                let (bytes, after) = after.split_at((usize::from(length) * unit).min(after.len()));
                rest = after;
                match what {
                    5 if how == 7 => world.send_raw(peer, bytes),
                    4 | 5 => world.send(peer, bytes),
                    6 => bytes.iter().for_each(|byte| world.send(peer, std::slice::from_ref(byte))),
                    _ => (0..=how).for_each(|_| world.send(peer, &bytes.repeat(8))),
                }
            }
        }
    }
    world.shut_down();
    for _ in 0..4 {
        // Whoever does not take its replies, or does not close after the last, is closed when patience ends.
        world.pass(60);
    }
    assert!(world.done && world.is_empty(), "it does not shut down");
}
