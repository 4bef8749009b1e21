//! Pages out of the raw log.

use std::path::PathBuf;
use std::time::Duration;

use logtank_wire::page::LogPageToken;

use super::support::{Host, State, apply_page, layout, reader, records};
use super::world::{Change, World};
use crate::error::Corruption;
use crate::format::raw::{
    FRAME_HEADER_BYTES, FRAMES_OFFSET, HEADER_BYTES, Header, SEAL_OFFSET, Seal, SealedBy,
};
use crate::io::disk::Disk;
use crate::recovery_read::error::{ReadError, StartOver};
use crate::recovery_read::options::ReadOptions;
use crate::testing::{Hooked, Stepped, raw_record, run};
use crate::time::Clock;

fn start() -> LogPageToken {
    LogPageToken::default()
}

#[test]
fn what_was_acknowledged_is_there_at_once_in_order_over_all_shards() {
    for bytes in [1, 200, 5 << 20] {
        let host = Host::with_pages(bytes);
        let mut world = World::new(host.store.disk());
        for round in 0..10 {
            let text = format!("{round}");
            world.add(round % 2, "m", "same", &text);
            world.add((round + 1) % 2, "other", "same", "not this one");
            world.add(0, "m", &format!("doc{round}"), &text);
            assert_eq!(host.recover("m"), world.state("m"));
            if round % 4 == 3 {
                world.roll();
            }
        }
        assert_eq!(host.recover("other").len(), 1);
    }
}

#[test]
fn records_carry_the_frames_time_and_neither_index_nor_id() {
    let host = Host::new();
    World::new(host.store.disk()).add(0, "m", "a", "x");
    let page = host.page("m", &start()).unwrap();
    let record = records(&page).pop().unwrap();
    let view = logtank_wire::record::RecordView::parse(&record).unwrap().0;
    assert_eq!((view.timestamp_ms, view.index_code, view.id), (Some(1_000), None, None));
}

#[test]
fn a_page_is_filled_over_frames_and_epochs_and_ends_where_the_next_record_does_not_fit() {
    let host = Host::with_pages(1_000);
    let mut world = World::new(host.store.disk());
    for number in 0..40 {
        world.add(number % 2, "m", &format!("doc{number:02}"), &"x".repeat(100));
        if number % 10 == 9 {
            world.roll();
        }
    }
    let first = host.page("m", &start()).unwrap();
    let length = first.record_bytes() / first.records as usize;
    assert!(first.record_bytes() + length > 1_000, "{} bytes", first.record_bytes());
    let mut state = State::new();
    let pages = host.go_on("m", &mut state, start()).unwrap();
    assert_eq!(pages, (40 * length).div_ceil(1_000 / length * length));
    assert_eq!(state, world.state("m"));
}

#[test]
fn a_record_longer_than_a_page_is_a_page() {
    let host = Host::with_pages(1_000);
    let mut world = World::new(host.store.disk());
    let long = "x".repeat(3_000);
    let change = |docid, text| Change { docid, field: Some(text), ..Change::default() };
    world.write(0, "m", &[change("a", "1"), change("b", &long), change("c", "3")]);
    let mut token = start();
    let mut sizes = Vec::new();
    loop {
        let page = host.page("m", &token).unwrap();
        sizes.push(page.records);
        let Some(next) = page.next else { break };
        token = next;
    }
    assert_eq!(sizes, [1, 1, 1]);
}

#[test]
fn a_later_page_does_not_read_again_what_lies_before_it() {
    let host = Host::with_pages(1_000_000);
    let mut world = World::new(host.store.disk());
    for number in 0..40 {
        world.add(number % 2, "m", &format!("doc{number}"), &"x".repeat(990_000));
    }
    let reader = reader(Hooked::stepping(host.store.disk().clone()), &host.clock, host.options.clone());
    let calls = |token: &LogPageToken| {
        let mut page = Stepped::new(reader.read_page(b"m", token));
        let calls = (0..).find_map(|calls| page.step().map(|page| (calls, page.unwrap()))).unwrap();
        (calls.0, calls.1.next)
    };
    let (first, mut token) = calls(&start());
    let mut last = 0;
    while let Some(present) = token {
        (last, token) = calls(&present);
    }
    // The first page reads a chunk of each shard; so does the last, and few others.
    assert!(last <= first + 4, "the first page took {first} calls, the last {last}");
}

