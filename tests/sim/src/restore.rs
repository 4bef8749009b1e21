//! A copy of history is dealt again in an empty data directory, as an operator restores a host; maybe not all of it was copied.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use logtank_engine::error::Error;
use logtank_engine::format::{Layout, RawName};
use logtank_engine::ids::Epoch;
use logtank_engine::jobs::{Background, JobsConfig, Shared};
use logtank_engine::raw_log::recover;
use logtank_engine::recovery_read::{ReadOptions, Reader, load_or_create};
use logtank_engine::store::Store;
use logtank_engine::time::Clock as _;
use logtank_wire::page::LogPageToken;

use crate::damage::frames;
use crate::nemesis::Nemesis;
use crate::oracle::Restored;
use crate::run::World;

/// Where it is restored to.
const PLACE: &str = "/restored";

/// Restores what history holds now, maybe with a gap, and has the oracle look at it.
pub(crate) async fn restore(nemesis: &Nemesis) {
    let (world, random) = (&nemesis.world, &nemesis.random);
    let history: Vec<PathBuf> =
        world.disk.files().into_iter().map(|(path, _)| path).filter(|path| is_history(world, path)).collect();
    let epochs: Vec<Epoch> = history.iter().filter_map(|path| epoch_of(path)).collect();
    if epochs.is_empty() {
        return;
    }
    let gap = random.percent(60).then(|| *random.pick(&epochs));
    world.executor.trace().count(if gap.is_some() { "gaps restored" } else { "histories restored" });
    let layout = Layout::new(Path::new(PLACE), None);
    let copied: Vec<&PathBuf> =
        history.iter().filter(|path| gap.is_none() || epoch_of(path) != gap).collect();
    let begun = world.oracle.borrow_mut().read_begins();
    let mut there = BTreeSet::new();
    for path in &copied {
        // It may have been pruned since.
        let Some(bytes) = world.disk.peek(path) else { return };
        for (_, frame) in frames(&bytes) {
            there.extend((0..frame.records).map(|place| frame.first.advanced(place)));
        }
        world.disk.put(&layout.raw_live().join(path.file_name().expect("a file")), &bytes);
    }
    world.disk.put(&layout.master(), b"");
    world.disk.put(&layout.safe_to_read(), b"");
    let read = read_again(world.clone(), layout);
    let Some(read) = world.within_host(read).await else { return };
    let read = match read {
        Ok(read) => read,
        Err(error) => return world.check(Err(format!("history can't be restored: {error}"))),
    };
    for (index, records) in read.into_iter().enumerate() {
        let restored = Restored { begun, positions: &there, records: &records };
        world.check(world.oracle.borrow().restored(index, &restored));
    }
}

fn is_history(world: &World, path: &Path) -> bool {
    path.parent() == Some(&world.layout.raw_history())
}

/// The epoch of a segment, or of what was reported lost of one.
fn epoch_of(path: &Path) -> Option<Epoch> {
    path.file_name()?.to_str().and_then(RawName::parse)?.epoch()
}

/// Puts it in order, deals it, and reads all indexes.
async fn read_again(world: Rc<World>, layout: Layout) -> Result<Vec<Vec<Vec<u8>>>, Error> {
    let store = Store::new(world.disk.clone(), layout);
    recover(&store, world.clock.now().wall, &mut |_| {}).await?;
    let config = JobsConfig { history_age_max: None, history_bytes_max: None, ..world.plan.jobs.clone() };
    let (limits, shared) = (world.plan.limits.clone(), std::sync::Arc::new(Shared::new()));
    let mut background = Background::new(store.clone(), world.clock.clone(), limits, config, shared);
    background.drain(&|_| {}).await?;
    let key = load_or_create(&store, &world.secret()).await?;
    let reader = Reader::new(store, world.clock.clone(), key, ReadOptions::default());
    let mut all = Vec::new();
    for code in &world.plan.codes {
        let (mut token, mut records) = (LogPageToken::default(), Vec::new());
        loop {
            let page = match reader.read_page(code.as_bytes(), &token).await {
                Ok(page) => page,
                Err(error) => {
                    world.check(Err(format!("what was restored of {code} can't be read: {error}")));
                    break;
                }
            };
            records.extend(page.chunks.iter().map(|chunk| chunk.to_vec()));
            match page.next {
                Some(next) => token = next,
                None => break,
            }
        }
        all.push(records);
    }
    Ok(all)
}
