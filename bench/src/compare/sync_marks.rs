//! A run during which the host is asked when it synced.

use std::io::Result;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::runner::{Run, Runner};
use crate::http::get;
use crate::machine;

/// The host counts its fdatasyncs; when one was, shows only who asks often.
const ASK_EVERY: Duration = Duration::from_millis(25);
const COUNTER: &str = "logtank_syncs_total";

pub(super) fn run(runner: &mut Runner<'_>, run: &Run<'_>) -> Result<()> {
    machine::settle(&[&runner.context.dir])?;
    let server = run.peer.start(&runner.context, run.connections, 1)?;
    let Some(metrics) = server.metrics else { return Ok(()) };
    let (over, is_over) = channel();
    let watch = std::thread::spawn(move || watch(metrics, &is_over));
    let outcome = runner.load(run, &server).map(|_| ());
    let ended = Instant::now();
    drop(over);
    let marks = watch.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    outcome?;
    let cell = runner.results.cells.last_mut().expect("the run has just added one");
    // The last slot ends with the run, nearly.
    let began = ended.checked_sub(Duration::from_secs_f64(cell.measured.seconds)).unwrap_or(ended);
    cell.server.syncs_at_s =
        marks.into_iter().filter(|mark| *mark >= began).map(|mark| (mark - began).as_secs_f64()).collect();
    Ok(())
}

fn watch(metrics: SocketAddr, is_over: &Receiver<()>) -> Vec<Instant> {
    let (mut marks, mut before) = (Vec::new(), None);
    while is_over.recv_timeout(ASK_EVERY) == Err(RecvTimeoutError::Timeout) {
        // A host that does not answer in time is asked again.
        let Ok(Some(count)) = syncs(metrics) else { continue };
        if before.is_some_and(|before| count > before) {
            marks.push(Instant::now());
        }
        before = Some(count);
    }
    marks
}

fn syncs(metrics: SocketAddr) -> Result<Option<f64>> {
    Ok(sum(&get(metrics, "/metrics")?.1))
}

/// Over all shards.
fn sum(text: &str) -> Option<f64> {
    let lines = text.lines().filter(|line| line.starts_with(COUNTER));
    let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    values.reduce(|sum, value| sum + value)
}

#[cfg(test)]
mod tests {
    #[test]
    fn shards_are_added_up() {
        let text = "# TYPE logtank_syncs counter\nlogtank_syncs_total{shard=\"0\"} 3\nlogtank_syncs_total{shard=\"1\"} 4\n";
        assert_eq!(super::sum(text), Some(7.0));
        assert_eq!(super::sum("logtank_turns_total 1\n"), None);
    }
}
