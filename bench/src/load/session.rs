//! Joins source, pace and measuring: told what arrives, says what goes out.

use std::io::{Error, Result};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::clients::{Clients, Turn};
use super::engine::Edge;
use super::ledger::Ledger;
use super::live::Live;
use super::measure::Measure;
use super::pace::Pace;
use super::source::Source;
use crate::machine;
use crate::protocol::{Replies, Reply};

/// How long replies may take after the end.
const GRACE: Duration = Duration::from_secs(10);

/// When a run does what.
#[derive(Debug)]
pub(super) struct Plan {
    /// Records of a request.
    pub(super) batch: usize,
    pub(super) measure_from: Instant,
    pub(super) measure_to: Instant,
    pub(super) pace: Option<Pace>,
    pub(super) spin: bool,
    pub(super) requests_max: Option<u64>,
}

/// What became of a run.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) measure: Measure,
    pub(super) measured: Duration,
    pub(super) refused: u64,
    pub(super) broken: u64,
    pub(super) processor: Duration,
    pub(super) ledger: Option<Ledger>,
}

pub(super) struct Session<'a> {
    plan: Plan,
    source: Source,
    replies: Vec<Replies>,
    /// When the request under way was due.
    due: Vec<Option<Instant>>,
    /// Connections without a request under way.
    free: Vec<usize>,
    broken: Vec<bool>,
    under_way: usize,
    requests: u64,
    measure: Measure,
    refused: u64,
    live: Live,
    edge: &'a mut dyn FnMut(Edge),
    phase: Phase,
    processor_before: Duration,
    processor: Duration,
    last_counted: Instant,
    failure: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    New,
    WarmingUp,
    Measuring,
    Draining,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        plan: Plan,
        source: Source,
        replies: Vec<Replies>,
        live: Live,
        edge: &'a mut dyn FnMut(Edge),
    ) -> Self {
        let connections = replies.len();
        Self {
            measure: Measure::new(plan.measure_from, plan.batch),
            last_counted: plan.measure_from,
            plan,
            source,
            replies,
            due: vec![None; connections],
            free: (0..connections).rev().collect(),
            broken: vec![false; connections],
            under_way: 0,
            requests: 0,
            refused: 0,
            live,
            edge,
            phase: Phase::New,
            processor_before: Duration::ZERO,
            processor: Duration::ZERO,
            failure: None,
        }
    }

    /// Whether anything was sent.
    pub(super) fn has_begun(&self) -> bool {
        self.phase != Phase::New
    }

    /// # Errors
    /// If nothing was measured.
    pub(super) fn finish(self) -> Result<Outcome> {
        self.live.end();
        let broken = self.broken.iter().filter(|broken| **broken).count() as u64;
        if self.measure.all.is_empty() {
            let why = self.failure.unwrap_or_else(|| "no reply came while it measured".to_owned());
            return Err(Error::other(why));
        }
        if let Some(why) = &self.failure {
            eprintln!("logtank-bench: {why}");
        }
        let ledger = match self.source {
            Source::Prebuilt { .. } => None,
            Source::Fresh { ledger, .. } => ledger,
        };
        let ledger = ledger.map(|mut ledger| {
            ledger.close();
            ledger
        });
        // In open loop, what was due in time may have been answered later; in closed loop the last reply may end it.
        let end = if self.plan.requests_max.is_some() {
            self.last_counted
        } else {
            self.plan.measure_to.max(self.last_counted)
        };
        Ok(Outcome {
            measured: (end - self.plan.measure_from).max(Duration::from_nanos(1)),
            measure: self.measure,
            refused: self.refused,
            broken,
            processor: self.processor,
            ledger,
        })
    }

    fn count(&mut self, connection: usize, now: Instant) {
        let due = self.due[connection].take().expect("a reply to a request");
        self.under_way -= 1;
        self.free.push(connection);
        // In open loop what was due while measuring counts, whenever it is answered; else what was answered.
        let counts = match self.plan.pace {
            Some(_) => due >= self.plan.measure_from && due < self.plan.measure_to,
            None => now >= self.plan.measure_from && now < self.plan.measure_to,
        };
        if counts {
            self.measure.record(now, now - due);
            self.last_counted = now;
        }
    }

    fn change_phase(&mut self, now: Instant) {
        if self.phase == Phase::New {
            self.phase = Phase::WarmingUp;
        }
        if self.phase == Phase::WarmingUp && now >= self.plan.measure_from {
            self.phase = Phase::Measuring;
            (self.edge)(Edge::Begin);
            self.processor_before = machine::of_this_thread();
        }
        let all_sent = self.plan.requests_max.is_some_and(|most| self.requests >= most);
        if self.phase == Phase::Measuring && (now >= self.plan.measure_to || all_sent && self.under_way == 0)
        {
            self.phase = Phase::Draining;
            self.processor = machine::of_this_thread() - self.processor_before;
            (self.edge)(Edge::End);
        }
    }

    fn send_due(&mut self, now: Instant, send: &mut Vec<(usize, Bytes)>) {
        while let Some(&connection) = self.free.last() {
            if self.plan.requests_max.is_some_and(|most| self.requests >= most) {
                return;
            }
            let due = match &mut self.plan.pace {
                None if now < self.plan.measure_to => now,
                // All connections busy: what is due waits, and its latency counts the waiting, also beyond the end.
                Some(pace) if pace.next() <= now && pace.next() < self.plan.measure_to => {
                    let due = pace.next();
                    pace.take();
                    due
                }
                None | Some(_) => return,
            };
            self.free.pop();
            self.due[connection] = Some(due);
            self.under_way += 1;
            self.requests += 1;
            send.push((connection, self.source.next(connection)));
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        let late = now >= self.plan.measure_to + GRACE;
        let owes = match &self.plan.pace {
            Some(pace) => pace.next() < self.plan.measure_to && self.plan.requests_max.is_none(),
            None => false,
        };
        let all_broken = self.free.is_empty() && self.under_way == 0;
        late || all_broken || self.phase == Phase::Draining && self.under_way == 0 && !owes
    }
}

