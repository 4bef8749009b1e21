//! Pages out of segments.

use crate::testing::store;
use logtank_wire::page::LogPageToken;
use logtank_wire::record::{RecordView, write_normalized};

use super::support::{Host, State, apply_page, code, epoch, layout, records};
use super::world::{Change, World, clean};
use crate::format::index::EpochRange;
use crate::format::names::{SegmentKind, SegmentName};
use crate::index_log::segment_writer::SegmentWriter;
use crate::io::disk::Disk;
use crate::limits::SIDECAR_BLOCK_BYTES;
use crate::recovery_read::error::{ReadError, StartOver};
use crate::testing::{Hooked, Stepped, raw_record, run};

fn start() -> LogPageToken {
    LogPageToken::default()
}

/// Puts an optimized segment of index `m` there whose records have these lengths, about; returns its name and bytes.
fn optimized(host: &Host, lengths: &[usize]) -> (SegmentName, Vec<u8>) {
    World::new(host.store.disk());
    let folder = host.store.layout().optimized(&code("m"));
    run(host.store.disk().create_folder(&folder)).unwrap();
    host.store.disk().put(host.store.layout().checkpoint(), b"2000");
    let mut bytes = Vec::new();
    let published = run(async {
        let mut writer =
            SegmentWriter::create(&host.store, &folder, SegmentKind::Optimized, epoch(1_500)).await.unwrap();
        for (number, &length) in lengths.iter().enumerate() {
            let docid = format!("{number:08}");
            let raw = raw_record("m", &docid, Some(&"x".repeat(length)));
            let mut record = Vec::new();
            write_normalized(&mut record, &RecordView::parse(&raw).unwrap().0, 7);
            writer.push(&record, docid.as_bytes()).await.unwrap();
            bytes.extend(record);
        }
        writer.publish(EpochRange { first: epoch(1_000), last: epoch(1_500) }).await.unwrap()
    });
    (published.name, bytes)
}

/// All pages, each as its records' bytes.
fn pages(host: &Host) -> Vec<Vec<Vec<u8>>> {
    let (mut token, mut pages) = (Some(start()), Vec::new());
    while let Some(present) = token {
        let page = host.page("m", &present).unwrap();
        pages.push(records(&page));
        token = page.next.clone();
        host.recycle(page);
    }
    pages
}

#[test]
fn pages_of_a_segment_are_its_bytes_nearly_full() {
    let lengths: Vec<usize> = (0..4_000).map(|number| number % 700).collect();
    let host = Host::with_pages(300_000);
    let (_, bytes) = optimized(&host, &lengths);
    let pages = pages(&host);
    assert_eq!(pages.concat().concat(), bytes);
    for page in &pages[..pages.len() - 1] {
        assert!(page.concat().len() > 300_000 - SIDECAR_BLOCK_BYTES - 1_000);
    }
}

#[test]
fn memory_of_pages_that_were_sent_is_used_again() {
    let host = Host::with_pages(2_000_000);
    let (_, bytes) = optimized(&host, &[1_000; 8_000]);
    let (mut token, mut served, mut places) = (Some(start()), Vec::new(), Vec::new());
    while let Some(present) = token {
        let page = host.page("m", &present).unwrap();
        served.extend(records(&page).concat());
        places.push(page.chunks[0].as_ptr().addr() / SIDECAR_BLOCK_BYTES);
        token = page.next.clone();
        host.recycle(page);
    }
    assert_eq!(served, bytes);
    // The last page is a short one.
    places.pop();
    assert!(places.len() > 2 && places.iter().all(|place| *place == places[0]), "{places:?}");
}

#[test]
fn a_long_record_among_short_ones_is_a_page_of_its_own() {
    let mut lengths = vec![100; 300];
    lengths[150] = 400_000;
    lengths[151] = 500_000;
    let host = Host::with_pages(300_000);
    let (_, bytes) = optimized(&host, &lengths);
    let pages = pages(&host);
    assert_eq!(pages.concat().concat(), bytes);
    for page in &pages {
        let length = page.concat().len();
        assert!(length <= 300_000 || page.len() == 1, "{} records of {length} bytes", page.len());
    }
    assert_eq!(pages.len(), 4);
}

