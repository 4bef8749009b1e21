//! The goals, judged by medians over the rounds. What was not measured has no entry.

use super::results::{Cell, Goal, Results, Spread, Which};
use crate::peers::Peer;

/// Holds what was measured against the goals of workloads.
pub(super) struct Judge<'r> {
    results: &'r Results,
    goals: Vec<Goal>,
}

pub(super) type Value = fn(&Cell) -> f64;

pub(super) const RATE: Value = |cell| cell.measured.records_per_second;
pub(super) const BYTES: Value = |cell| cell.measured.bytes_per_second / 1e6;
pub(super) const COST: Value = |cell| cell.server.processor_us_per_record;
pub(super) const P50: Value = |cell| cell.measured.latency_us.p50;
pub(super) const P999: Value = |cell| cell.measured.latency_us.p999;

impl<'r> Judge<'r> {
    pub(super) const fn new(results: &'r Results) -> Self {
        Self { results, goals: Vec::new() }
    }

    /// Those that could be judged.
    pub(super) fn goals(self) -> Vec<Goal> {
        self.goals
    }

    pub(super) fn median(
        &self,
        workload: &str,
        peer: Peer,
        connections: usize,
        mode: &str,
        value: Value,
    ) -> Option<f64> {
        let which = Which { workload, peer: peer.name(), connections, mode };
        self.results.spread(which, value).map(|spread: Spread| spread.median)
    }

    pub(super) fn at_least(&mut self, name: String, value: Option<f64>, than: Option<f64>, goal: f64) {
        if let (Some(value), Some(than)) = (value, than) {
            let value = value / than;
            self.goals.push(Goal { name, value, goal: format!("≥ {goal}"), met: value >= goal });
        }
    }

    pub(super) fn at_most(&mut self, name: String, value: Option<f64>, than: Option<f64>, goal: f64) {
        if let (Some(value), Some(than)) = (value, than) {
            let value = value / than;
            self.goals.push(Goal { name, value, goal: format!("≤ {goal}"), met: value <= goal });
        }
    }

    pub(super) fn figure(&self, workload: &str, name: &str) -> Option<f64> {
        self.results.figure(workload, name).map(|spread| spread.median)
    }
}
