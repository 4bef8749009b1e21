//! Sees to it that both halves of the tree belong together, as the real host does before anything else.

use std::rc::Rc;

use logtank_engine::error::Error;
use logtank_engine::identity;
use logtank_engine::identity::{Identity, Refusal};
use logtank_engine::io::Disk;

use super::life::Host;
use crate::run::World;

/// The inner error is why nothing may be done with the tree.
pub(super) async fn ensure(world: &Rc<World>, host: &Host) -> Result<Result<(), Refusal>, Error> {
    let store = host.store();
    let verdict = match identity::look(&store).await?.judge() {
        Ok(verdict) => verdict,
        Err(refusal) => {
            world.executor.trace().count("refused starts");
            if !world.half_missing.get() {
                world.check(Err(format!("the host refuses its own tree: {refusal}")));
            }
            return Ok(Err(refusal));
        }
    };
    if world.half_missing.get() {
        world.check(Err("the host takes half of its tree for all of it".to_owned()));
    }
    for folder in [store.layout().raw_live(), store.layout().raw_history(), store.layout().indexes()] {
        store.disk().create_folder(&folder).await?;
        for above in folder.ancestors().skip(1) {
            store.disk().sync_folder(above).await?;
        }
    }
    let mut random = [0; 16];
    random[..8].copy_from_slice(&world.salts.next().to_be_bytes());
    random[8..].copy_from_slice(&world.salts.next().to_be_bytes());
    match identity::settle(&store, verdict, Identity::new(random)).await {
        // It waits for room.
        Err(error) if error.is_full() => Ok(Ok(())),
        outcome => Ok(Ok(outcome?)),
    }
}
