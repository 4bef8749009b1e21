//! A tree goes from this host to the original and back, after `kill -9` in the midst of whatever changes it: what the
//! original recovers of it, by its own rules, is what was acknowledged.

mod original;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use logtank_tests::apply::{State, apply};
use logtank_tests::client::Client;
use logtank_tests::host::{Host, program, run};
use logtank_tests::needs;
use logtank_tests::random::Random;
use logtank_tests::thrift::{Change, enqueue, index_code, record};
use logtank_wire::record::RecordView;

use super::golden;

const INDEXES: [&str; 3] = ["left", "middle", "right"];
/// For whatever background work of a busy machine takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// A host whose tree goes to and fro, and what must be in it.
struct World {
    data: PathBuf,
    raw_dir: Option<PathBuf>,
    host: Host,
    model: BTreeMap<String, State>,
    deleted: BTreeSet<String>,
    random: Random,
    sent: u64,
}

impl World {
    fn new(folder: &Path, with_raw_dir: bool) -> Self {
        let data = folder.join("data");
        let raw_dir = with_raw_dir.then(|| folder.join("drive"));
        let mut arguments =
            vec!["--epoch-max-age", "300ms", "--unread-before-clean", "10ms", "--shards", "1"];
        // Each epoch takes a file of its own: they would fill the drive of a machine that is slow to deal.
        arguments.extend(["--history-max-bytes", "64MiB"]);
        if let Some(raw_dir) = &raw_dir {
            std::fs::create_dir(raw_dir).unwrap();
            arguments.extend(["--raw-dir", raw_dir.to_str().unwrap()]);
        }
        let host = Host::new(&data, &arguments);
        let model = INDEXES.map(|index| (index.to_owned(), State::new())).into();
        Self { data, raw_dir, host, model, deleted: BTreeSet::new(), random: Random::new(11), sent: 0 }
    }

    /// A change to one of a few documents, so that merges have something to merge.
    fn change(&mut self, index: &str) -> Change {
        self.sent += 1;
        let mut change = Change {
            index: index.to_owned(),
            docid: format!("d{}", self.random.below(12)),
            ..Change::default()
        };
        match self.random.below(5) {
            0 => change.deleted = true,
            1 => change.variables = Some(vec![(1, self.sent as f64)]),
            2 => change.categories = Some(vec![("color".to_owned(), self.sent.to_string())]),
            kind => {
                change.deleted = kind == 3;
                let text = self.sent.to_string().repeat(20);
                change.fields =
                    Some(vec![("text".to_owned(), text), ("n".to_owned(), self.sent.to_string())]);
            }
        }
        change
    }

    fn applied(&mut self, change: &Change) {
        let mut bytes = Vec::new();
        record(&mut bytes, change);
        let (view, _) = RecordView::parse(&bytes).unwrap();
        self.deleted.remove(&change.index);
        apply(self.model.get_mut(&change.index).unwrap(), &view);
    }

    /// Writes until `hit`, then ends the host as `kill -9` does. Nothing is in doubt: each batch was answered.
    fn killed_when(&mut self, step: &str, hit: impl Fn(&Path) -> bool) {
        let began = Instant::now();
        let mut writer = Client::connect(self.host.writer()).unwrap();
        while !hit(&self.data) {
            assert!(began.elapsed() < PATIENCE, "never seen: {step}");
            let batch: Vec<Change> = INDEXES.into_iter().map(|index| self.change(index)).collect();
            writer.send_batch(&batch).unwrap();
            batch.iter().for_each(|change| self.applied(change));
            // A slow client: what it waits for takes a while, and nothing is gained by more records.
            std::thread::sleep(Duration::from_millis(10));
        }
        self.host.kill();
    }

    fn delete(&mut self, index: &str) {
        Client::connect(self.host.manager()).unwrap().call("delete_index", &index_code(index)).unwrap();
        self.model.insert(index.to_owned(), State::new());
        self.deleted.insert(index.to_owned());
    }

