//! Handshakes on the thread of both ports: one step at a time, and between two of them whatever else there is to do.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;

use logtank_engine::handshakes::Handshakes;
use tokio::sync::Notify;

/// Handshakes that wait for their turn at most; a few tenths of a second's.
const WAITING_MAX: usize = 1024;

/// Whose turn it is.
pub(super) struct Turns {
    waiting: RefCell<Handshakes<Rc<Waiting>>>,
    busy: Cell<bool>,
}

#[derive(Debug)]
struct Waiting {
    state: Cell<State>,
    changed: Notify,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Turn,
    /// Others came, and it had waited longest.
    GivenUp,
    /// It does not wait any more.
    Gone,
}

impl Turns {
    pub(super) fn new() -> Rc<Self> {
        Rc::new(Self { waiting: RefCell::new(Handshakes::new(WAITING_MAX)), busy: Cell::new(false) })
    }

    /// Completes when it is this connection's turn, which lasts until what is returned is dropped. `answered`: the peer
    /// has answered before.
    ///
    /// # Errors
    /// If too many others came meanwhile.
    pub(super) async fn turn(&self, answered: bool) -> io::Result<Turn<'_>> {
        let waiting = Rc::new(Waiting { state: Cell::new(State::Waiting), changed: Notify::new() });
        let given_up = self.waiting.borrow_mut().wait(waiting.clone(), answered);
        if let Some(given_up) = given_up {
            given_up.change(State::GivenUp);
        }
        let turn = Turn { turns: self, waiting };
        self.next();
        loop {
            match turn.waiting.state.get() {
                State::Turn => return Ok(turn),
                State::GivenUp => return Err(io::ErrorKind::ConnectionAborted.into()),
                State::Waiting | State::Gone => turn.waiting.changed.notified().await,
            }
        }
    }

    fn next(&self) {
        while !self.busy.get()
            && let Some(next) = self.waiting.borrow_mut().take_next()
        {
            self.busy.set(next.change(State::Turn));
        }
    }
}

impl Waiting {
    /// Whether it was waiting, and is told.
    fn change(&self, state: State) -> bool {
        let waiting = self.state.get() == State::Waiting;
        if waiting {
            self.state.set(state);
            self.changed.notify_one();
        }
        waiting
    }
}

/// A place in the queue, and then a turn.
pub(super) struct Turn<'t> {
    turns: &'t Turns,
    waiting: Rc<Waiting>,
}

impl Turn<'_> {
    /// Ends the turn, once everything else that waits for this thread has had its own.
    pub(super) async fn end(self) {
        // Also what the kernel has to say is looked at before this goes on.
        tokio::task::yield_now().await;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.waiting.state.replace(State::Gone) == State::Turn {
            self.turns.busy.set(false);
            self.turns.next();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::time::Duration;

    use tokio::task::LocalSet;

    use super::*;

    async fn on_one_thread(test: impl Future<Output = ()>) {
        LocalSet::new().run_until(test).await;
    }

    #[tokio::test(flavor = "current_thread")]
    async fn one_step_at_a_time_and_others_between_two() {
        on_one_thread(async {
            let (turns, log) = (Turns::new(), Rc::new(RefCell::new(Vec::new())));
            let handshakes: Vec<_> = (0..50)
                .map(|_| {
                    let (turns, log) = (turns.clone(), log.clone());
                    tokio::task::spawn_local(async move {
                        let turn = turns.turn(false).await.unwrap();
                        log.borrow_mut().push("step");
                        turn.end().await;
                    })
                })
                .collect();
            let other = {
                let log = log.clone();
                tokio::task::spawn_local(async move {
                    for _ in 0..20 {
                        log.borrow_mut().push("other");
                        tokio::task::yield_now().await;
                    }
                })
            };
            other.await.unwrap();
            let steps = log.borrow().iter().filter(|what| **what == "step").count();
            assert!((10..=25).contains(&steps), "{steps} steps beside 20 of another task");
            for handshake in handshakes {
                handshake.await.unwrap();
            }
            assert_eq!(log.borrow().len(), 70);
        })
        .await;
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_flood_gives_up_those_that_waited_longest() {
        on_one_thread(async {
            let (turns, asked) = (Turns::new(), Rc::new(Cell::new(0)));
            let held = turns.turn(false).await.unwrap();
            let waiting: Vec<_> = (0..WAITING_MAX + 1)
                .map(|_| {
                    let (turns, asked) = (turns.clone(), asked.clone());
                    tokio::task::spawn_local(async move {
                        asked.set(asked.get() + 1);
                        let turn = turns.turn(false).await?;
                        turn.end().await;
                        io::Result::Ok(())
                    })
                })
                .collect();
            while asked.get() <= WAITING_MAX {
                tokio::task::yield_now().await;
            }
            drop(held);
            let mut ended = Vec::new();
            for waiting in waiting {
                ended.push(waiting.await.unwrap().is_ok());
            }
            assert!(!ended[0] && ended[1..].iter().all(|ended| *ended));
        })
        .await;
    }

    #[tokio::test(flavor = "current_thread")]
    async fn whoever_goes_while_it_waits_or_in_its_turn_blocks_nobody() {
        on_one_thread(async {
            let turns = Turns::new();
            let held = turns.turn(false).await.unwrap();
            let impatient = tokio::time::timeout(Duration::from_millis(1), turns.turn(true)).await;
            assert!(impatient.is_err());
            drop(held);
            drop(turns.turn(false).await.unwrap());
            turns.turn(true).await.unwrap().end().await;
        })
        .await;
    }
}
