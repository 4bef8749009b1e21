use std::io::Result;
use std::path::{Path, PathBuf};

/// A whole tree, file by file.
pub(super) fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let (entry, target) = (entry?.path(), PathBuf::from(to));
        let target = target.join(entry.file_name().expect("entries have names"));
        if entry.is_dir() {
            copy(&entry, &target)?;
        } else {
            std::fs::copy(&entry, &target)?;
        }
    }
    Ok(())
}