#[test]
fn a_recovery_under_steady_writes_ends() {
    let host = Host::with_pages(300);
    let mut world = World::new(host.store.disk());
    for number in 0..50 {
        world.add(number % 2, "m", &format!("doc{number}"), "before");
    }
    let before = world.state("m");
    let (mut token, mut state, mut pages) = (Some(start()), State::new(), 0);
    while let Some(present) = token {
        let page = host.page("m", &present).unwrap();
        apply_page(&mut state, &page);
        token = page.next;
        pages += 1;
        // More than a page holds, in ever new epochs, some of them dealt.
        for number in 0..20 {
            world.add(number % 2, "m", &format!("new{pages}-{number}"), "while it runs");
        }
        world.roll();
        if pages % 3 == 0 {
            world.deal();
        }
        assert!(pages < 40, "the recovery does not end");
    }
    assert!(before.iter().all(|(docid, document)| state.get(docid) == Some(document)));
}

#[test]
fn a_page_whose_time_is_up_is_answered_if_it_is_any_further() {
    let host = Host::with(ReadOptions { page_time_max: Duration::ZERO, ..ReadOptions::default() });
    let mut world = World::new(host.store.disk());
    for number in 0..5 {
        world.add(0, "other", "x", "y");
        world.add(1, "m", &format!("doc{number}"), "text");
    }
    let (mut token, mut state, mut pages) = (Some(start()), State::new(), 0);
    while let Some(present) = token {
        let page = Stepped::new(host.reader.read_page(b"m", &present)).step().unwrap().unwrap();
        apply_page(&mut state, &page);
        assert!(page.records <= 1);
        token = page.next;
        pages += 1;
    }
    assert_eq!((pages, &state), (11, &world.state("m")));
}

#[test]
fn what_was_read_of_the_raw_log_does_not_outlive_the_machine_s_memory() {
    let mut host = Host::with_pages(40);
    let mut world = World::new(host.store.disk());
    for number in 0..5 {
        world.add(0, "m", &format!("doc{number}"), "text");
    }
    let of_raw_log = host.page("m", &start()).unwrap().next.unwrap();
    world.roll();
    world.deal();
    let of_segment = host.page("m", &start()).unwrap().next.unwrap();
    // Killed and started again: what was in the page cache is there.
    host.restart();
    assert!(host.page("m", &of_raw_log).is_ok());
    host.options.boot += 1;
    host.restart();
    let error = host.page("m", &of_raw_log).unwrap_err();
    assert!(matches!(error, ReadError::StartOver(StartOver::Restarted)), "{error}");
    assert!(host.page("m", &of_segment).is_ok(), "segments are durable");
}

/// Zeroes the last frame of a shard's segment, which begins at `offset`, as if it were still on its way.
fn withhold(host: &Host, world: &World, shard: usize, offset: u64) -> impl FnOnce() + use<> {
    let path = host.store.layout().live(world.live_name(shard));
    let whole = host.store.disk().get(&path).unwrap();
    let mut without = whole.clone();
    without[offset as usize..].fill(0);
    host.store.disk().put(&path, &without);
    let disk = host.store.disk().clone();
    move || disk.put(&path, &whole)
}

