//! What a host makes of a drive whose power was cut.

use std::collections::BTreeMap;
use std::time::Duration;

use logtank_tests::apply::State;
use logtank_tests::client::Client;
use logtank_tests::history::PowerCut;
use logtank_tests::host::{Host, complaints};
use logtank_tests::metrics::metric;
use logtank_tests::thrift::Change;

use super::deletions::INDEX;
use super::run::{Sent, Setting, T, text};

/// What a reply may take from the host to its client on a busy machine; the client's clock is the one that counts here.
const REPLY_TIME: Duration = Duration::from_millis(250);

/// What was seen in one image.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Batches acknowledged before the cut.
    pub(super) acknowledged: usize,
    /// Batches acknowledged and missing.
    pub(super) lost: usize,
    /// How long before the cut the oldest batch that is missing was acknowledged.
    pub(super) oldest_lost: Option<Duration>,
    /// From that acknowledgement to the last one before the cut: what the interval bounds.
    pub(super) span: Option<Duration>,
    /// Positions that the host reported as missing.
    pub(super) reported: f64,
    /// What must not be so.
    pub(super) wrong: Vec<String>,
    /// What the host said when it started, if something is wrong: the first clue.
    log: String,
}

impl Seen {
    /// # Panics
    /// If something is wrong.
    pub(super) fn assert(&self, setting: &Setting) {
        let (wrong, log) = (&self.wrong, &self.log);
        let first = &wrong[..wrong.len().min(5)];
        assert!(
            wrong.is_empty(),
            "{}: {} wrong, first: {first:#?}\nlog:\n{log}",
            setting.name(),
            wrong.len()
        );
    }
}

fn recovered(host: &Host, sent: &Sent) -> (BTreeMap<u32, State>, State) {
    let mut reader = Client::connect(host.reader()).unwrap();
    let indexes = sent.history.indexes();
    let states = indexes.map(|(index, name)| (index, reader.recover(&name).unwrap().0)).collect();
    (states, reader.recover(INDEX).unwrap().0)
}

/// Starts the host on what a cut left, and checks all that was promised. `thorough` also: what is gone stays gone over
/// a kill and a second start, new batches are taken, every byte checks out, and dealing everything changes nothing.
pub(super) fn judge(host: &mut Host, setting: &Setting, sent: &Sent, cut: PowerCut, thorough: bool) -> Seen {
    host.start();
    let reported = metric(host.metrics(), "logtank_recovery_lost_positions").unwrap();
    let damaged = metric(host.metrics(), "logtank_recovery_damaged").unwrap();
    let first = recovered(host, sent);
    let mut after = sent.history.check_after_cut(&first.0, cut);
    let mut wrong = std::mem::take(&mut after.wrong);
    wrong.extend(sent.deletions.check(&first.1, cut, setting.is_always()));
    let (oldest_lost, span) = (after.oldest_lost(), after.span());
    if setting.is_always() && !after.lost.is_empty() {
        wrong.push(format!("{} acknowledged batches are lost", after.lost.len()));
    }
    if span.is_some_and(|span| span > T + REPLY_TIME) {
        wrong.push(format!(
            "batches were acknowledged {span:?} after the oldest that is lost: more than the interval of {T:?}"
        ));
    }
    if damaged > 0.0 {
        wrong.push(format!("{damaged} places of sealed segments are damaged"));
    }
    if thorough && wrong.is_empty() {
        wrong = live_on(host, sent, &first);
    }
    let log = if wrong.is_empty() { String::new() } else { host.log() };
    host.kill();
    let (acknowledged, lost) = (after.acknowledged, after.lost.len());
    Seen { acknowledged, lost, oldest_lost, span, reported, wrong, log }
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
    wrong.extend(complaints(&text(host.data())));
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
