//! A pack that is being written when the process, the machine or a call of the drive ends.

use std::io::ErrorKind;
use std::path::Path;

use super::support::{FOLDER, Model, NAME, empty_disk, key, name, record, unsorted};
use crate::error::Result;
use crate::packs::verify::verify_pack;
use crate::packs::writer::{NewSlice, PackWriter};
use crate::testing::{Cut, MemDisk, run};
use crate::time::WallMillis;

/// Written with more than one call.
fn model() -> Model {
    let many = (0..1_200).map(|docid| record(docid, 1_000)).collect();
    [(key("one"), unsorted(vec![record(0, 9)])), (key("long"), unsorted(many))].into()
}

/// Writes the pack as a job does: after an error it is discarded.
async fn publish(disk: &MemDisk, model: &Model) -> Result<()> {
    let mut writer = PackWriter::create(disk, Path::new(FOLDER), name(NAME), WallMillis(1)).await?;
    for ((_, code), slice) in model {
        let new = NewSlice { code, kind: slice.kind, first: slice.first, dropped: slice.dropped };
        if let Err(error) = writer.push(new, slice.records.iter().map(Vec::as_slice)).await {
            writer.discard().await;
            return Err(error);
        }
    }
    writer.publish().await.map(drop)
}

fn is_there(disk: &MemDisk) -> bool {
    disk.get(Path::new(FOLDER).join(NAME)).is_some()
}

/// How many calls it takes.
fn calls(model: &Model) -> usize {
    let disk = empty_disk();
    let before = disk.calls();
    run(publish(&disk, model)).unwrap();
    disk.calls() - before
}

#[test]
fn a_crash_at_any_call_leaves_all_of_a_pack_or_no_name() {
    let (model, mut whole) = (model(), 0);
    for call in 0..=calls(&model) {
        let disk = empty_disk();
        disk.die_at(call);
        let published = run(publish(&disk, &model)).is_ok();
        assert_eq!(published, call == calls(&model), "call {call}");
        for cut in Cut::each(call) {
            let after = disk.after(cut);
            assert!(is_there(&after) || !published, "call {call}, {cut:?}: published and gone");
            if is_there(&after) {
                let verified = run(verify_pack(&after, Path::new(FOLDER), name(NAME))).unwrap();
                assert_eq!((verified.findings, verified.slices), (vec![], 2), "call {call}, {cut:?}");
                whole += 1;
            }
            // Done again, it comes to the same.
            let again = run(publish(&after, &model));
            assert!(again.is_ok() || published || is_there(&after), "call {call}, {cut:?}");
        }
    }
    assert!(whole > Cut::each(0).count(), "a name can be there before it is durable");
}

#[test]
fn an_error_at_any_call_leaves_no_name_and_no_temporary_file() {
    let model = model();
    for call in 0..calls(&model) {
        let disk = empty_disk();
        disk.fail_at(call, ErrorKind::Other);
        let failed = run(publish(&disk, &model));
        // Removing what an earlier attempt left comes first; that none is there is no error.
        assert!(failed.is_err(), "call {call}");
        assert_eq!(disk.files(), Vec::<std::path::PathBuf>::new(), "call {call}");
        run(publish(&disk, &model)).unwrap();
        assert!(is_there(&disk));
    }
}
