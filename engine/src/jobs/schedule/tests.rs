use crate::testing::store;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::path::Path;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use logtank_wire::record::RecordView;

use super::{Background, Drained};
use crate::error::{DiskError, Error, Verb};
use crate::format::checkpoint::Checkpoint;
use crate::format::layout::Layout;
use crate::format::names::SegmentKind;
use crate::ids::{Epoch, IndexCode};
use crate::index_log::chain::Chain;
use crate::index_log::index_store::{Bounds, IndexStore};
use crate::io::disk::{Disk, Transfer};
use crate::jobs::config::JobsConfig;
use crate::jobs::queue::Urgency;
use crate::jobs::report::Report;
use crate::jobs::shared::Shared;
use crate::limits::Limits;
use crate::testing::{Hooked, ManualClock, MemDisk, RawEpoch, Stepped, raw_record, run};
use crate::time::{Clock, MonoNanos, Now};

/// A clock that moves only while everybody sleeps.
#[derive(Clone, Debug)]
struct SharedClock {
    now: ManualClock,
    deadlines: Rc<RefCell<Vec<(MonoNanos, Waker)>>>,
}

impl Clock for SharedClock {
    fn now(&self) -> Now {
        self.now.now()
    }

    async fn sleep(&self, duration: Duration) {
        let deadline = self.now().mono + duration;
        poll_fn(|context| {
            if self.now().mono >= deadline {
                return Poll::Ready(());
            }
            self.deadlines.borrow_mut().push((deadline, context.waker().clone()));
            Poll::Pending
        })
        .await;
    }
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

type Documents = BTreeMap<String, String>;

fn layout() -> Layout {
    Layout::new(Path::new("/data"), None)
}

fn code(text: &str) -> IndexCode {
    IndexCode::new(text.as_bytes()).unwrap()
}

/// A host, its background, and what it has told.
struct Host<D> {
    memory: MemDisk,
    clock: SharedClock,
    shared: Arc<Shared>,
    background: Background<D, SharedClock>,
    told: RefCell<Vec<String>>,
}

fn host() -> Host<MemDisk> {
    let memory = MemDisk::new();
    host_on(memory.clone(), memory)
}

fn host_on<D: Disk>(disk: D, memory: MemDisk) -> Host<D> {
    for path in ["master", "safe_to_read", "raw/live/x", "raw/history/x"] {
        memory.put(layout().data().join(path), b"");
    }
    let clock = SharedClock { now: ManualClock::at(1_000_000), deadlines: Rc::default() };
    let shared = Arc::new(Shared::new());
    let limits = Limits { job_bytes_max: 16 << 20, ..Limits::default() };
    let config = JobsConfig { raw_transfer: Transfer::Cached, ..JobsConfig::default() };
    let background = Background::new(store(&disk, &layout()), clock.clone(), limits, config, shared.clone());
    Host { memory, clock, shared, background, told: RefCell::default() }
}

fn tell(told: &RefCell<Vec<String>>, report: &Report) {
    let line = match report {
        Report::Dealt(dealt) => format!("dealt {} {}", dealt.epoch, dealt.records()),
        Report::Blocked { epoch, .. } => format!("blocked {epoch}"),
        Report::Unblocked => "unblocked".to_owned(),
        Report::Incomplete { epoch } => format!("incomplete {epoch}"),
        Report::Complete => "complete".to_owned(),
        Report::NoRoom { job, .. } => format!("no room to {job}"),
        Report::Room => "room".to_owned(),
        Report::Sorted { code, records } => format!("sorted {code} {records}"),
        Report::Optimized { code, records } => format!("optimized {code} {records}"),
        Report::Cleaned(cleaned) => format!("cleaned {}", cleaned.superseded + cleaned.folders),
        Report::Pruned(pruned) => format!("pruned {}", pruned.files),
        Report::Damage { code, .. } => format!("damage {code}"),
        Report::IndexFailed { job, code, .. } => format!("{job} of {code} failed"),
        Report::Failed { job, .. } => format!("{job} failed"),
        Report::Foreign(foreign) => format!("foreign {}", foreign.path.display()),
        Report::Gone { code, .. } => format!("gone of {code}"),
        Report::Stray(stray) => format!("stray {}", stray.path.display()),
        Report::DealingFails { .. } => "dealing fails".to_owned(),
        Report::DealingWorks => "dealing works".to_owned(),
        Report::Halted { job, .. } => format!("halted by {job}"),
    };
    told.borrow_mut().push(line);
}

impl<D: Disk> Host<D> {
    /// Lets this many seconds pass.
    fn pass(&mut self, seconds: u64) -> Vec<String> {
        let end = self.clock.now().mono + Duration::from_secs(seconds);
        let (clock, told) = (self.clock.clone(), &self.told);
        let stop = || clock.now().mono >= end;
        let report = |report| tell(told, &report);
        let mut running = pin!(self.background.run(&stop, &report));
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        while running.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            if !woken.0.swap(false, Ordering::Relaxed) {
                let mut deadlines = self.clock.deadlines.borrow_mut();
                let first = deadlines.iter().map(|(deadline, _)| *deadline).min();
                let next = first.expect("nobody waits for what nobody does").min(end);
                self.clock.now.advance(next.since(self.clock.now().mono));
                for (_, waker) in deadlines.extract_if(.., |(deadline, _)| *deadline <= next) {
                    waker.wake();
                }
                if next == end {
                    self.shared.wake();
                }
            }
        }
        self.told.take()
    }

