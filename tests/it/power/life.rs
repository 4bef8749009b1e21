//! A short life of a host in which it does everything once: it starts on a tree that has something in every state, takes
//! batches, deals, sorts, optimizes, deletes, is read and stops. What it said meanwhile must hold when the drive is well again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use logtank_faultfs::{Drive, Filesystem, Mounted, Store};
use logtank_tests::apply::{State, apply};
use logtank_tests::client::{Client, Failure};
use logtank_tests::host::{Host, complaints};
use logtank_tests::metrics::metric;
use logtank_tests::thrift::{self, Change, enqueue, index_code};
use logtank_tests::wait::{comes, eventually};
use logtank_wire::record::RecordView;

use super::run::{DRIVE_BYTES, text};

const KEPT: &str = "kept";
const DELETED: &str = "deleted";

/// How long a life waits for what may never come: dealing on a drive that fails.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// How long a host may take to end, or to go on when the drive is well.
const PATIENCE_WITH_HOST: Duration = Duration::from_secs(60);

/// How a host is made on a mounted drive.
pub(super) type MakeHost<'a> = &'a (dyn Fn(&std::path::Path) -> Host + Sync);

/// What is known of the batches, each of one document.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    documents: BTreeMap<String, Answer>,
    deletion: Option<Answer>,
    sent: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Acknowledged,
    Refused,
    /// The connection broke.
    Doubtful,
}

impl From<Result<(), Failure>> for Answer {
    fn from(result: Result<(), Failure>) -> Self {
        match result {
            Ok(()) => Self::Acknowledged,
            Err(Failure::Refused(_)) => Self::Refused,
            Err(Failure::Connection(_)) => Self::Doubtful,
        }
    }
}

/// How a life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    /// It said why it does not start.
    DidNotStart,
    /// It gave up by itself, and said so by its exit code.
    GaveUp,
    /// It went on, took batches when the drive was well, and stopped in good order.
    WentOn,
}

fn change(index: &str, docid: &str) -> Change {
    Change {
        index: index.into(),
        docid: docid.into(),
        fields: Some(vec![("t".into(), docid.repeat(400))]),
        ..Change::default()
    }
}

impl Known {
    fn send(&mut self, client: &mut Client, index: &str) -> Answer {
        let docid = format!("{index}-{}", self.sent);
        self.sent += 1;
        let answer = client.send_batch(&[change(index, &docid)]).into();
        self.documents.insert(docid, answer);
        answer
    }

    fn acknowledged(&self) -> usize {
        self.documents.values().filter(|answer| **answer == Answer::Acknowledged).count()
    }

    /// What is wrong with what is there of an index.
    fn check(&self, index: &str, state: &State) -> Vec<String> {
        let mut wrong = Vec::new();
        let of_index = format!("{index}-");
        let known: BTreeMap<_, _> =
            self.documents.iter().filter(|(docid, _)| docid.starts_with(&of_index)).collect();
        let deletion = if index == DELETED { self.deletion } else { None };
        for (docid, document) in state {
            let docid = String::from_utf8_lossy(docid).into_owned();
            match known.get(&docid) {
                None => wrong.push(format!("{docid} was never sent")),
                Some(Answer::Refused) => wrong.push(format!("{docid} was refused and is there")),
                Some(Answer::Acknowledged | Answer::Doubtful) => {}
            }
            let mut expected = State::new();
            let mut bytes = Vec::new();
            thrift::record(&mut bytes, &change(index, &docid));
            apply(&mut expected, &RecordView::parse(&bytes).expect("a record").0);
            if expected.values().next() != Some(document) {
                wrong.push(format!("{docid} is not what was sent"));
            }
        }
        let acknowledged: BTreeSet<&String> = known
            .iter()
            .filter(|(_, answer)| ***answer == Answer::Acknowledged)
            .map(|(docid, _)| *docid)
            .collect();
        let missing = acknowledged.iter().filter(|docid| !state.contains_key(docid.as_bytes())).count();
        let allowed = match deletion {
            None => missing == 0,
            Some(Answer::Acknowledged) => state.is_empty(),
            // One that failed may hold or not, and may be asked for again.
            Some(Answer::Refused | Answer::Doubtful) => missing == 0 || state.is_empty(),
        };
        if !allowed {
            wrong.push(format!(
                "{index}: {missing} of {} acknowledged documents are missing, {} are there; deletion: {deletion:?}",
                acknowledged.len(),
                state.len()
            ));
        }
        wrong
    }
}

