//! Sees whether the keeper of segments has reason for what it does.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use logtank_engine::host::Unkept;
use logtank_engine::io::ShardEvent;

use super::life::{Host, Port};
use crate::run::World;

/// Who got a segment in this life of the host, and who writes elsewhere what its drive did not take.
#[derive(Clone)]
pub(super) struct Witness {
    world: Rc<World>,
    host: Rc<Host>,
    given: Rc<RefCell<BTreeSet<usize>>>,
    /// Somebody was told that there is no segment.
    refused: Rc<Cell<bool>>,
    rewriting: Rc<Cell<bool>>,
    gone: Rc<Cell<usize>>,
}

impl Witness {
    pub(super) fn new(world: Rc<World>, host: Rc<Host>) -> Self {
        Self {
            world,
            host,
            given: Rc::default(),
            refused: Rc::default(),
            rewriting: Rc::default(),
            gone: Rc::default(),
        }
    }

    pub(super) fn given(&self, shard: usize) {
        self.given.borrow_mut().insert(shard);
    }

    pub(super) fn refused(&self) {
        self.refused.set(true);
    }

    pub(super) fn rewriting(&self) {
        self.rewriting.set(true);
    }

    /// A shard has said something.
    pub(super) fn heard(&self, event: &ShardEvent) {
        if matches!(event, ShardEvent::Done | ShardEvent::Fatal { .. }) {
            self.gone.set(self.gone.get() + 1);
        }
    }

    /// The keeper is done.
    pub(super) fn done(&self) {
        if self.gone.get() < self.host.ports.len() {
            self.wrong("the host ends before each shard has");
        }
    }

    /// The host opens.
    pub(super) fn stocked(&self) {
        if self.given.borrow().len() < self.host.ports.len()
            && !self.refused.get()
            && self.host.takes_batches()
        {
            self.wrong("the host opens before each shard has a segment");
        }
    }

    /// A segment is made of the last room.
    pub(super) fn last_room(&self) {
        if !self.rewriting.get() && !self.somebody_waits() {
            self.wrong("the last room is taken, and no batch waits for a segment");
        }
    }

    /// The keeper gave up.
    pub(super) fn ended(&self, unkept: &Unkept) {
        if matches!(unkept, Unkept::Exhausted { .. }) && !self.rewriting.get() && !self.somebody_waits() {
            self.wrong("the host ends for want of a segment, and no batch waits for one");
        }
    }

    fn somebody_waits(&self) -> bool {
        self.host.ports.iter().any(Port::waits_for_a_segment)
    }

    fn wrong(&self, what: &str) {
        self.world.check(Err(what.to_owned()));
    }
}