    fn epoch(&self, millis: u64, records: &[Vec<u8>]) {
        let mut raw = RawEpoch::new(millis, 1);
        raw.frame(0, records);
        raw.put(&store(&self.memory, &layout()), true);
    }

    fn chain(&self, index: &str) -> Chain {
        let checkpoint = run(Checkpoint::read(&store(&self.memory, &layout()))).unwrap().next().unwrap();
        let deletions = run(self.shared.deletions.snapshot(&store(&self.memory, &layout()))).unwrap();
        let deletion = deletions.position(&code(index));
        run(IndexStore::new(&store(&self.memory, &layout()), &code(index), Bounds { checkpoint, deletion })
            .chain())
        .unwrap()
    }

    /// What a recovery would end with.
    fn documents(&self, index: &str) -> Documents {
        let mut documents = Documents::new();
        for segment in self.chain(index).in_order() {
            let bytes = self.memory.get(layout().segment(&code(index), segment.name)).unwrap();
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let (view, length) = RecordView::parse(rest).unwrap();
                rest = &rest[length..];
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                let docid = text(view.docid.unwrap());
                if view.deleted {
                    documents.remove(&docid);
                }
                if let Some(fields) = view.fields {
                    documents.insert(docid, text(fields.iter().next().unwrap().1));
                }
            }
        }
        documents
    }
}

#[test]
fn records_are_dealt_sorted_optimized_and_cleaned_and_stay_the_same() {
    let mut host = host();
    let mut model: BTreeMap<&str, Documents> = BTreeMap::new();
    let mut told = Vec::new();
    for round in 0..180u64 {
        let (docid, text) = (format!("d{}", round % 17), format!("t{round}"));
        let mut records = vec![raw_record("busy", &docid, Some(&text))];
        model.entry("busy").or_default().insert(docid, text);
        if round % 5 == 0 {
            let gone = format!("d{}", round % 13);
            records.push(raw_record("busy", &gone, None));
            model.get_mut("busy").unwrap().remove(&gone);
            records.push(raw_record("calm", "only", Some("x")));
            model.entry("calm").or_default().insert("only".to_owned(), "x".to_owned());
        }
        host.epoch(1_000 + round, &records);
        told.extend(host.pass(20));
        assert_eq!(host.documents("busy"), model["busy"], "round {round}");
        assert_eq!(host.documents("calm"), model["calm"]);
    }
    told.extend(host.pass(31 * 60));
    assert_eq!(host.documents("busy"), model["busy"]);
    let count = |word: &str| told.iter().filter(|line| line.starts_with(word)).count();
    assert_eq!(count("dealt"), 180);
    assert!(count("sorted busy") >= 5, "{told:?}");
    assert!(count("optimized busy") >= 1, "discovered");
    assert!(count("cleaned") >= 1);
    assert_eq!(
        (count("blocked") + count("halted"), told.iter().filter(|line| line.ends_with("failed")).count()),
        (0, 0)
    );
    let chain = host.chain("busy");
    assert!(chain.unsorted.len() <= 31 && chain.sorted.len() <= 5);
    let stats = &host.shared.stats;
    assert_eq!((stats.dealt_epochs.get(), stats.dealt_records.get()), (180, 180 + 36 * 2));
    assert_eq!((stats.waiting_epochs.get(), stats.errors.get(), stats.checkpoint_ms.get()), (0, 0, 1_180));
    assert!(stats.sorts.get() >= 5 && stats.optimizations.get() >= 1 && stats.cleaned_segments.get() >= 5);
}