#[test]
fn small_segments_share_a_page() {
    let host = Host::new();
    let mut world = World::new(host.store.disk());
    for round in 0..20 {
        world.add(0, "m", &format!("doc{round}"), "x");
        world.roll();
        world.deal();
    }
    world.add(0, "m", "live", "x");
    let page = host.page("m", &start()).unwrap();
    assert_eq!((page.records, page.next), (21, None));
}

#[test]
fn a_flipped_bit_costs_its_page_and_is_named() {
    let host = Host::with_pages(200_000);
    let (name, bytes) = optimized(&host, &[1_000; 1_000]);
    let path = host.store.layout().segment(&code("m"), name);
    let at = 500_000;
    let mut damaged = bytes.clone();
    damaged[at] ^= 0x10;
    host.store.disk().put(&path, &damaged);
    let (mut token, mut served) = (start(), Vec::new());
    let error = loop {
        match host.page("m", &token) {
            Ok(page) => {
                served.extend(records(&page).concat());
                token = page.next.unwrap();
            }
            Err(error) => break error,
        }
    };
    assert_eq!(served, bytes[..served.len()]);
    assert!(served.len() > 300_000);
    let ReadError::Corrupt(found) = &error else { panic!("{error}") };
    let block = (at / SIDECAR_BLOCK_BYTES * SIDECAR_BLOCK_BYTES) as u64;
    assert_eq!((&found.path, found.offset), (&path, block));
    // Repaired, the same token goes on.
    host.store.disk().put(&path, &bytes);
    let page = host.page("m", &token).unwrap();
    assert_eq!(records(&page).concat(), bytes[served.len()..][..page.record_bytes()]);
}

#[test]
fn a_missing_sidecar_is_made_once() {
    let host = Host::with_pages(100_000);
    let (name, bytes) = optimized(&host, &[1_000; 300]);
    let sidecar = host.store.layout().sidecar(&code("m"), name);
    let made = host.store.disk().get(&sidecar).unwrap();
    run(host.store.disk().remove_file(&sidecar)).unwrap();
    assert_eq!(pages(&host).concat().concat(), bytes);
    assert_eq!(host.store.disk().get(&sidecar).map(|bytes| bytes.len()), Some(made.len()));
}

#[test]
fn an_unsorted_segment_that_is_sorted_meanwhile_is_read_again_as_part_of_it() {
    let host = Host::with_pages(1);
    let mut world = World::new(host.store.disk());
    for round in 0..4 {
        world.add(0, "m", &format!("doc{round}"), "first");
        world.add(1, "m", &format!("gone{round}"), "first");
        world.roll();
        world.deal();
    }
    for taken in 0..8 {
        let mut state = State::new();
        let mut token = start();
        for _ in 0..=taken {
            let page = host.page("m", &token).unwrap();
            apply_page(&mut state, &page);
            token = page.next.unwrap();
        }
        let later = format!("later{taken}");
        world.write(0, "m", &[Change { docid: "gone1", deleted: true, ..Change::default() }]);
        world.add(0, "m", &later, "second");
        world.roll();
        world.deal();
        world.sort("m");
        assert_eq!(world.kinds("m").get(&SegmentKind::Unsorted), None);
        host.go_on("m", &mut state, token).unwrap();
        // What came after the recovery began need not be in it.
        state.insert(later.clone(), world.state("m")[&later].clone());
        state.remove("gone1");
        assert_eq!(state, world.state("m"), "after {taken} pages");
    }
}

/// Two sorted segments under an optimized one, and a token from before that was.
fn superseded(host: &Host) -> (World, LogPageToken, State) {
    let mut world = World::new(host.store.disk());
    for round in 0..2 {
        world.add(0, "m", &format!("doc{round}"), "x");
        world.add(1, "m", "gone", "x");
        world.roll();
        world.deal();
        world.sort("m");
    }
    let mut state = State::new();
    let page = host.page("m", &start()).unwrap();
    apply_page(&mut state, &page);
    world.write(0, "m", &[Change { docid: "gone", deleted: true, ..Change::default() }]);
    world.roll();
    world.deal();
    world.sort("m");
    world.optimize("m");
    (world, page.next.unwrap(), state)
}

