//! Signs of life of the threads, and which of them has given none for too long.
//!
//! A thread counts its turns: whenever something that it waited for has happened, also in the middle of a long job. One that
//! has nothing to do wakes up now and then. So a count that stands still is a thread that hangs, or waits for what never
//! comes: a lock, a drive that does not answer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Longest that a thread sleeps when it has nothing to do.
pub(crate) const IDLE_MAX: Duration = Duration::from_secs(5);
/// A thread that has not turned for so long is stuck. A drive that is asked for much takes seconds for one request.
const STUCK_AFTER: Duration = Duration::from_secs(60);

/// Counts the turns of one thread.
#[derive(Clone, Debug, Default)]
pub(crate) struct Beat(Arc<AtomicU64>);

impl Beat {
    /// The thread turns.
    pub(crate) fn beat(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Turns so far.
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// The same future; each time that it continues counts.
    pub(crate) async fn over<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = std::pin::pin!(future);
        std::future::poll_fn(|context| {
            self.beat();
            future.as_mut().poll(context)
        })
        .await
    }

    /// Counts for as long as this thread's executor turns.
    pub(crate) async fn tick(&self) -> std::convert::Infallible {
        loop {
            self.beat();
            tokio::time::sleep(IDLE_MAX / 5).await;
        }
    }
}

/// All threads that give signs of life. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heartbeats(Arc<Mutex<Vec<Watched>>>);

struct Watched {
    name: String,
    count: Box<dyn Fn() -> u64 + Send>,
    seen: u64,
    since: Instant,
    reported: bool,
    /// Whether the host is to be started again for it.
    vital: bool,
}

impl std::fmt::Debug for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watched").field("name", &self.name).field("seen", &self.seen).finish_non_exhaustive()
    }
}

impl Heartbeats {
    /// Watches a thread from now on.
    pub(crate) fn watch(&self, name: impl Into<String>, beat: &Beat) {
        let beat = beat.clone();
        self.watch_count(name, move || beat.count());
    }

    /// As [`Self::watch`], by a count that is kept elsewhere.
    pub(crate) fn watch_count(&self, name: impl Into<String>, count: impl Fn() -> u64 + Send + 'static) {
        self.add(name.into(), count, true);
    }

    /// As [`Self::watch_count`], of a job that may wait long for the drive and does no harm meanwhile: it is reported, and nothing
    /// is started again for it, since it would only begin anew.
    pub(crate) fn watch_job(&self, name: impl Into<String>, count: impl Fn() -> u64 + Send + 'static) {
        self.add(name.into(), count, false);
    }

    fn add(&self, name: String, count: impl Fn() -> u64 + Send + 'static, vital: bool) {
        let watched = Watched {
            name,
            seen: count(),
            count: Box::new(count),
            since: Instant::now(),
            reported: false,
            vital,
        };
        self.0.lock().expect("nobody panics while holding it").push(watched);
    }

    /// Reads all counts; to be called each second or so. Logs who is stuck, and who is no more; whether any is for
    /// whom the host is to be started again.
    pub(crate) fn look(&self, now: Instant) -> bool {
        let mut any = false;
        for watched in self.0.lock().expect("nobody panics while holding it").iter_mut() {
            let count = (watched.count)();
            let quiet = now.saturating_duration_since(watched.since);
            if count != watched.seen {
                (watched.seen, watched.since) = (count, now);
                if std::mem::take(&mut watched.reported) {
                    let after = humantime::format_duration(Duration::from_secs(quiet.as_secs()));
                    tracing::warn!(thread = watched.name, "the thread turns again, after {after}");
                }
            } else if quiet >= STUCK_AFTER {
                any |= watched.vital;
                if !std::mem::replace(&mut watched.reported, true) {
                    let then = if watched.vital {
                        " If it stays so, the service manager starts the host again."
                    } else {
                        ""
                    };
                    tracing::error!(
                        thread = watched.name,
                        "the thread has not turned for {}. Look at the drive (dmesg).{then}",
                        humantime::format_duration(STUCK_AFTER)
                    );
                }
            }
        }
        any
    }

    /// For how long each thread has given no sign of life.
    pub(crate) fn ages(&self, now: Instant) -> Vec<(String, Duration)> {
        let watched = self.0.lock().expect("nobody panics while holding it");
        let age = |watched: &Watched| {
            // Also between two looks, and if nobody looks any more.
            let since = if (watched.count)() == watched.seen { watched.since } else { now };
            (watched.name.clone(), now.saturating_duration_since(since))
        };
        watched.iter().map(age).collect()
    }

    /// Which threads are stuck, in words; `None` if all turn.
    pub(crate) fn stuck(&self, now: Instant) -> Option<String> {
        let stuck: Vec<_> = self.ages(now).into_iter().filter(|(_, age)| *age >= STUCK_AFTER).collect();
        let one = |(name, age): &(String, Duration)| format!("{name} for {} s", age.as_secs());
        let all: Vec<_> = stuck.iter().map(one).collect();
        (!all.is_empty())
            .then(|| format!("threads have not turned: {}; look at the drive (dmesg)", all.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_gives_no_sign_of_life_is_stuck() {
        let (heartbeats, lively, stuck) = (Heartbeats::default(), Beat::default(), Beat::default());
        heartbeats.watch("a", &lively);
        heartbeats.watch("b", &stuck);
        let job = Heartbeats::default();
        job.watch_job("c", || 0);
        assert!(
            !job.look(Instant::now() + 2 * STUCK_AFTER)
                && job.stuck(Instant::now() + 2 * STUCK_AFTER).is_some()
        );
        let began = Instant::now();
        let at = |seconds| began + Duration::from_secs(seconds);
        for second in 1..=59 {
            lively.beat();
            assert!(!heartbeats.look(at(second)));
        }
        assert_eq!(heartbeats.stuck(at(59)), None);
        lively.beat();
        assert!(heartbeats.look(at(61)));
        let why = heartbeats.stuck(at(62)).unwrap();
        assert!(why.contains("b for") && !why.contains("a for"), "{why}");
        let ages = heartbeats.ages(at(62));
        assert_eq!(ages[0], ("a".to_owned(), Duration::from_secs(1)));
        stuck.beat();
        assert!(!heartbeats.look(at(63)));
        assert_eq!(heartbeats.stuck(at(63)), None);
    }

    #[test]
    fn if_nobody_looks_any_more_the_ages_grow_all_the_same() {
        let (heartbeats, beat) = (Heartbeats::default(), Beat::default());
        heartbeats.watch("a", &beat);
        assert!(heartbeats.stuck(Instant::now() + Duration::from_secs(61)).is_some());
    }

    #[test]
    fn a_long_wait_does_not_count_and_what_continues_does() {
        let beat = Beat::default();
        let mut left = 3;
        let future = std::future::poll_fn(|_| {
            left -= 1;
            if left == 0 { std::task::Poll::Ready(7) } else { std::task::Poll::Pending }
        });
        let mut over = std::pin::pin!(beat.over(future));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        for polls in 1..3 {
            assert!(over.as_mut().poll(&mut context).is_pending());
            assert_eq!(beat.count(), polls);
        }
        assert!(over.as_mut().poll(&mut context).is_ready());
    }
}