#[test]
fn what_was_due_to_be_sorted_when_the_process_before_ended_is_sorted() {
    let memory = MemDisk::new();
    let half = "x".repeat(16 << 20);
    let mut told = Vec::new();
    for millis in [1_000, 1_001, 1_002] {
        let mut host = host_on(memory.clone(), memory.clone());
        // Each of these processes deals less than what makes it sort, and ends.
        if millis < 1_002 {
            host.epoch(millis, &[raw_record("m", "d", Some(&half))]);
        }
        told.extend(host.pass(60));
    }
    assert_eq!(told, ["dealt 1000 1", "dealt 1001 1", "sorted m 1"]);
}

#[test]
fn nothing_is_done_while_this_host_is_not_the_master() {
    let mut host = host();
    host.epoch(10, &[raw_record("a", "d", Some("x"))]);
    run(host.memory.remove_file(&layout().master())).unwrap();
    assert!(host.pass(60).is_empty());
    assert!(host.memory.get(layout().live(RawEpoch::new(10, 1).name(0))).is_some());
    assert_eq!(host.shared.stats.waiting_epochs.get(), 1, "what waits is counted all the same");
    assert!(host.shared.stats.needed_bytes.get() > 0 && host.shared.stats.waiting_file_bytes.get() > 0);
    assert_eq!(host.shared.stats.oldest_waiting.get(), 10);
    host.memory.put(layout().master(), b"");
    assert_eq!(host.pass(2), ["dealt 10 1"]);
}

#[test]
fn a_drive_without_room_stops_jobs_until_there_is_some() {
    let mut host = host();
    let reserve = Limits::default().free_bytes_min;
    host.epoch(10, &[raw_record("a", "d", Some("x"))]);
    let needed = 4 << 10;
    host.memory.set_available_bytes(reserve);
    assert_eq!(host.pass(60), ["no room to deal"], "told once");
    assert_eq!((host.documents("a").len(), host.shared.stats.without_room.get()), (0, 1));
    host.memory.set_available_bytes(reserve + needed);
    assert_eq!(host.pass(2), ["room", "dealt 10 1"]);
    host.memory.set_available_bytes(reserve - 1);
    host.shared.queue.enqueue_known(&code("a"), Urgency { priority: 0, score: 1.0 });
    assert_eq!(host.pass(60), ["no room to optimize"]);
    assert_eq!(host.shared.queue.len(), 1, "what was asked for keeps its place");
    host.memory.set_available_bytes(reserve + needed);
    assert_eq!(host.pass(60), ["room", "sorted a 1", "optimized a 1"]);
}

#[test]
fn an_epoch_that_stays_incomplete_is_reported_and_its_age_grows() {
    let mut host = host();
    host.epoch(10, &[raw_record("a", "d", Some("x"))]);
    // Its one shard has not written all that its seals tell of: nothing of the second epoch may be dealt before.
    let mut raw = RawEpoch::new(20, 2);
    raw.frame(0, &[raw_record("a", "e", Some("y"))]);
    raw.frame(1, &[raw_record("a", "f", Some("z"))]);
    raw.put(&store(&host.memory, &layout()), true);
    let late = layout().live(raw.name(1));
    let bytes = host.memory.get(&late).unwrap();
    run(host.memory.remove_file(&late)).unwrap();
    host.epoch(30, &[raw_record("a", "g", Some("w"))]);
    assert_eq!(host.pass(240), ["dealt 10 1"]);
    assert_eq!((host.shared.stats.oldest_waiting.get(), host.shared.stats.waiting_epochs.get()), (20, 2));
    assert_eq!(host.pass(120), ["incomplete 20"]);
    assert_eq!((host.shared.stats.oldest_waiting.get(), host.shared.stats.incomplete.get()), (20, 1));
    host.memory.put(&late, &bytes);
    let told = host.pass(10);
    assert!(told.contains(&"complete".to_owned()) && told.contains(&"dealt 30 1".to_owned()), "{told:?}");
    assert_eq!(host.shared.stats.incomplete.get(), 0);
}

