//! Standard error: the only way of this program to write there. A line that can't be written is dropped and counted; it
//! neither ends the program nor blocks it.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use crate::plain::plain;

/// Bytes of lines that wait for the log's thread; beyond that they are dropped.
const QUEUE_BYTES_MAX: usize = 1 << 20;
/// At the end, for lines that still wait: whoever reads them may have stopped reading.
const PATIENCE: Duration = Duration::from_secs(2);

static DROPPED: AtomicU64 = AtomicU64::new(0);
static QUEUE: OnceLock<Queue> = OnceLock::new();

/// Prints a line to standard error without what a terminal would obey. Not as `eprintln!`, which would end the program if it could not.
macro_rules! remark {
    ($($what:tt)*) => {
        $crate::stderr::line(format_args!($($what)*))
    };
}
pub(crate) use remark;

pub(crate) fn line(what: fmt::Arguments<'_>) {
    send(format!("{}\n", plain(&what.to_string(), &['\n', '\t'])).as_bytes());
}

/// Lines that could not be written.
pub(crate) fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// From here on a thread writes the lines, so that nobody waits for whoever reads them.
pub(crate) fn start_thread() {
    if QUEUE.get().is_some() {
        return;
    }
    let write = || QUEUE.get_or_init(Queue::default).write_for_ever(write_now);
    // Without the thread the lines are written where they arise.
    if std::thread::Builder::new().name("log".to_owned()).spawn(write).is_ok() {
        QUEUE.get_or_init(Queue::default);
    }
}

/// Waits until what was sent is written, but not for long.
pub(crate) fn finish() {
    if let Some(queue) = QUEUE.get() {
        queue.finish(PATIENCE);
    }
}

fn send(text: &[u8]) {
    let taken = match QUEUE.get() {
        Some(queue) => queue.put(text),
        None => write_now(text),
    };
    if !taken {
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whether it could be written.
fn write_now(text: &[u8]) -> bool {
    io::stderr().write_all(text).is_ok()
}

/// For `tracing`, which hands over a line at a time. It never fails: a failure would be printed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stderr {
    /// Whether the lines are colored: `tracing` itself has then made the escape sequences of others harmless.
    pub(crate) colored: bool,
}

impl Stderr {
    /// One event is one line, whatever is in it: nobody outside writes lines of this log.
    fn shown(self, text: &[u8]) -> String {
        let text = String::from_utf8_lossy(text);
        let kept: &[char] = if self.colored { &['\u{1b}', '\t'] } else { &['\t'] };
        let line = plain(text.strip_suffix('\n').unwrap_or(&text), kept).into_owned();
        if text.ends_with('\n') { line + "\n" } else { line }
    }
}

impl Write for Stderr {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        send(self.shown(text).as_bytes());
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Lines on their way to the log's thread.
#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    /// One is being written.
    writing: bool,
}

impl Queue {
    /// The hook for panics uses it too, so a panic elsewhere is no reason for another.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there was room.
    fn put(&self, text: &[u8]) -> bool {
        let mut waiting = self.lock();
        if waiting.bytes + text.len() > QUEUE_BYTES_MAX {
            return false;
        }
        waiting.bytes += text.len();
        waiting.lines.push_back(text.to_owned());
        self.changed.notify_all();
        true
    }

    fn write_for_ever(&self, write: impl Fn(&[u8]) -> bool) {
        loop {
            let mut waiting = self
                .changed
                .wait_while(self.lock(), |waiting| waiting.lines.is_empty())
                .unwrap_or_else(PoisonError::into_inner);
            let Some(text) = waiting.lines.pop_front() else { continue };
            waiting.bytes -= text.len();
            waiting.writing = true;
            drop(waiting);
            if !write(&text) {
                DROPPED.fetch_add(1, Ordering::Relaxed);
            }
            self.lock().writing = false;
            self.changed.notify_all();
        }
    }

    /// Whether all is written.
    fn finish(&self, patience: Duration) -> bool {
        let busy = |waiting: &mut Waiting| waiting.writing || !waiting.lines.is_empty();
        let (_waiting, outcome) = self
            .changed
            .wait_timeout_while(self.lock(), patience, busy)
            .unwrap_or_else(PoisonError::into_inner);
        !outcome.timed_out()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn lines_are_dropped_when_nobody_writes_them() {
        let queue = Queue::default();
        let line = vec![b'x'; QUEUE_BYTES_MAX / 4];
        assert_eq!([(); 5].map(|()| queue.put(&line)), [true, true, true, true, false]);
        assert!(!queue.finish(Duration::ZERO), "nothing was written");
    }

    #[test]
    fn an_event_of_the_log_is_one_line() {
        let shown = |colored, text: &str| Stderr { colored }.shown(text.as_bytes());
        let forged = "WARN \u{1b}[2J a\nERROR the drive\u{9b}\n";
        assert_eq!(shown(false, forged), "WARN \\u001b[2J a\\u000aERROR the drive\\u009b\n");
        assert_eq!(shown(true, "\u{1b}[33m WARN\u{1b}[0m a\nb\n"), "\u{1b}[33m WARN\u{1b}[0m a\\u000ab\n");
    }

    #[test]
    fn the_end_waits_for_the_lines_that_are_being_written() {
        let queue = Arc::new(Queue::default());
        let (written, lines) = channel();
        let writer = queue.clone();
        std::thread::spawn(move || writer.write_for_ever(|text| written.send(text.to_owned()).is_ok()));
        assert!(queue.put(b"one\n") && queue.put(b"two\n"));
        assert!(queue.finish(Duration::from_secs(60)));
        assert_eq!(lines.try_iter().collect::<Vec<_>>(), [b"one\n", b"two\n"]);
    }
}