#[test]
fn a_record_on_its_way_is_waited_for_while_later_ones_are_there() {
    for arrives in [true, false] {
        let host = Host::new();
        let mut world = World::new(host.store.disk());
        world.add(0, "m", "doc", "first");
        world.add(1, "m", "doc", "second");
        world.add(0, "m", "other", "third");
        let arrive = withhold(&host, &world, 1, FRAMES_OFFSET);
        let began = host.clock.now().mono;

        // What lies before the hole is answered at once.
        let page = host.page("m", &start()).unwrap();
        assert_eq!((page.records, page.next.is_some()), (1, true));
        assert_eq!(host.clock.now().mono, began);
        let mut state = State::new();
        apply_page(&mut state, &page);

        let next = page.next.unwrap();
        let stepping = reader(Hooked::stepping(host.store.disk().clone()), &host.clock, host.options.clone());
        let mut future = Stepped::new(stepping.read_page(b"m", &next));
        assert!(future.steps(40).is_none(), "it waits");
        if arrives {
            arrive();
        }
        let page = future.steps(100_000).unwrap().unwrap();
        apply_page(&mut state, &page);
        let waited = host.clock.now().mono.since(began);
        assert_eq!((page.records, page.next.is_some()), (if arrives { 2 } else { 1 }, false));
        assert_eq!(waited >= host.options.gap_time_max, !arrives, "{waited:?}");
        assert_eq!(state == world.state("m"), arrives);
    }
}

#[test]
fn an_epoch_that_is_not_complete_is_waited_for_while_a_later_one_is_there() {
    let host = Host::new();
    let mut world = World::new(host.store.disk());
    world.add(0, "m", "doc", "first");
    world.add(1, "m", "doc", "second");
    let arrive = withhold(&host, &world, 1, FRAMES_OFFSET);
    world.next_epoch_unsealed();
    world.add(0, "m", "doc", "third");
    let page = host.page("m", &start()).unwrap();
    assert_eq!((page.records, page.next.is_some()), (1, true));
    arrive();
    let page = host.page("m", &page.next.unwrap()).unwrap();
    // All is there, but nothing says that this is all.
    assert_eq!((page.records, page.next.is_some()), (1, true));
    let page = host.page("m", &page.next.unwrap()).unwrap();
    assert_eq!((page.records, page.next), (1, None));
}

#[test]
fn damage_in_a_sealed_segment_costs_the_page_that_meets_it_and_names_its_place() {
    let host = Host::new();
    let mut world = World::new(host.store.disk());
    world.add(0, "m", "a", "1");
    world.add(0, "m", "b", "2");
    let name = world.live_name(0);
    world.roll();
    let path = host.store.layout().live(name);
    let whole = host.store.disk().get(&path).unwrap();
    let record = raw_record("m", "a", Some("1")).len();
    let second = (FRAMES_OFFSET as usize + FRAME_HEADER_BYTES + record).next_multiple_of(8);
    let mut damaged = whole.clone();
    damaged[second + FRAME_HEADER_BYTES + 8] ^= 1;
    host.store.disk().put(&path, &damaged);

    let page = host.page("m", &start()).unwrap();
    assert_eq!((page.records, page.next.is_some()), (1, true), "what lies before is served");
    let next = page.next.unwrap();
    for _ in 0..2 {
        let error = host.page("m", &next).unwrap_err();
        let ReadError::Corrupt(Corruption { path: found, offset, .. }) = &error else { panic!("{error}") };
        assert_eq!((found, *offset), (&path, second as u64));
        assert!(error.to_string().contains("needs repair"), "{error}");
    }
    host.store.disk().put(&path, &whole);
    assert_eq!(host.page("m", &next).unwrap().records, 1);
}

/// Four frames in one sealed segment of the raw log: of the indexes a, m, a, z.
fn four_frames(host: &Host) -> (World, PathBuf, Vec<usize>) {
    let mut world = World::new(host.store.disk());
    let name = world.live_name(0);
    let mut begins = vec![FRAMES_OFFSET as usize];
    for (code, docid) in [("a", "1"), ("m", "1"), ("a", "2"), ("z", "1")] {
        world.add(0, code, docid, "x");
        let length = FRAME_HEADER_BYTES + raw_record(code, docid, Some("x")).len();
        begins.push((begins.last().unwrap() + length).next_multiple_of(8));
    }
    world.roll();
    (world, host.store.layout().live(name), begins)
}

