//! What a host makes of a drive whose power was cut.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use logtank_tests::apply::State;
use logtank_tests::client::Client;
use logtank_tests::host::{Host, run};
use logtank_tests::metrics::metric;
use logtank_tests::thrift::Change;

use super::deletions::INDEX;
use super::run::{Sent, Setting, T, text};

/// What was seen in one image.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Batches acknowledged before the cut.
    pub(super) acknowledged: usize,
    /// How long before the cut the oldest batch that is missing was acknowledged.
    pub(super) oldest_lost: Option<Duration>,
    /// Batches acknowledged and missing.
    pub(super) lost: usize,
    /// Positions that the host reported as missing.
    pub(super) reported: f64,
}

fn recovered(host: &Host, sent: &Sent) -> (BTreeMap<u32, State>, State) {
    let mut reader = Client::connect(host.reader()).unwrap();
    let indexes = sent.history.indexes();
    let states = indexes.map(|(index, name)| (index, reader.recover(&name).unwrap().0)).collect();
    (states, reader.recover(INDEX).unwrap().0)
}

/// Starts the host on what a cut left, and checks all that was promised. `thorough` also: what is gone stays gone over
/// a kill and a second start, new batches are taken, every byte checks out, and dealing everything changes nothing.
pub(super) fn judge(host: &mut Host, setting: &Setting, sent: &Sent, cut: Instant, thorough: bool) -> Seen {
    // A host that had stopped acknowledging before the power went can't have lost what it promised meanwhile.
    let silent =
        sent.history.last_acknowledged().map_or(Duration::ZERO, |last| cut.saturating_duration_since(last));
    host.start();
    let reported = metric(host.metrics(), "logtank_recovery_lost_positions").unwrap();
    let damaged = metric(host.metrics(), "logtank_recovery_damaged").unwrap();
    let first = recovered(host, sent);
    let after = sent.history.check_after_cut(&first.0, cut);
    let mut wrong = after.wrong;
    wrong.extend(sent.deletions.check(&first.1, cut, setting.is_always()));
    let oldest_lost = after.lost.iter().max().map(|age| age.saturating_sub(silent));
    if setting.is_always() && !after.lost.is_empty() {
        wrong.push(format!("{} acknowledged batches are lost", after.lost.len()));
    }
    if oldest_lost.is_some_and(|age| age > T) {
        wrong.push(format!("a batch is lost that was acknowledged {oldest_lost:?} before the cut"));
    }
    if damaged > 0.0 {
        wrong.push(format!("{damaged} places of sealed segments are damaged"));
    }
    if thorough && wrong.is_empty() {
        wrong = live_on(host, sent, &first);
    }
    let mut log = String::new();
    if !wrong.is_empty() {
        // What the start said about the raw log is the first clue.
        log = host.log();
    }
    assert!(
        wrong.is_empty(),
        "{}: {} wrong, first: {:#?}\nlog:\n{log}",
        setting.name(),
        wrong.len(),
        &wrong[..wrong.len().min(5)]
    );
    host.kill();
    let (acknowledged, lost) = (after.acknowledged, after.lost.len());
    Seen { acknowledged, oldest_lost, lost, reported }
}

fn live_on(host: &mut Host, sent: &Sent, first: &(BTreeMap<u32, State>, State)) -> Vec<String> {
    let new = Change {
        index: "afterwards".into(),
        docid: "d".into(),
        fields: Some(vec![("t".into(), "x".into())]),
        ..Change::default()
    };
    Client::connect(host.writer()).unwrap().send_batch(&[new]).unwrap();
    host.kill();
    host.start();
    let mut wrong = Vec::new();
    if recovered(host, sent) != *first {
        wrong.push("a second start shows something else than the first".to_owned());
    }
    host.stop();
    let data = text(host.data());
    for arguments in [&["verify", &data][..], &["drain", "--data", &data], &["verify", &data]] {
        let (code, findings, log) = run(arguments, b"");
        if code != Some(0) {
            wrong.push(format!("{arguments:?}: {code:?}: {findings}\n{log}"));
        }
    }
    host.start();
    if recovered(host, sent) != *first {
        wrong.push("dealing everything changed something".to_owned());
    }
    let (afterwards, _) = Client::connect(host.reader()).unwrap().recover("afterwards").unwrap();
    if afterwards.len() != 1 {
        wrong.push("what was written after the cut is not there".to_owned());
    }
    wrong
}
