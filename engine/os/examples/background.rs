//! Does one piece of background work on a stopped host's data directory, and tells how long it took.
//!
//! ```text
//! cargo run --release -p logtank-os --example background -- DIR deal | sort INDEX | optimize INDEX | read INDEX
//! ```
//!
//! `deal` is what `logtank drain` does, without putting the raw log in order before: stop the host properly. `read` reads
//! all pages of a recovery, as the reader's port does, and sends them nowhere.

use std::path::Path;
use std::time::Instant;

use logtank_engine::deletion_log::DeletionLog;
use logtank_engine::error::{DiskError, Result, Verb};
use logtank_engine::format::Layout;
use logtank_engine::ids::IndexCode;
use logtank_engine::index_log::{Bounds, IndexStore};
use logtank_engine::io::Transfer;
use logtank_engine::jobs::{Dealer, Outcome};
use logtank_engine::limits::Limits;
use logtank_engine::recovery_read::{ReadOptions, Reader, TokenKey};
use logtank_engine::store::Store;
use logtank_os::clock::SystemClock;
use logtank_os::disk::{Throttle, UringDisk, block_on};
use logtank_wire::page::LogPageToken;

/// What was moved.
#[derive(Default)]
struct Done {
    records: u64,
    bytes: u64,
}

struct Tree {
    store: Store<UringDisk>,
    limits: Limits,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [dir, work @ ..] = &words[..] else { panic!("DIR deal | sort INDEX | optimize INDEX | read INDEX") };
    let layout = Layout::new(&std::path::absolute(Path::new(dir)).expect("a path"), None);
    let index = |text: &str| IndexCode::new(text.as_bytes()).expect("an index code");
    let (began, processor) = (Instant::now(), processor_seconds());
    let done = block_on(async {
        let disk =
            UringDisk::new(&[layout.data(), layout.raw()], Throttle::none()).expect("a data directory");
        let tree = Tree { store: Store::new(disk, layout), limits: Limits::default() };
        match work {
            ["deal"] => tree.deal().await,
            ["sort", code] => tree.sort(&index(code)).await,
            ["optimize", code] => tree.optimize(&index(code)).await,
            ["read", code] => tree.read(code).await,
            _ => panic!("no such work: {work:?}"),
        }
    });
    let Done { records, bytes } = done.expect("a background ring").expect("the work can be done");
    let (seconds, processor) = (began.elapsed().as_secs_f64(), processor_seconds() - processor);
    #[expect(clippy::cast_precision_loss, reason = "figures to look at")]
    let (records, megabytes) = (records as f64, bytes as f64 / 1e6);
    println!(
        "{:9} {records} records, {megabytes:.1} MB in {seconds:.2} s: {:.0} records/s, {:.0} MB/s; processor {processor:.2} s: {:.0} records/s, {:.0} MB/s",
        work[0],
        records / seconds,
        megabytes / seconds,
        records / processor,
        megabytes / processor,
    );
}

impl Tree {
    async fn deal(&self) -> Result<Done> {
        let deletions = DeletionLog::new();
        let mut dealer = Dealer::new(self.store.clone(), &self.limits, Transfer::Direct);
        let mut done = Done::default();
        loop {
            match dealer.deal_next(&deletions).await? {
                Outcome::Dealt(dealt) => {
                    done.records += dealt.records();
                    done.bytes += dealt.bytes();
                }
                Outcome::Nothing => return Ok(done),
                Outcome::Blocked { corruption, .. } => return Err(corruption.into()),
                Outcome::NoRoom { needed, .. } => {
                    let full = std::io::Error::other(format!("dealing needs {needed} bytes of the drive"));
                    return Err(DiskError::new(Verb::MakeRoomOn, self.store.layout().data(), full).into());
                }
            }
        }
    }

    async fn sort(&self, code: &IndexCode) -> Result<Done> {
        let (store, limits) = (&self.store, &self.limits);
        let sorted = IndexStore::new(store, code, Bounds::ALL).sort(limits).await?;
        Ok(Done { records: sorted.counts.records_in, bytes: sorted.counts.bytes_in })
    }

    async fn optimize(&self, code: &IndexCode) -> Result<Done> {
        let (store, limits) = (&self.store, &self.limits);
        let optimized = IndexStore::new(store, code, Bounds::ALL).optimize(limits, None).await?;
        Ok(Done { records: optimized.counts.records_in, bytes: optimized.counts.bytes_in })
    }

    async fn read(&self, code: &str) -> Result<Done> {
        let options = ReadOptions::default();
        let reader = Reader::new(self.store.clone(), SystemClock, TokenKey::new([7; 32]), options);
        let mut done = Done::default();
        let mut token = Some(LogPageToken::default());
        while let Some(present) = token {
            let page = reader.read_page(code.as_bytes(), &present).await.expect("a page");
            done.records += u64::from(page.records);
            done.bytes += page.record_bytes() as u64;
            token = page.next;
            for chunk in page.chunks {
                reader.recycle(chunk.into_parts().0);
            }
        }
        Ok(done)
    }
}

/// Processor time of this process so far, with its helper threads and the ring's workers.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("it is there");
    let behind_name = stat.rsplit_once(')').expect("the name is in brackets").1;
    let ticks: f64 =
        behind_name.split_whitespace().skip(11).take(2).map(|n| n.parse::<f64>().expect("ticks")).sum();
    ticks / 100.0
}