fn refused(host: &Host, code: &str) -> bool {
    match host.page(code, &start()) {
        Ok(page) => {
            page.next.is_some_and(|next| matches!(host.page(code, &next), Err(ReadError::Corrupt(_))))
        }
        Err(ReadError::Corrupt(_)) => true,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn damage_to_a_frame_costs_nobody_whose_records_are_not_in_it() {
    let host = Host::new();
    let (world, path, begins) = four_frames(&host);
    let whole = host.store.disk().get(&path).unwrap();
    for (frame, code) in [(0, "a"), (1, "m"), (2, "a"), (3, "z")] {
        for at in begins[frame]..begins[frame + 1] - 8 {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            host.store.disk().put(&path, &damaged);
            // Nothing follows the last frame that could tell what it held if its header is damaged.
            let checksum = begins[frame] + 8..begins[frame] + 12;
            let header = at < begins[frame] + FRAME_HEADER_BYTES && !checksum.contains(&at);
            let nobody_knows = header && frame == 3;
            for other in ["a", "m", "z", "ghost"] {
                if other == code || nobody_knows {
                    assert!(refused(&host, other), "{other}: byte {at} of frame {frame}");
                } else {
                    assert_eq!(host.recover(other), world.state(other), "byte {at} of frame {frame}");
                }
            }
        }
    }
}

#[test]
fn where_two_frames_are_damaged_nobody_guesses_what_they_held() {
    let host = Host::new();
    let (world, path, begins) = four_frames(&host);
    let whole = host.store.disk().get(&path).unwrap();
    let damage = |places: [usize; 2]| {
        let mut damaged = whole.clone();
        places.into_iter().for_each(|at| damaged[at] ^= 1);
        host.store.disk().put(&path, &damaged);
    };
    // Both headers: the frame behind knows of one before it only.
    damage([begins[0], begins[1]]);
    assert!(["a", "m", "z", "ghost"].iter().all(|code| refused(&host, code)));
    // A header, and the payload behind it: the second header vouches for itself, and names the first.
    damage([begins[0], begins[1] + FRAME_HEADER_BYTES + 3]);
    assert!(refused(&host, "a") && refused(&host, "m"));
    assert_eq!(host.recover("z"), world.state("z"));
    assert_eq!(host.recover("ghost"), world.state("ghost"));
    // A payload, and the last header, which nothing follows.
    damage([begins[2] + FRAME_HEADER_BYTES + 3, begins[3]]);
    assert!(["a", "m", "z", "ghost"].iter().all(|code| refused(&host, code)));
    // Both payloads: each header vouches for itself.
    damage([begins[0] + FRAME_HEADER_BYTES + 3, begins[1] + FRAME_HEADER_BYTES + 3]);
    assert!(refused(&host, "a") && refused(&host, "m"));
    assert_eq!(host.recover("z"), world.state("z"));
}

#[test]
fn a_seal_that_recovery_made_without_a_damaged_frame_fits() {
    let host = Host::new();
    let (world, path, begins) = four_frames(&host);
    let mut bytes = host.store.disk().get(&path).unwrap();
    bytes[begins[1] + FRAME_HEADER_BYTES + 3] ^= 1;
    let block =
        |at: usize, bytes: &[u8]| <[u8; HEADER_BYTES]>::try_from(&bytes[at..at + HEADER_BYTES]).unwrap();
    let header = Header::decode(&block(0, &bytes)).unwrap();
    let at = SEAL_OFFSET as usize;
    let whole = Seal::decode(&block(at, &bytes), &header).unwrap();
    for (frames, records) in [(whole.frames - 1, whole.records - 1), (whole.frames, whole.records)] {
        let seal = Seal { sealed_by: SealedBy::Recovery, epoch_records: None, frames, records, ..whole };
        bytes[at..at + HEADER_BYTES].copy_from_slice(&seal.encode());
        host.store.disk().put(&path, &bytes);
        assert!(refused(&host, "m"));
        for other in ["a", "z", "ghost"] {
            assert_eq!(host.recover(other), world.state(other), "{frames} frames");
        }
    }
}

#[test]
fn a_deletion_covers_what_was_written_before_it_and_ends_recoveries_under_way() {
    let host = Host::with_pages(1);
    let mut world = World::new(host.store.disk());
    world.add(0, "m", "a", "old");
    world.add(1, "m", "b", "old");
    let under_way = host.page("m", &start()).unwrap().next.unwrap();
    world.delete("m");
    assert_eq!(host.page("m", &under_way).unwrap_err().to_string(), StartOver::Deleted.to_string());
    assert_eq!(host.recover("m"), State::new());
    world.add(0, "m", "c", "new");
    let after = host.page("m", &start()).unwrap();
    assert_eq!((after.records, &host.recover("m")), (1, &world.state("m")));
    world.add(1, "m", "d", "new");
    assert!(host.page("m", &under_way).is_err());
    assert_eq!(host.recover("m"), world.state("m"));
}

#[test]
fn a_deletion_when_nothing_was_written_since_the_recovery_began_ends_it_too() {
    let host = Host::with_pages(1);
    let mut world = World::new(host.store.disk());
    world.add(0, "m", "a", "old");
    world.add(0, "m", "b", "old");
    world.roll();
    world.deal();
    let under_way = host.page("m", &start()).unwrap().next.unwrap();
    world.delete("m");
    world.clean("m");
    let error = host.page("m", &under_way).unwrap_err();
    assert!(matches!(error, ReadError::StartOver(StartOver::Deleted)), "{error}");
    assert_eq!(host.recover("m"), State::new());
}

#[test]
fn an_unknown_index_has_one_empty_page_and_is_not_created() {
    let host = Host::new();
    let mut world = World::new(host.store.disk());
    world.add(0, "m", "a", "x");
    let files = host.store.disk().files();
    let page = host.page("ghost", &start()).unwrap();
    assert_eq!((page.records, page.next), (0, None));
    assert_eq!(host.store.disk().files(), files);
}

#[test]
fn codes_that_name_no_index_are_refused() {
    let host = Host::new();
    let files = host.store.disk().files();
    for bad in ["", "../m", "/etc/passwd", ".", "a\0b", &"x".repeat(65_536)] {
        let error = host.page(bad, &start()).unwrap_err();
        assert!(matches!(error, ReadError::Code(_)), "{error}");
    }
    assert_eq!(host.store.disk().files(), files);
}

#[test]
fn a_host_that_may_not_serve_recoveries_says_what_to_do() {
    let host = Host::new();
    World::new(host.store.disk()).add(0, "m", "a", "x");
    for (flag, hint) in
        [(layout().master(), "recover from the master"), (layout().safe_to_read(), "not safe to read")]
    {
        let content = host.store.disk().get(&flag).unwrap();
        run(host.store.disk().remove_file(&flag)).unwrap();
        let error = host.page("m", &start()).unwrap_err();
        assert!(matches!(error, ReadError::Refused(_)) && error.to_string().contains(hint), "{error}");
        host.store.disk().put(&flag, &content);
    }
    assert_eq!(host.page("m", &start()).unwrap().records, 1);
}

#[test]
fn hints_of_more_segments_than_a_token_holds_are_left_out() {
    let host = Host::with_pages(700);
    let mut world = World::with_shards(host.store.disk(), 66);
    for shard in 0..66 {
        world.add(shard, "m", &format!("{shard}"), "x");
    }
    assert_eq!(host.recover("m"), world.state("m"));
}