#[test]
fn an_index_asked_for_is_optimized_to_the_end_also_what_is_unsorted() {
    let mut host = host();
    for millis in 10..15 {
        host.epoch(millis, &[raw_record("a", &format!("d{millis}"), Some("x"))]);
    }
    host.pass(5);
    let urgency = Urgency { priority: 1, score: 1.0 };
    run(host.shared.enqueue(&store(&host.memory, &layout()), &code("a"), urgency)).unwrap();
    run(host.shared.enqueue(&store(&host.memory, &layout()), &code("ghost"), urgency)).unwrap();
    assert_eq!(host.pass(5), ["sorted a 5", "optimized a 5"]);
    let chain = host.chain("a");
    assert!(chain.optimized.is_some() && chain.sorted.is_empty() && chain.unsorted.is_empty());
    assert_eq!(host.documents("a").len(), 5);
    assert!(run(host.memory.metadata(&layout().index(&code("ghost")))).unwrap().is_none());
    assert!(host.shared.queue.snapshot().is_empty());
}

#[test]
fn what_one_index_fails_at_stops_no_other() {
    let mut host = host();
    let indexes = ["a", "b", "c"];
    for millis in 10..30 {
        host.epoch(millis, &indexes.map(|index| raw_record(index, "d", Some("x"))));
    }
    assert_eq!(host.pass(3).len(), 20, "too few to be sorted");
    for millis in 50..90 {
        host.epoch(millis, &indexes.map(|index| raw_record(index, "d", Some("x"))));
    }
    let name = host.chain("b").unsorted[0].name;
    assert_eq!(name.kind, SegmentKind::Unsorted);
    let path = layout().segment(&code("b"), name);
    let mut bytes = host.memory.get(&path).unwrap();
    bytes[3] ^= 1;
    host.memory.put(&path, &bytes);
    let told = host.pass(60);
    let count = |line: &str| told.iter().filter(|told| *told == line).count();
    assert_eq!(told.iter().filter(|line| line.starts_with("dealt")).count(), 40, "{told:?}");
    assert_eq!(count("sort of b failed"), 1, "and not again at once: {told:?}");
    assert!(
        told.iter().any(|line| line.starts_with("sorted a"))
            && told.iter().any(|line| line.starts_with("sorted c"))
    );
    assert_eq!(host.shared.stats.sort_waiting.get(), 1);
}

#[test]
fn damage_in_the_raw_log_is_told_once_and_when_it_is_repaired() {
    let mut host = host();
    host.epoch(10, &[raw_record("a", "d", Some("x"))]);
    host.epoch(20, &[raw_record("a", "d", Some("y"))]);
    let path = layout().live(RawEpoch::new(10, 1).name(0));
    let whole = host.memory.get(&path).unwrap();
    let mut bytes = whole.clone();
    bytes[8192 + 40] ^= 1;
    host.memory.put(&path, &bytes);
    assert_eq!(host.pass(120), ["blocked 10"]);
    let stats = &host.shared.stats;
    assert_eq!((stats.blocked.get(), stats.waiting_epochs.get(), stats.oldest_waiting.get()), (1, 2, 10));
    host.memory.put(&path, &whole);
    assert_eq!(host.pass(15), ["unblocked", "dealt 10 1", "dealt 20 1"]);
    assert_eq!(host.shared.stats.blocked.get(), 0);
}

#[test]
fn a_deleted_index_goes_and_starts_anew_while_everything_runs() {
    let mut host = host();
    for millis in 10..50 {
        host.epoch(millis, &[raw_record("gone", "old", Some("x")), raw_record("kept", "d", Some("x"))]);
    }
    host.pass(30);
    host.epoch(60, &[raw_record("gone", "old", Some("x"))]);
    run(host.shared.delete(&store(&host.memory, &layout()), &code("gone"))).unwrap();
    assert!(host.documents("gone").is_empty());
    host.pass(30);
    assert!(run(host.memory.metadata(&layout().index(&code("gone")))).unwrap().is_none());
    host.epoch(70, &[raw_record("gone", "new", Some("y"))]);
    host.pass(30);
    assert_eq!(host.documents("gone"), Documents::from([("new".to_owned(), "y".to_owned())]));
    assert_eq!(host.documents("kept").len(), 1);
}

