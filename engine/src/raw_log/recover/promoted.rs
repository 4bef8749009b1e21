//! The raw segments of a slave of the original that was made the master.
//!
//! A slave receives what the master does, and takes the master's indexes and checkpoint over from time to time. It keeps its own
//! raw segments from one on that began before the checkpoint, and when it is promoted it deals all that is in `raw/live/`,
//! whatever the checkpoint says: the first of them begins before it and may end after it. In a tree of the original what lies
//! before the checkpoint is therefore not dealt.
//!
//! Here such a segment gets a time after the checkpoint, and before what follows it in `raw/live/`. So what was received after
//! the checkpoint is dealt, in order. What was received before it is dealt once more: that changes nothing, since it is the last
//! stretch of what the indexes hold, and comes after them as a whole.

use crate::error::Result;
use crate::format::checkpoint::Checkpoint;
use crate::format::names::RawName;
use crate::ids::Epoch;
use crate::io::disk::{Disk, Metadata};
use crate::raw_log::read::live::raw_names;
use crate::raw_log::recover::dealt::next_to_deal;
use crate::store::Store;

/// Gives segments of the original in `raw/live/` that hold something and lie before the checkpoint a time after it. For a tree that
/// this host opens for the first time: later, what lies there came from somewhere else. May end at any await and be done again,
/// also by two processes at once. Returns how many got another time; one for which there is none left stays.
///
/// # Errors
/// The disk's; also that a file is gone, which another process may have renamed: do it again.
pub(crate) async fn place_after_dealt<D: Disk>(store: &Store<D>) -> Result<u64> {
    let next = next_to_deal(store, &Checkpoint::read(store).await?).await?;
    let mut placed = 0;
    // The last one first, so that they stay in order wherever this ends.
    while let Some((segment, time)) = last_to_place(store, next).await? {
        store
            .disk()
            .rename(&store.layout().live(segment), &store.layout().live(RawName::Legacy(time)))
            .await?;
        store.disk().sync_folder(&store.layout().raw_live()).await?;
        placed += 1;
    }
    Ok(placed)
}

async fn last_to_place<D: Disk>(store: &Store<D>, next: Epoch) -> Result<Option<(RawName, Epoch)>> {
    let live = raw_names(store, &store.layout().raw_live()).await?;
    let follows = live.iter().filter_map(|name| name.epoch()).filter(|&epoch| epoch >= next).min();
    let mut before = Vec::new();
    for name in live {
        let RawName::Legacy(epoch) = name else { continue };
        if epoch < next && is_undealt(store, name).await? {
            before.push((epoch, name));
        }
    }
    before.sort_unstable_by_key(|(epoch, _)| *epoch);
    let count = before.len() as u64;
    let Some((_, last)) = before.pop() else { return Ok(None) };
    let time = match follows {
        Some(follows) => follows.millis().checked_sub(1),
        None => next.millis().checked_add(count - 1),
    };
    let time = time.and_then(Epoch::new).filter(|&time| time >= next);
    Ok(time.map(|time| (last, time)))
}

/// Whether it holds something that is not in history: the original moves there what it has dealt.
async fn is_undealt<D: Disk>(store: &Store<D>, name: RawName) -> Result<bool> {
    let len = |found: Option<Metadata>| found.map_or(0, |found| found.len);
    let here = len(store.disk().metadata(&store.layout().live(name)).await?);
    Ok(here > 0 && here != len(store.disk().metadata(&store.layout().history(name)).await?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw_log::test_support::{Cut, MemDisk, layout, raw_disk};
    use crate::testing::run;
    use crate::testing::store;

    /// A slave that was promoted: checkpoint 100.
    fn promoted(live: &[(&str, &str)]) -> MemDisk {
        let disk = raw_disk();
        disk.put(layout().checkpoint(), b"100");
        disk.put(layout().raw_history().join("7.raw"), b"dealt");
        live.iter().for_each(|(name, bytes)| disk.put(layout().raw_live().join(name), bytes.as_bytes()));
        disk
    }

    /// What is in live, in order.
    fn left(disk: &MemDisk) -> Vec<(String, String)> {
        let names = run(raw_names(&store(disk, &layout()), &layout().raw_live())).unwrap();
        let text = |name: &RawName| {
            let bytes = run(store(disk, &layout()).read_small(&layout().live(*name), 64)).unwrap().or_empty();
            String::from_utf8(bytes).unwrap()
        };
        names.iter().map(|name| (name.to_string(), text(name))).collect()
    }

    fn expected(live: &[(&str, &str)]) -> Vec<(String, String)> {
        live.iter().map(|(name, bytes)| ((*name).to_owned(), (*bytes).to_owned())).collect()
    }

    #[test]
    fn segments_of_a_promoted_slave_come_after_the_checkpoint() {
        let disk = promoted(&[("80.raw", "a"), ("90.raw", "b"), ("140.raw", "c")]);
        assert_eq!(run(place_after_dealt(&store(&disk, &layout()))).unwrap(), 2);
        assert_eq!(left(&disk), expected(&[("138.raw", "a"), ("139.raw", "b"), ("140.raw", "c")]));
        let disk = promoted(&[("80.raw", "a"), ("90.raw", "b")]);
        assert_eq!(run(place_after_dealt(&store(&disk, &layout()))).unwrap(), 2);
        assert_eq!(left(&disk), expected(&[("100.raw", "a"), ("101.raw", "b")]));
    }

    #[test]
    fn what_is_dealt_or_empty_or_a_masters_stays() {
        // 7 is in history, too; 130 is after the checkpoint, and leaves times before it.
        let live =
            [("7.raw", "dealt"), ("90.raw", ""), ("130.raw", "c"), ("80-0-0.rawlog", "not the original's")];
        let disk = promoted(&live);
        let before = left(&disk);
        assert_eq!(run(place_after_dealt(&store(&disk, &layout()))).unwrap(), 0);
        assert_eq!(left(&disk), before);
        // No time is left between the two: it is reported when it is met.
        let disk = promoted(&[("80.raw", "a"), ("100.raw", "c")]);
        assert_eq!(run(place_after_dealt(&store(&disk, &layout()))).unwrap(), 0);
    }

    #[test]
    fn a_start_that_ends_anywhere_keeps_their_order() {
        for live in
            [&[("70.raw", "a"), ("80.raw", "b"), ("90.raw", "c")][..], &[("80.raw", "a"), ("140.raw", "b")]]
        {
            let calls = {
                let disk = promoted(live);
                run(place_after_dealt(&store(&disk, &layout()))).unwrap();
                disk.calls()
            };
            for call in 0..=calls {
                for cut in Cut::ALL {
                    let disk = promoted(live);
                    disk.die_at(call);
                    let _ = run(place_after_dealt(&store(&disk, &layout())));
                    disk.restart(cut);
                    run(place_after_dealt(&store(&disk, &layout()))).unwrap();
                    let left = left(&disk);
                    let bytes: Vec<_> = left.iter().map(|(_, bytes)| &**bytes).collect();
                    assert_eq!(
                        bytes,
                        live.iter().map(|(_, bytes)| *bytes).collect::<Vec<_>>(),
                        "call {call}"
                    );
                    let after = |(name, _): &(String, String)| name.len() > "99.raw".len();
                    assert!(left.iter().all(after), "call {call}: {left:?}");
                }
            }
        }
    }
}