#[test]
fn what_an_optimized_segment_covers_is_read_on_while_it_is_there() {
    let host = Host::with_pages(1);
    let (world, token, mut state) = superseded(&host);
    host.go_on("m", &mut state, token).unwrap();
    state.remove("gone");
    assert_eq!(state, world.state("m"));
    assert_eq!(host.recover("m"), world.state("m"));
}

#[test]
fn what_only_an_optimized_segment_holds_any_more_ends_an_old_recovery() {
    let host = Host::with_pages(1);
    let (world, token, _) = superseded(&host);
    world.clean("m");
    let error = host.page("m", &token).unwrap_err();
    assert!(matches!(error, ReadError::StartOver(StartOver::Superseded)), "{error}");
    assert_eq!(host.recover("m"), world.state("m"));
}

#[test]
fn a_recovery_from_the_raw_log_goes_on_in_segments_and_stops_where_those_are_cleaned_away() {
    for cleaned in [false, true] {
        let host = Host::with_pages(1);
        let mut world = World::new(host.store.disk());
        world.add(0, "m", "a", "x");
        world.add(1, "m", "b", "x");
        let mut state = State::new();
        let page = host.page("m", &start()).unwrap();
        apply_page(&mut state, &page);
        let token = page.next.unwrap();
        world.write(0, "m", &[Change { docid: "a", deleted: true, ..Change::default() }]);
        world.roll();
        world.deal();
        world.sort("m");
        world.optimize("m");
        if cleaned {
            world.clean("m");
            let error = host.page("m", &token).unwrap_err();
            assert!(matches!(error, ReadError::StartOver(StartOver::Superseded)), "{error}");
        } else {
            host.go_on("m", &mut state, token).unwrap();
            assert_eq!(state, world.state("m"));
        }
    }
}

#[test]
fn an_older_optimized_segment_is_read_to_its_end_and_ends_the_recovery_when_it_goes() {
    for cleaned in [false, true] {
        let host = Host::with_pages(1);
        let mut world = World::new(host.store.disk());
        for docid in ["a", "b", "c"] {
            world.add(0, "m", docid, "x");
        }
        world.roll();
        world.deal();
        world.sort("m");
        world.optimize("m");
        let mut state = State::new();
        let page = host.page("m", &start()).unwrap();
        apply_page(&mut state, &page);
        world.write(0, "m", &[Change { docid: "a", deleted: true, ..Change::default() }]);
        world.roll();
        world.deal();
        world.sort("m");
        world.optimize("m");
        assert_eq!(world.kinds("m")[&SegmentKind::Optimized], 2);
        let token = page.next.unwrap();
        if cleaned {
            world.clean("m");
            // Kept open, it is still read; by another reader, or after a restart, it is not.
            let restarted =
                super::support::reader(host.store.disk().clone(), &host.clock, host.options.clone());
            let error = run(restarted.read_page(b"m", &token)).unwrap_err();
            assert!(matches!(error, ReadError::StartOver(StartOver::Superseded)), "{error}");
        } else {
            host.go_on("m", &mut state, token).unwrap();
            // The deletion came after the recovery began, and may be in it or not.
            state.remove("a");
            assert_eq!(state, world.state("m"));
        }
    }
}

#[test]
fn what_was_cleaned_away_under_an_optimized_segment_is_not_forgotten_under_the_next() {
    let host = Host::with_pages(1);
    let (mut world, token, _) = superseded(&host);
    world.clean("m");
    world.add(0, "m", "doc9", "x");
    world.roll();
    world.deal();
    world.sort("m");
    world.optimize("m");
    let error = host.page("m", &token).unwrap_err();
    assert!(matches!(error, ReadError::StartOver(StartOver::Superseded)), "{error}");
    assert_eq!(host.recover("m"), world.state("m"));
}