    fn drain(&self) -> Vec<String> {
        let mut arguments =
            vec!["drain".to_owned(), "--data".to_owned(), self.data.to_str().unwrap().to_owned()];
        if let Some(raw_dir) = &self.raw_dir {
            arguments.extend(["--raw-dir".to_owned(), raw_dir.to_str().unwrap().to_owned()]);
        }
        arguments
    }

    /// Ends a drain somewhere.
    fn drain_and_kill(&mut self) {
        let mut command = Command::new(program());
        command.args(self.drain()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        // Any moment will do.
        std::thread::sleep(Duration::from_millis(self.random.below(150)));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Hands the tree over, sees what the original recovers, and takes it back with a record of the original's.
    fn goes_over_and_back(&mut self, step: &str) {
        self.drain_and_kill();
        let arguments = self.drain();
        let (code, _, log) = run(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), b"");
        assert_eq!(code, Some(0), "{step}: {log}");
        let recovered = original::recover_all(&self.data, INDEXES.into_iter()).unwrap();
        assert!(recovered == self.model, "{step}: it recovers {recovered:#?}, not {:#?}", self.model);
        original::deals(&self.data).unwrap();
        for index in original::indexes(&self.data) {
            assert!(!self.deleted.contains(&index), "{step}: it lists {index}, which was deleted");
        }
        if self.raw_dir.is_none() {
            self.original_receives_a_record();
        }
        self.host.start();
        let mut reader = Client::connect(self.host.reader()).unwrap();
        for (index, expected) in &self.model {
            let (state, _) = reader.recover(index).unwrap();
            assert!(state == *expected, "{step}: back again, {index} is {state:#?}, not {expected:#?}");
        }
    }

    /// The original's writer makes a segment of its own, behind the empty one.
    fn original_receives_a_record(&mut self) {
        let change = self.change(INDEXES[1]);
        let bytes = as_received(&change);
        self.applied(&change);
        let next = std::fs::read_to_string(self.data.join("dealer.next_timestamp.info")).unwrap();
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
        let time = now.max(next.trim().parse::<u128>().unwrap() + 1);
        std::fs::write(self.data.join(format!("raw/live/{time}.raw")), bytes).unwrap();
        let recovered = original::recover_all(&self.data, INDEXES.into_iter()).unwrap();
        assert!(recovered == self.model, "with what it received itself");
    }
}

/// A record as the original's raw log has it.
fn as_received(change: &Change) -> Vec<u8> {
    let mut bytes = vec![10, 0, 2];
    bytes.extend_from_slice(&1_700_000_000_000u64.to_be_bytes());
    record(&mut bytes, change);
    bytes
}

/// Segments of all indexes whose names contain `word`.
fn segments(data: &Path, word: &str) -> Vec<PathBuf> {
    let folders = INDEXES.into_iter().flat_map(|index| {
        ["segments", "optimized"].map(|folder| data.join("indexes").join(index).join(folder))
    });
    let files = folders.filter_map(|folder| std::fs::read_dir(folder).ok()).flatten();
    let paths = files.filter_map(|entry| Some(entry.ok()?.path()));
    let of_kind = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap();
        name.contains(word) && !name.ends_with(".sum") && !name.starts_with('.')
    };
    paths.filter(of_kind).collect()
}

/// Whether there are segments of this kind that were not there `before`.
fn comes(word: &'static str, data: &Path) -> impl Fn(&Path) -> bool + use<> {
    let before = segments(data, word);
    move |data| segments(data, word).iter().any(|path| !before.contains(path))
}

