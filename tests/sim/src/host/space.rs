//! Refuses appends before the drive is full, as the real host's thread does.

use std::rc::Rc;
use std::time::Duration;

use logtank_engine::io::disk::Disk;
use logtank_engine::room::{Gate, Reserve};

use super::life::Host;
use crate::run::World;

const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(super) async fn watch(world: Rc<World>, host: Rc<Host>) {
    if !world.plan.menu.full {
        return;
    }
    let mut gate = Gate::new(Reserve::new(world.plan.limits.free_bytes_min));
    loop {
        if let Ok(space) = host.disk.space(host.layout.raw()).await {
            let allowed = gate.observe(&space, host.shared.stats.needed_bytes.get());
            host.allow_appends(&world, Some(allowed), None);
        }
        world.executor.sleep(LOOK_EVERY).await;
    }
}