impl Clients for Session<'_> {
    fn received(&mut self, connection: usize, bytes: &[u8]) {
        if self.due[connection].is_none() {
            return;
        }
        let reply = self.replies[connection].take(bytes);
        match reply {
            Reply::Incomplete => {}
            Reply::Acknowledged => {
                self.count(connection, Instant::now());
                if let Some(ledger) = self.source.ledger() {
                    ledger.acknowledge(connection);
                }
            }
            Reply::Refused(why) => {
                self.refused += 1;
                self.failure.get_or_insert_with(|| format!("a batch was refused: {why}"));
                self.due[connection] = None;
                self.under_way -= 1;
                self.free.push(connection);
                if let Some(ledger) = self.source.ledger() {
                    ledger.refuse(connection);
                }
            }
        }
    }

    fn closed(&mut self, connection: usize, why: Error) {
        if self.phase == Phase::Draining && self.due[connection].is_none() {
            return;
        }
        self.failure.get_or_insert_with(|| format!("a connection broke: {why}"));
        self.broken[connection] = true;
        self.free.retain(|free| *free != connection);
        if self.due[connection].take().is_some() {
            self.under_way -= 1;
        }
        if let Some(ledger) = self.source.ledger() {
            ledger.doubt(connection);
        }
    }

    fn turn(&mut self, send: &mut Vec<(usize, Bytes)>) -> Turn {
        let now = Instant::now();
        self.change_phase(now);
        if self.is_over(now) {
            return Turn::End;
        }
        self.send_due(now, send);
        self.live.tell(now, &self.measure, self.refused);
        if self.plan.spin {
            return Turn::Poll;
        }
        let phase_ends = match self.phase {
            Phase::New | Phase::WarmingUp => self.plan.measure_from,
            Phase::Measuring => self.plan.measure_to,
            Phase::Draining => self.plan.measure_to + GRACE,
        };
        let wake = match &self.plan.pace {
            Some(pace) if !self.free.is_empty() && pace.next() < self.plan.measure_to => {
                phase_ends.min(pace.next())
            }
            Some(_) | None => phase_ends,
        };
        match wake.saturating_duration_since(now) {
            Duration::ZERO => Turn::Poll,
            patience => Turn::Wait(patience),
        }
    }
}