fn steps(world: &mut World) {
    let data = world.data.clone();
    world.killed_when("dealing", comes("unsorted_", &data));
    world.goes_over_and_back("dealing");

    world.killed_when("sorting", comes(".sorted_", &data));
    world.goes_over_and_back("sorting");

    // Only the cleaner removes these.
    let merged = || [segments(&data, ".sorted_"), segments(&data, "optimized_")].concat();
    let (covered, optimized) = (merged(), comes("optimized_", &data));
    for index in INDEXES {
        let mut manager = Client::connect(world.host.manager()).unwrap();
        manager.call("enqueue_for_optimization", &enqueue(index, 1, 1.0)).unwrap();
    }
    world.killed_when("optimizing", optimized);
    world.host.start();
    world.killed_when("cleaning", |_| covered.iter().any(|path| !path.exists()));
    world.goes_over_and_back("cleaning");

    world.delete(INDEXES[0]);
    world.host.kill();
    world.goes_over_and_back("deleting");
    world.delete(INDEXES[1]);
    world.killed_when("dealing what was written anew", comes("unsorted_", &data));
    world.goes_over_and_back("dealing what was written anew");
    let folder = data.join("indexes").join(INDEXES[2]);
    world.delete(INDEXES[2]);
    let began = Instant::now();
    while folder.exists() && began.elapsed() < PATIENCE {
        std::thread::yield_now();
    }
    world.host.kill();
    world.goes_over_and_back("removing what was deleted");
}

#[test]
fn kill_9_at_each_step_leaves_a_tree_to_hand_over() {
    let rounds = needs::number("LOGTANK_TEST_HANDOVERS", if needs::is_long() { 20 } else { 1 });
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::new(folder.path(), false);
    world.host.start();
    for _ in 0..rounds {
        steps(&mut world);
    }
    world.host.stop();
}

#[test]
fn with_a_raw_folder_elsewhere_the_tree_is_handed_over_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::new(folder.path(), true);
    world.host.start();
    let data = world.data.clone();
    for step in ["dealing", "dealing again"] {
        world.killed_when(step, comes("unsorted_", &data));
        world.goes_over_and_back(step);
    }
    world.host.stop();
}

#[test]
fn the_rules_of_the_original_recover_what_it_recovered() {
    for (tree, recovery) in [
        ("01-live-only", "02-live-read-idx1.json"),
        ("01-live-only", "02-live-read-idx3.json"),
        ("10-three-unsorted", "10-three-unsorted-k.json"),
        ("10-three-unsorted", "10-three-unsorted-m.json"),
        ("14-optimized-sorted-unsorted-live", "14-optimized-sorted-unsorted-live-k.json"),
        ("14-optimized-sorted-unsorted-live", "14-optimized-sorted-unsorted-live-m.json"),
    ] {
        let (index, expected) = golden::expected_of(recovery);
        let tree = golden::golden().join("tree").join(tree);
        let mut state = original::recover(&tree, &index).unwrap();
        for bits in state.values_mut().flat_map(|document| document.variables.values_mut()) {
            if f64::from_bits(*bits).is_nan() {
                *bits = f64::NAN.to_bits();
            }
        }
        assert!(state == expected, "{recovery}: {state:#?}, expected {expected:#?}");
    }
}

#[test]
fn a_host_that_received_nothing_is_handed_over() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut host = Host::started(&data, &[]);
    host.stop();
    for _ in 0..2 {
        let (code, _, log) = run(&["drain", "--data", data.to_str().unwrap()], b"");
        assert_eq!(code, Some(0), "{log}");
        assert_eq!(original::recover(&data, "any"), Ok(State::new()));
        original::deals(&data).unwrap();
    }
    host.start();
    host.stop();
}

