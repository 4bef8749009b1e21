//! Somebody who uses the manager: deletes, optimizes, looks around.

use std::rc::Rc;
use std::time::Duration;

use logtank_engine::manager;

use crate::host::{Host, Mail};
use crate::random::Random;
use crate::run::World;

/// Calls the manager until the troubles are over.
pub async fn manager(world: Rc<World>) {
    let random = Random::new(world.plan.seed, "manager");
    while !world.healed.get() {
        world.executor.sleep(Duration::from_millis(random.below(3_000))).await;
        let Some(host) = world.open_host() else { continue };
        let index = random.place(world.plan.codes.len());
        match random.below(10) {
            0 if world.plan.menu.deletions => delete(&world, &host, index).await,
            1 => host.ports[random.place(host.ports.len())].post(Mail::Seal),
            2 => look(&world, &host, index).await,
            _ if random.percent(world.plan.optimize_percent) => enqueue(&world, &host, index).await,
            _ => {}
        }
    }
}

/// Deletes an index.
async fn delete(world: &Rc<World>, host: &Rc<Host>, index: usize) {
    world.executor.trace().count("deletions");
    let (id, code) = (world.oracle.borrow_mut().deletes(index), world.plan.codes[index].clone());
    world.executor.trace().note("delete", &code, 0);
    let called = host.clone();
    let work =
        async move { manager::delete_index(&called.store(), &called.shared, code.as_bytes()).await.is_ok() };
    if let Some(success) = world.within_host(work).await {
        world.oracle.borrow_mut().deleted(id, success);
    }
}

/// Has an index sorted and optimized soon.
pub async fn enqueue(world: &Rc<World>, host: &Rc<Host>, index: usize) {
    let (called, code) = (host.clone(), world.plan.codes[index].clone());
    let work = async move {
        let (store, shared) = (&called.store(), &called.shared);
        drop(manager::enqueue_for_optimization(store, shared, code.as_bytes(), 1, 1.0).await);
    };
    world.within_host(work).await;
}

async fn look(world: &Rc<World>, host: &Rc<Host>, index: usize) {
    let (called, code) = (host.clone(), world.plan.codes[index].clone());
    let work = async move {
        drop(manager::get_index_log_info(&called.store(), code.as_bytes()).await);
        drop(manager::get_raw_log_info(&called.store()).await);
        drop(manager::list_existing_indexes(&called.store(), &called.shared).await);
    };
    world.within_host(work).await;
}
