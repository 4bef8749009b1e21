//! Names and the small files: the checkpoint, deletions, identities, lists of lost positions.

use logtank_engine::testing::store;
use std::path::Path;

use logtank_engine::deletions::{ArchivedName, load_one};
use logtank_engine::format::{Checkpoint, Layout, RawName, SegmentName, is_temporary};
use logtank_engine::identity::Written;
use logtank_engine::ids::{Epoch, IndexCode};
use logtank_engine::raw_log::Lost;
use logtank_engine::testing::{MemDisk, run};

/// What is understood means the same when it is written again; an index code can't leave its folder.
pub(crate) fn small_files(data: &[u8]) {
    let epoch = Epoch::new(5_000).expect("small");
    if let Ok(lost) = Lost::decode(epoch, data) {
        assert_eq!(Lost::decode(epoch, lost.encode().as_bytes()), Ok(lost));
    }
    if let Ok(written) = Written::decode(data) {
        assert_eq!(Written::decode(written.encode().as_bytes()), Ok(written));
    }
    let (disk, layout) = (MemDisk::new(), Layout::new(Path::new("data"), None));
    disk.put(layout.checkpoint(), data);
    run(Checkpoint::read(&store(&disk, &layout))).expect("the disk is well");
    let code = IndexCode::new(b"m").expect("a good code");
    disk.put(layout.deletion(&code), data);
    // Anything but a panic: damage is an error that names the file.
    let _ = run(load_one(&store(&disk, &layout), &code));
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Some(name) = RawName::parse(text) {
        assert_eq!(name.to_string(), text);
    }
    if let Some(name) = ArchivedName::parse(text) {
        assert_eq!(name.to_string(), text);
        assert!(RawName::parse(text).is_none() && !is_temporary(text), "{text:?} is two things");
    }
    if let Some(name) = SegmentName::parse(text) {
        assert_eq!(name.to_string(), text);
    }
    if let Ok(code) = IndexCode::new(text.as_bytes()) {
        let folder = layout.index(&code);
        assert_eq!(folder.parent(), Some(layout.indexes().as_path()), "{text:?} leaves its folder");
        assert!(!folder.ends_with(".."), "{text:?} leaves its folder");
    }
}
