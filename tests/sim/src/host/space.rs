//! Refuses appends before the drive is full, as the real host's thread does.

use std::rc::Rc;
use std::time::Duration;

use logtank_engine::io::disk::Disk;

use super::life::{Host, Mail};
use crate::run::World;

const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(super) async fn watch(world: Rc<World>, host: Rc<Host>) {
    if !world.plan.menu.full {
        return;
    }
    let (floor, mut allowed) = (world.plan.limits.free_bytes_min, true);
    loop {
        if let Ok(space) = host.disk.space(host.layout.raw()).await {
            let now = space.available_bytes >= if allowed { floor } else { 2 * floor };
            if now != allowed {
                world.executor.trace().count(if now { "appends allowed" } else { "appends refused" });
                allowed = now;
                host.ports.iter().for_each(|port| port.post(Mail::AppendsAllowed(now)));
            }
        }
        world.executor.sleep(LOOK_EVERY).await;
    }
}