#[test]
fn errors_heal_but_a_failed_sync_stops_everything() {
    for (call, heals) in [(Verb::Create, true), (Verb::Fdatasync, false), (Verb::Fsync, false)] {
        let memory = MemDisk::new();
        let failing = Rc::new(Cell::new(false));
        let disk = Hooked::new(memory.clone(), {
            let failing = failing.clone();
            move |name, path| {
                let fails = failing.get() && name == call && path.starts_with("/data/indexes");
                if fails { Err(DiskError::new(name, path, std::io::Error::other("!"))) } else { Ok(()) }
            }
        });
        let mut host = host_on(disk, memory);
        host.epoch(10, &[raw_record("a", "d", Some("x"))]);
        failing.set(true);
        let told = host.pass(5);
        assert_eq!(told, [if heals { "deal failed" } else { "halted by deal" }], "{call}");
        let told = host.pass(20);
        assert_eq!(
            told.iter().filter(|line| *line == "dealing fails").count(),
            usize::from(heals),
            "{told:?}"
        );
        failing.set(false);
        assert_eq!(host.pass(20), if heals { vec!["dealing works", "dealt 10 1"] } else { vec![] }, "{call}");
    }
}

#[test]
fn what_waits_is_known_before_dealing_it_has_ended() {
    let memory = MemDisk::new();
    let (shared, seen) = (Rc::new(std::cell::OnceCell::<Arc<Shared>>::new()), Rc::new(Cell::new(None)));
    let disk = Hooked::new(memory.clone(), {
        let (shared, seen) = (shared.clone(), seen.clone());
        move |name, path| {
            if name == Verb::Create && path.starts_with("/data/indexes") && seen.get().is_none() {
                let stats = &shared.get().unwrap().stats;
                seen.set(Some((stats.looks.get(), stats.waiting_epochs.get(), stats.needed_bytes.get() > 0)));
            }
            Ok(())
        }
    });
    let mut host = host_on(disk, memory);
    shared.set(host.shared.clone()).unwrap();
    host.epoch(10, &[raw_record("a", "d", Some("x"))]);
    host.epoch(20, &[raw_record("a", "d", Some("y"))]);
    host.pass(5);
    assert_eq!(seen.get(), Some((1, 2, true)));
}

#[test]
fn a_look_at_what_waits_gives_signs_of_life_all_the_time() {
    let memory = MemDisk::new();
    let mut host = host_on(Hooked::stepping(memory.clone()), memory);
    (10..30).for_each(|millis| host.epoch(millis, &[raw_record("a", "d", Some("x"))]));
    let stats = &host.shared.stats;
    let mut watching = Stepped::new(host.background.watch(&|| false, &|_| {}));
    let mut calls = 0;
    while stats.looks.get() == 0 {
        assert_eq!(watching.step(), None);
        calls += 1;
    }
    assert!(calls > 40, "{calls}");
    assert_eq!(stats.dealing_turns.get(), calls);
}

#[test]
fn draining_deals_everything_complete_and_tells_how_far_it_is() {
    let mut host = host();
    for millis in [10, 20, 30] {
        host.epoch(millis, &[raw_record("a", "d", Some("x")), raw_record("b", "d", Some("x"))]);
    }
    let progress = RefCell::new(Vec::new());
    let drained = run(host.background.drain(&|now: Drained| progress.borrow_mut().push(now.epochs))).unwrap();
    assert_eq!((drained.epochs, drained.records, drained.last), (3, 6, Epoch::new(30)));
    assert_eq!(progress.into_inner(), [1, 2, 3]);
    let mut damaged = RawEpoch::new(40, 1);
    damaged.frame(0, &[raw_record("a", "d", None)]);
    damaged.put(&store(&host.memory, &layout()), true);
    let path = layout().live(damaged.name(0));
    let mut bytes = host.memory.get(&path).unwrap();
    bytes[8192 + 40] ^= 1;
    host.memory.put(&path, &bytes);
    let error = run(host.background.drain(&|_| {})).unwrap_err();
    assert!(matches!(error, Error::Corrupt(corruption) if corruption.path == path));
}