#[test]
fn a_recovery_beside_the_cleaner_goes_on_or_is_told_to_start_over_at_each_of_its_calls() {
    for calls in 0.. {
        let host = Host::with_pages(1);
        let (world, token, mut state) = superseded(&host);
        let slow = store(&Hooked::stepping(host.store.disk().clone()), host.store.layout());
        let cleaned = Stepped::new(clean(slow, world.deletions.clone(), code("m"))).steps(calls);
        match host.go_on("m", &mut state, token) {
            Ok(_) => {
                state.remove("gone");
                assert_eq!(state, world.state("m"), "after {calls} calls");
                assert!(cleaned.is_none());
            }
            Err(error) => {
                assert!(matches!(error, ReadError::StartOver(StartOver::Superseded)), "{error}");
            }
        }
        assert_eq!(host.recover("m"), world.state("m"));
        if cleaned.is_some() {
            return;
        }
    }
}

#[test]
fn reading_marks_an_index_as_read_only_if_it_is_there() {
    let host = Host::new();
    let mut world = World::new(host.store.disk());
    world.add(0, "m", "a", "x");
    host.recover("m");
    let last_read = host.store.layout().last_read(&code("m"));
    assert_eq!(host.store.disk().get(&last_read), None, "nothing is dealt yet");
    world.roll();
    world.deal();
    host.store.disk().set_time(crate::time::WallMillis(77));
    host.recover("m");
    let metadata = run(host.store.disk().metadata(&last_read)).unwrap().unwrap();
    assert_eq!(metadata.modified.0, 77);
}

#[test]
fn an_epoch_that_the_dealer_is_in_the_middle_of_is_read_from_the_raw_log() {
    let host = Host::new();
    let mut world = World::new(host.store.disk());
    world.add(0, "m", "a", "x");
    world.roll();
    world.deal();
    world.add(0, "m", "a", "y");
    world.roll();
    // A crash of the dealer: the segment is published, the checkpoint is not moved.
    let checkpoint = host.store.disk().get(host.store.layout().checkpoint()).unwrap();
    let live: Vec<_> = host
        .store
        .disk()
        .files()
        .into_iter()
        .filter(|file| file.starts_with(host.store.layout().raw_live()))
        .collect();
    let live: Vec<_> = live.into_iter().map(|file| (host.store.disk().get(&file).unwrap(), file)).collect();
    world.deal();
    host.store.disk().put(host.store.layout().checkpoint(), &checkpoint);
    for (bytes, file) in &live {
        host.store.disk().put(file, bytes);
    }
    assert_eq!(world.kinds("m")[&SegmentKind::Unsorted], 2);
    let page = host.page("m", &start()).unwrap();
    assert_eq!((page.records, page.next), (2, None), "not twice");
    assert_eq!(host.recover("m"), world.state("m"));
}

#[test]
fn an_index_whose_segment_is_gone_is_refused_and_others_are_not() {
    let host = Host::new();
    let mut world = World::new(host.store.disk());
    for docid in ["a", "b"] {
        world.add(0, "m", docid, "x");
        world.add(0, "other", docid, "x");
        world.roll();
        world.deal();
    }
    world.add(0, "m", "c", "x");
    let segments = layout().segments(&code("m"));
    let segment = host.store.disk().files().into_iter().find(|path| path.starts_with(&segments)).unwrap();
    let bytes = host.store.disk().get(&segment).unwrap();
    run(host.store.disk().remove_file(&segment)).unwrap();
    for _ in 0..2 {
        let error = host.page("m", &start()).unwrap_err();
        assert!(matches!(&error, ReadError::Gone(gone) if gone.path == segment), "{error}");
        assert!(error.to_string().contains("put it back"), "{error}");
    }
    assert_eq!(host.recover("other"), world.state("other"));
    host.store.disk().put(&segment, &bytes);
    assert_eq!(host.recover("m"), world.state("m"));
}
