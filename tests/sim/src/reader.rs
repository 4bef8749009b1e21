//! Index engines that recover: they page through the state of an index, fast or slowly, again and again.

use std::rc::Rc;
use std::time::Duration;

use logtank_engine::recovery_read::{ReadError, StartOver};
use logtank_wire::page::LogPageToken;

use crate::random::Random;
use crate::run::World;

/// More pages than anything written here fills.
const PAGES_MAX: usize = 20_000;

/// Recovers indexes until the troubles are over.
pub async fn readers(world: Rc<World>) {
    let random = Random::new(world.plan.seed, "readers");
    while !world.healed.get() {
        world.executor.sleep(Duration::from_millis(random.below(4_000))).await;
        let index = random.place(world.plan.codes.len());
        let patience = match random.below(4) {
            _ if world.plan.patient => Duration::from_secs(random.between(10, 60)),
            0 => Duration::from_millis(random.below(8_000)),
            1 => Duration::from_millis(random.below(100)),
            _ => Duration::ZERO,
        };
        recover(&world, index, patience, &random).await;
    }
}

/// What came of a recovery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovered {
    /// It was complete, and what it should be.
    Whole,
    /// It was told to start over, or the host died.
    Broken,
    /// What it should read is damaged.
    Damaged,
    /// The disk failed, or files changed too often.
    Failed(String),
}

/// Recovers one index, with pauses of up to so long between pages, and checks it.
pub async fn recover(world: &Rc<World>, index: usize, patience: Duration, random: &Random) -> Recovered {
    let trace = world.executor.trace();
    let begun = world.oracle.borrow_mut().read_begins();
    let (mut token, mut records) = (LogPageToken::default(), Vec::new());
    let mut tries = 0;
    for _ in 0..PAGES_MAX {
        if !patience.is_zero() && random.percent(20) {
            world.executor.sleep(patience).await;
        }
        let reader = world.open_host().and_then(|host| host.reader.borrow().clone());
        let Some(reader) = reader else { return Recovered::Broken };
        let (code, asked) = (world.plan.codes[index].clone(), token.clone());
        let page = world.within_host(async move { reader.read_page(code.as_bytes(), &asked).await }).await;
        let page = match page {
            Some(Ok(page)) => page,
            // The client would ask the next life with the same token; what it has may be lost, so this one gives up.
            None => {
                trace.count("recoveries cut off");
                return Recovered::Broken;
            }
            Some(Err(ReadError::StartOver(StartOver::NotValid))) => {
                world.check(Err("a token of this host is refused".to_owned()));
                return Recovered::Broken;
            }
            Some(Err(ReadError::StartOver(_))) => {
                trace.count("recoveries told to start over");
                return Recovered::Broken;
            }
            Some(Err(ReadError::Corrupt(corruption) | ReadError::Gone(corruption))) => {
                world.damage(&corruption);
                return Recovered::Damaged;
            }
            Some(Err(error @ (ReadError::Disk(_) | ReadError::Unsettled))) => {
                tries += 1;
                if tries > 5 {
                    return Recovered::Failed(error.to_string());
                }
                world.executor.sleep(Duration::from_millis(random.below(300))).await;
                continue;
            }
            Some(Err(error @ (ReadError::Refused(_) | ReadError::Code(_)))) => {
                world.check(Err(format!("a recovery is refused: {error}")));
                return Recovered::Broken;
            }
        };
        trace.count("pages read");
        records.extend(page.chunks.iter().map(|chunk| chunk.to_vec()));
        match page.next {
            Some(next) => token = next,
            None => {
                trace.count("recoveries read");
                world.check(world.oracle.borrow_mut().read_ends(index, begun, &records));
                return Recovered::Whole;
            }
        }
    }
    world.check(Err(format!("a recovery has no end after {PAGES_MAX} pages")));
    Recovered::Broken
}