#[test]
fn an_index_of_the_original_that_can_not_be_one_here_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let segment = data.join("indexes/a b/segments/2026.11.22-10.33.41.999.unsorted_1");
    std::fs::create_dir_all(segment.parent().unwrap()).unwrap();
    std::fs::create_dir_all(data.join("raw/live")).unwrap();
    let change = |index: &str| Change {
        index: index.to_owned(),
        docid: "d".to_owned(),
        categories: Some(vec![("color".to_owned(), "red".to_owned())]),
        ..Change::default()
    };
    std::fs::write(&segment, as_received(&change("a b"))).unwrap();
    let undealt = [as_received(&change("a b")), as_received(&change("fine"))].concat();
    std::fs::write(data.join("raw/live/1795343624000.raw"), undealt).unwrap();
    std::fs::write(data.join("dealer.next_timestamp.info"), "1795343624000").unwrap();
    std::fs::write(data.join("safe_to_read"), "").unwrap();
    let no_text = std::ffi::OsStr::from_bytes(b"\xe9t\xe9");
    std::fs::create_dir(data.join("indexes").join(no_text)).unwrap();
    let path = data.to_str().unwrap();
    let (code, findings, log) = run(&["verify", path], b"");
    assert_eq!(code, Some(1), "{log}");
    assert!(findings.contains(r#"indexes/\xE9t\xE9": the name of an index that is no text"#), "{findings}");
    assert!(findings.contains("indexes/a b: an index of the original"), "{findings}");
    let (code, _, log) = run(&["drain", "--data", path], b"");
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("1 records that belong to no index were set aside"), "{log}");
    assert_eq!(std::fs::read(&segment).unwrap(), as_received(&change("a b")), "left as it is");
    assert_eq!(original::recover(&data, "fine").unwrap().len(), 1);
    let mut host = Host::started(&data, &[]);
    host.logs("indexes/a b");
    host.logs(r"indexes/\xE9t\xE9");
    host.stop();
}

/// A slave of the original was promoted, and its tree comes here: its own raw segments begin before the checkpoint, which is its
/// former master's, and hold what was received after it.
#[test]
fn a_slave_that_was_promoted_is_taken_over_whole() {
    for later in [&[][..], &[1_795_343_700_000u64]] {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("storage");
        let change = |docid: &str, color: &str| Change {
            index: "m".to_owned(),
            docid: docid.to_owned(),
            categories: Some(vec![("color".to_owned(), color.to_owned())]),
            ..Change::default()
        };
        let received: Vec<_> =
            ["red", "green", "blue", "black"].iter().map(|color| change("d", color)).collect();
        let bytes = |changes: &[Change]| changes.iter().flat_map(as_received).collect::<Vec<u8>>();
        let segments = data.join("indexes/m/segments");
        std::fs::create_dir_all(&segments).unwrap();
        std::fs::create_dir_all(data.join("raw/live")).unwrap();
        std::fs::create_dir(data.join("raw/history")).unwrap();
        // Of its master: the first two are dealt. What it received itself begins with the second.
        std::fs::write(data.join("dealer.next_timestamp.info"), "1795343624000").unwrap();
        let dealt = segments.join("2026.11.22-10.33.41.999.unsorted_3");
        std::fs::write(&dealt, bytes(&[change("gone", "white"), received[0].clone(), received[1].clone()]))
            .unwrap();
        let own = [&received[1..3], &received[3..]];
        let mut times = vec![1_795_343_610_000];
        times.extend(later);
        let live = |time: &u64| data.join(format!("raw/live/{time}.raw"));
        if later.is_empty() {
            std::fs::write(live(&times[0]), bytes(&received[1..])).unwrap();
        } else {
            times.iter().zip(own).for_each(|(time, own)| std::fs::write(live(time), bytes(own)).unwrap());
        }
        for flag in ["master", "storage/safe_to_read"] {
            std::fs::write(folder.path().join(flag), "").unwrap();
        }
        let mut expected = State::new();
        for change in [&change("gone", "white")].into_iter().chain(&received) {
            let mut bytes = Vec::new();
            record(&mut bytes, change);
            apply(&mut expected, &RecordView::parse(&bytes).unwrap().0);
        }
        let mut host = Host::started(&data, &["--shards", "1"]);
        host.logs("1 raw segments of the original began before");
        let mut reader = Client::connect(host.reader()).unwrap();
        let (state, _) = reader.recover("m").unwrap();
        assert!(state == expected, "{state:#?}");
        host.stop();
        let (code, _, log) = run(&["drain", "--data", data.to_str().unwrap()], b"");
        assert_eq!(code, Some(0), "{log}");
        let (code, findings, log) = run(&["verify", data.to_str().unwrap()], b"");
        assert_eq!(code, Some(0), "{findings}{log}");
        // And by the rules of the original, to which it goes back.
        assert!(original::recover(&data, "m").unwrap() == expected);
        original::deals(&data).unwrap();
    }
}
