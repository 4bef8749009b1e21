//! An index that is written, deleted and written anew, again and again; what is there of it after a power cut.

use std::net::SocketAddr;
use std::time::Instant;

use logtank_tests::apply::State;
use logtank_tests::client::{Client, Failure};
use logtank_tests::history::PowerCut;
use logtank_tests::thrift::{Change, index_code};

/// Its name.
pub(super) const INDEX: &str = "deleted";

/// When the steps of a round were begun, and when answered.
#[derive(Debug, Default)]
struct Round {
    begun: Option<Instant>,
    deleting: Option<Instant>,
    deleted: Option<Instant>,
    written: Option<Instant>,
}

/// All rounds of a run.
#[derive(Debug, Default)]
pub(super) struct Deletions {
    rounds: Vec<Round>,
}

fn add(docid: String) -> Change {
    Change { index: INDEX.into(), docid, fields: Some(vec![("t".into(), "x".into())]), ..Change::default() }
}

impl Deletions {
    /// Writes `old-N`, deletes the index, writes `new-N`.
    pub(super) fn round(&mut self, writer: SocketAddr, manager: SocketAddr) -> Result<(), Failure> {
        let number = self.rounds.len();
        self.rounds.push(Round::default());
        let round = &mut self.rounds[number];
        let mut client = Client::connect(writer)?;
        round.begun = Some(Instant::now());
        client.send_batch(&[add(format!("old-{number}"))])?;
        let mut manager = Client::connect(manager)?;
        round.deleting = Some(Instant::now());
        manager.call("delete_index", &index_code(INDEX))?;
        round.deleted = Some(Instant::now());
        client.send_batch(&[add(format!("new-{number}"))])?;
        round.written = Some(Instant::now());
        Ok(())
    }

    /// What is wrong with what is there after a cut; `always` if nothing acknowledged may be missing.
    pub(super) fn check(&self, state: &State, cut: PowerCut, always: bool) -> Vec<String> {
        let mut wrong = Vec::new();
        let before = |at: Option<Instant>| at.is_some_and(|at| at <= cut.from);
        let begun = |at: Option<Instant>| at.is_some_and(|at| at <= cut.to);
        let is_there = |kind: &str, number: usize| state.contains_key(format!("{kind}-{number}").as_bytes());
        let gone_below =
            self.rounds.iter().rposition(|round| before(round.deleted)).map_or(0, |last| last + 1);
        for (number, round) in self.rounds.iter().enumerate() {
            if is_there("old", number) && number < gone_below {
                wrong.push(format!("old-{number} is there, but round {} deleted it", gone_below - 1));
            }
            if is_there("new", number) && number + 1 < gone_below {
                wrong.push(format!("new-{number} is there, but round {} deleted it", gone_below - 1));
            }
            if !begun(round.begun) && (is_there("old", number) || is_there("new", number)) {
                wrong.push(format!("round {number} is there, but began after the cut"));
            }
            let next_deletes = self.rounds.get(number + 1).is_some_and(|next| begun(next.deleting));
            if always && before(round.written) && !next_deletes && !is_there("new", number) {
                wrong.push(format!("new-{number} was acknowledged and is not there"));
            }
        }
        wrong
    }
}
