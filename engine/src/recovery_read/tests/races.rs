//! Dealing, sorting, optimizing, cleaning, deleting and writing beside a recovery, between any two of its calls.

use crate::testing::store;
use std::rc::Rc;

use logtank_wire::page::LogPageToken;
use proptest::collection::vec;
use proptest::prelude::*;

use super::support::{Host, State, apply_page, code, reader};
use super::world::{Acknowledged, Change, World, clean, deal, optimize, sort};
use crate::ids::Position;
use crate::recovery_read::error::ReadError;
use crate::recovery_read::page::Page;
use crate::recovery_read::reader::Reader;
use crate::testing::{Hooked, ManualClock, MemDisk, Stepped};

const INDEX: &str = "m";
const DOCIDS: [&str; 3] = ["a", "b", "c"];

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Happening {
    /// The recovery gets this many calls further.
    Read(u8),
    /// The job under way gets this many calls further; if there is none, this one begins.
    Job(u8, Job),
    /// The deletion under way gets this many calls further, or one begins.
    Delete(u8),
    /// A batch of this kind and docid is acknowledged, on this shard.
    Write(u8, u8, u8),
    /// The open epoch is sealed.
    Roll,
}

#[derive(Clone, Copy, Debug)]
enum Job {
    Deal,
    Sort,
    Optimize,
    Clean,
}

fn happening() -> impl Strategy<Value = Happening> {
    let job = prop_oneof![4 => Just(Job::Deal), 3 => Just(Job::Sort), 2 => Just(Job::Optimize), 1 => Just(Job::Clean)];
    prop_oneof![
        8 => (1..30u8).prop_map(Happening::Read),
        12 => (1..60u8, job).prop_map(|(calls, job)| Happening::Job(calls, job)),
        1 => (1..20u8).prop_map(Happening::Delete),
        8 => (0..6u8, 0..3u8, 0..2u8).prop_map(|(kind, docid, shard)| Happening::Write(kind, docid, shard)),
        3 => Just(Happening::Roll),
    ]
}

type SteppingReader = Reader<Hooked<MemDisk>, ManualClock>;
type PageRead = (SteppingReader, LogPageToken, Result<Page, ReadError>);

/// One recovery after the other.
struct Recovery {
    page: Stepped<'static, PageRead>,
    began: Acknowledged,
    state: State,
    completed: usize,
    restarted: usize,
}

fn read(reader: SteppingReader, token: LogPageToken) -> Stepped<'static, PageRead> {
    Stepped::new(async move {
        let ahead = reader.read_ahead(INDEX.as_bytes(), &token).await;
        let page = reader.read_page_with(INDEX.as_bytes(), &token, ahead).await;
        (reader, token, page)
    })
}

struct Race {
    world: World,
    recovery: Recovery,
    job: Option<Stepped<'static, ()>>,
    deletion: Option<Stepped<'static, Position>>,
    writes: u32,
    // Whether anything happened that may end a recovery.
    overtaken: bool,
}

