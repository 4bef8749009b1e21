//! Whose handshake takes its next step.
//!
//! A step costs a hundred times what a batch does, and any peer can ask for one without showing who it is. So steps have
//! a queue of their own, and whoever drives it takes one between two turns for those who are connected already.

use std::collections::VecDeque;

/// Steps of handshakes that wait for their turn. Peers are named by `Id`.
#[derive(Debug)]
pub struct Handshakes<Id> {
    /// Of peers that answered a first step: they receive what they are sent, so fewer of them lie.
    answered: VecDeque<Id>,
    /// Of peers that have only spoken.
    first: VecDeque<Id>,
    waiting_max: usize,
}

impl<Id> Handshakes<Id> {
    /// Room for `waiting_max` steps, at least one.
    #[must_use]
    pub const fn new(waiting_max: usize) -> Self {
        Self { answered: VecDeque::new(), first: VecDeque::new(), waiting_max }
    }

    /// A peer waits for a step; `answered`: it is not its first. Where there is no room, the one that has waited longest
    /// is given up for it, and returned: its peer has most likely gone.
    #[must_use = "whoever is given up waits for nothing"]
    pub fn wait(&mut self, id: Id, answered: bool) -> Option<Id> {
        let given_up = if self.answered.len() + self.first.len() < self.waiting_max {
            None
        } else {
            self.first.pop_front().or_else(|| self.answered.pop_front())
        };
        if answered { &mut self.answered } else { &mut self.first }.push_back(id);
        given_up
    }

    /// A peer whose step could not be finished waits on, before all others.
    pub fn again(&mut self, id: Id) {
        self.answered.push_front(id);
    }

    /// The peer whose step is next. It may be gone meanwhile: ask again then.
    pub fn take_next(&mut self) -> Option<Id> {
        self.answered.pop_front().or_else(|| self.first.pop_front())
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.answered.is_empty() && self.first.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut handshakes: Handshakes<u32>) -> Vec<u32> {
        std::iter::from_fn(|| handshakes.take_next()).collect()
    }

    #[test]
    fn who_has_answered_comes_before_who_has_only_spoken() {
        let mut handshakes = Handshakes::new(8);
        for (id, answered) in [(1, false), (2, true), (3, false), (4, true)] {
            assert_eq!(handshakes.wait(id, answered), None);
        }
        assert_eq!(all(handshakes), [2, 4, 1, 3]);
    }

    #[test]
    fn a_flood_displaces_those_that_waited_longest() {
        let mut handshakes = Handshakes::new(3);
        assert_eq!(handshakes.wait(0, true), None);
        let given_up: Vec<_> = (1..6).filter_map(|id| handshakes.wait(id, false)).collect();
        assert_eq!(given_up, [1, 2, 3], "who answered stays");
        assert_eq!(all(handshakes), [0, 4, 5]);
    }

    #[test]
    fn those_that_answered_are_bounded_too() {
        let mut handshakes = Handshakes::new(2);
        let given_up: Vec<_> = (0..5).filter_map(|id| handshakes.wait(id, true)).collect();
        assert_eq!(given_up, [0, 1, 2]);
    }

    #[test]
    fn an_unfinished_step_is_the_next_one() {
        let mut handshakes = Handshakes::new(2);
        assert_eq!(handshakes.wait(1, true), None);
        assert_eq!(handshakes.take_next(), Some(1));
        assert_eq!(handshakes.wait(2, true), None);
        handshakes.again(1);
        assert!(!handshakes.is_empty());
        assert_eq!(all(handshakes), [1, 2]);
    }
}