/// A drive's content: a tree with an optimized segment, unsorted ones, and epochs that are not dealt; what is in it.
pub(super) fn tree(filesystem: Filesystem, host: MakeHost<'_>) -> (Store, Known) {
    let drive = Drive::new(Store::new(DRIVE_BYTES)).unwrap();
    filesystem.make(&drive).unwrap();
    let mounted = Mounted::new(&drive, filesystem).unwrap();
    let mut host = host(mounted.path());
    host.start();
    let mut known = Known::default();
    let mut client = Client::connect(host.writer()).unwrap();
    for epoch in 1..=4 {
        for number in 0..12 {
            let index = if number % 4 == 3 { DELETED } else { KEPT };
            assert_eq!(known.send(&mut client, index), Answer::Acknowledged);
        }
        let counted = |name: &str, least: usize| {
            eventually(name, || metric(host.metrics(), name).is_some_and(|count| count >= least as f64));
        };
        if epoch < 4 {
            counted("logtank_dealt_records_total", known.acknowledged());
        }
        if epoch == 2 {
            let mut manager = Client::connect(host.manager()).unwrap();
            manager.call("enqueue_for_optimization", &enqueue(KEPT, 1, 1.0)).unwrap();
            counted("logtank_optimizations_total", 1);
        }
    }
    host.kill();
    drop(mounted);
    (drive.store(), known)
}

/// Lives on the mounted tree while something is wrong with the drive, until `heal`. Returns the host's log, too.
pub(super) fn live(host: &mut Host, known: &mut Known, heal: impl FnOnce()) -> (End, String) {
    if let Err((status, log)) = host.try_start() {
        let code = status.and_then(|status| status.code());
        assert!(code.is_some_and(|code| code != 0 && code != 101), "no orderly refusal ({status:?}):\n{log}");
        assert!(log.lines().any(|line| !line.trim().is_empty()), "it does not say why it does not start");
        heal();
        return (End::DidNotStart, log);
    }
    work(host, known);
    heal();
    let goes_on = comes(PATIENCE_WITH_HOST, || {
        let mut client = Client::connect(host.writer()).ok();
        client.as_mut().is_some_and(|client| known.send(client, KEPT) == Answer::Acknowledged)
            || host.has_ended()
    });
    if !host.has_ended() {
        // A filesystem that an error has made read-only stays so when the drive is well again.
        let says_why = host.log().contains("is read-only; look at the drive");
        assert!(goes_on || says_why, "the drive is well, and no batch is taken; its log:\n{}", host.log());
        host.signal("TERM");
        assert!(comes(PATIENCE_WITH_HOST, || host.has_ended()), "it does not stop; its log:\n{}", host.log());
    }
    let (status, log) = host.wait();
    assert!(!log.contains("panicked"), "{log}");
    match status.code() {
        Some(0) => (End::WentOn, log),
        Some(78) => (End::GaveUp, log),
        _ => panic!("no orderly end ({status}):\n{log}"),
    }
}

/// Everything that a host is asked for, whatever comes of it.
fn work(host: &mut Host, known: &mut Known) {
    for _ in 0..12 {
        let Ok(mut client) = Client::connect(host.writer()) else { return };
        known.send(&mut client, KEPT);
    }
    if let Ok(mut manager) = Client::connect(host.manager()) {
        let _ = manager.call("enqueue_for_optimization", &enqueue(KEPT, 1, 1.0));
        known.deletion = Some(manager.call("delete_index", &index_code(DELETED)).map(drop).into());
        let _ = manager.call("get_index_log_info", &index_code(KEPT));
    }
    let metrics = host.metrics();
    let count = |name: &str| metric(metrics, name).unwrap_or(0.0);
    comes(PATIENCE, || {
        let all = count("logtank_dealt_epochs_total") >= 2.0 && count("logtank_optimizations_total") >= 1.0;
        all || host.has_ended()
    });
    if let Ok((state, _)) =
        Client::connect(host.reader()).map_err(Failure::from).and_then(|mut reader| reader.recover(KEPT))
    {
        let wrong = known.check(KEPT, &state);
        assert!(wrong.is_empty(), "while the drive fails: {wrong:#?}\nlog:\n{}", host.log());
    }
}

/// What is wrong when the drive is well and mounted anew, so that nothing comes from the page cache.
pub(super) fn aftermath(host: &mut Host, known: &Known) -> Vec<String> {
    let states = |host: &Host| {
        let mut reader = Client::connect(host.reader()).unwrap();
        [KEPT, DELETED].map(|index| reader.recover(index).unwrap().0)
    };
    host.start();
    let first = states(host);
    let mut wrong = known.check(KEPT, &first[0]);
    wrong.extend(known.check(DELETED, &first[1]));
    host.stop();
    wrong.extend(complaints(&text(host.data())));
    host.start();
    if states(host) != first {
        wrong.push("dealing everything changed something".to_owned());
    }
    host.kill();
    wrong
}