impl Race {
    fn new(page_bytes: usize) -> Self {
        let host = Host::with_pages(page_bytes);
        let world = World::new(host.store.disk());
        let reader = reader(Hooked::stepping(host.store.disk().clone()), &host.clock, host.options.clone());
        let recovery = Recovery {
            page: read(reader, LogPageToken::default()),
            began: world.acknowledged(),
            state: State::new(),
            completed: 0,
            restarted: 0,
        };
        Self { world, recovery, job: None, deletion: None, writes: 0, overtaken: false }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Read(calls) => self.read(calls.into()),
            Happening::Job(calls, job) => self.work(calls.into(), job),
            Happening::Delete(calls) => self.delete(calls.into()),
            Happening::Write(kind, docid, shard) => self.write(kind, DOCIDS[docid as usize], shard.into()),
            Happening::Roll => self.world.roll(),
        }
    }

    fn write(&mut self, kind: u8, docid: &str, shard: usize) {
        self.writes += 1;
        let text = format!("{}", self.writes);
        let change = Change { docid, ..Change::default() };
        let number = f64::from(self.writes);
        let change = match kind {
            0 => Change { field: Some(&text), ..change },
            1 => Change {
                field: Some(&text),
                variable: Some((1, number)),
                category: Some(("k", &text)),
                ..change
            },
            2 => Change { variable: Some((self.writes as i32 % 2, number)), ..change },
            3 => Change {
                category: Some((if self.writes.is_multiple_of(2) { "k" } else { "l" }, &text)),
                ..change
            },
            4 => Change { deleted: true, field: Some(&text), ..change },
            _ => Change { deleted: true, ..change },
        };
        let other = Change { docid, field: Some("of another index"), ..Change::default() };
        self.world.write(shard, INDEX, &[change]);
        self.world.write(1 - shard, "other", &[other]);
    }

    fn work(&mut self, calls: usize, job: Job) {
        let present = self.job.get_or_insert_with(|| {
            let store = store(&Hooked::stepping(self.world.store.disk().clone()), self.world.store.layout());
            let (deletions, code) = (self.world.deletions.clone(), code(INDEX));
            match job {
                Job::Deal => Stepped::new(deal(store, deletions)),
                Job::Sort => Stepped::new(sort(store, deletions, code)),
                Job::Optimize => Stepped::new(optimize(store, deletions, code)),
                Job::Clean => {
                    self.overtaken = true;
                    Stepped::new(clean(store, deletions, code))
                }
            }
        });
        if present.steps(calls).is_some() {
            self.job = None;
        }
    }

    fn delete(&mut self, calls: usize) {
        let present = self.deletion.get_or_insert_with(|| {
            self.overtaken = true;
            let store = store(&Hooked::stepping(self.world.store.disk().clone()), self.world.store.layout());
            let deletions = Rc::clone(&self.world.deletions);
            Stepped::new(async move { deletions.delete(&store, &code(INDEX)).await.unwrap() })
        });
        if let Some(before) = present.steps(calls) {
            self.world.note_deletion(INDEX, before);
            self.deletion = None;
        }
    }

    fn read(&mut self, calls: usize) {
        let Some((reader, token, page)) = self.recovery.page.steps(calls) else { return };
        let next = match page {
            Ok(page) => {
                apply_page(&mut self.recovery.state, &page);
                if page.next.is_none() {
                    self.check();
                    self.recovery.completed += 1;
                }
                page.next
            }
            // As a client does: the same token again, or all over.
            Err(ReadError::Unsettled) => Some(token),
            Err(ReadError::StartOver(reason)) => {
                assert!(self.overtaken, "{reason}, for no reason");
                self.recovery.restarted += 1;
                None
            }
            Err(error) => panic!("{error}"),
        };
        if next.is_none() {
            self.recovery.state = State::new();
            self.recovery.began = self.world.acknowledged();
        }
        self.recovery.page = read(reader, next.unwrap_or_default());
    }

    /// What was recovered is the state at some moment since the recovery began.
    fn check(&mut self) {
        // A deletion that is not acknowledged may be in it or not.
        for _ in 0..10_000 {
            if self.deletion.is_some() {
                self.delete(1);
                // It may wait for the dealer to let go.
                if self.job.is_some() {
                    self.work(1, Job::Deal);
                }
            }
        }
        let (began, now) = (self.recovery.began, self.world.acknowledged());
        let mut moments = (began.deletions..=now.deletions).flat_map(|deletions| {
            (began.records..=now.records).map(move |records| Acknowledged { records, deletions })
        });
        let found = moments.any(|at| self.world.state_at(INDEX, at) == self.recovery.state);
        assert!(
            found,
            "recovered {:#?}\nwhen it began {:#?}\nnow {:#?}",
            self.recovery.state,
            self.world.state_at(INDEX, began),
            self.world.state_at(INDEX, now)
        );
    }

    /// Nothing happens any more: the recovery under way ends, and the next one gives the present state.
    fn finish(&mut self) {
        let completed = self.recovery.completed;
        for _ in 0..1_000_000 {
            if self.recovery.completed == completed + 2 {
                return;
            }
            self.read(1);
        }
        panic!("the recovery does not end");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.div_ceil(16), ..ProptestConfig::default() })]

    #[test]
    fn a_recovery_gives_a_state_of_the_index_since_it_began_whatever_happens_beside_it(
        happenings in vec(happening(), 0..250),
        page_bytes in prop_oneof![Just(1usize), 50..300usize],
    ) {
        let mut race = Race::new(page_bytes);
        for happening in happenings {
            race.happen(happening);
        }
        race.finish();
    }
}
