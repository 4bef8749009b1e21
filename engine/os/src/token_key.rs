//! `token.key`: the secret that signs page tokens.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use logtank_engine::error::{DiskError, Verb};
use logtank_engine::io::disk::{DiskResult, parent, temporary_beside};

use crate::random;

/// Length of the key.
pub const KEY_BYTES: usize = 32;

/// The key in the file at `path`; if the file is not there, a new one, which is durable and readable by its owner
/// only when this returns. Two processes that start together get the same key. Blocks.
///
/// # Errors
/// The system's, or `InvalidData` if the file is not a key.
pub fn load_or_create(path: &Path) -> DiskResult<[u8; KEY_BYTES]> {
    loop {
        match load(path) {
            Err(error) if error.is_not_found() => {}
            result => return result,
        }
        if let Some(key) = create(path)? {
            return Ok(key);
        }
    }
}

fn load(path: &Path) -> DiskResult<[u8; KEY_BYTES]> {
    let failed = |source| DiskError::new(Verb::Read, path, source);
    let mut key = Vec::with_capacity(KEY_BYTES + 1);
    let file = File::open(path).map_err(failed)?;
    file.take(KEY_BYTES as u64 + 1).read_to_end(&mut key).map_err(failed)?;
    key.try_into().map_err(|_| {
        let what =
            format!("not {KEY_BYTES} bytes; remove it to get a new key (recoveries under way start over)");
        failed(io::Error::new(ErrorKind::InvalidData, what))
    })
}

/// `None` if someone else was quicker.
fn create(path: &Path) -> DiskResult<Option<[u8; KEY_BYTES]>> {
    let mut key = [0; KEY_BYTES];
    random::fill(&mut key);
    // A name of its own, so that nobody writes into the file after it was published.
    let mut temporary = temporary_beside(path).into_os_string();
    temporary.push(format!("-{:016x}", random::salt().0));
    let temporary = Path::new(&temporary);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(temporary)
        .map_err(|source| DiskError::new(Verb::Create, temporary, source))?;
    file.write_all(&key).map_err(|source| DiskError::new(Verb::Write, temporary, source))?;
    file.sync_all().map_err(|source| DiskError::new(Verb::Fsync, temporary, source))?;
    // Unlike a rename, a link never replaces what another process has just put there.
    let linked = std::fs::hard_link(temporary, path);
    std::fs::remove_file(temporary).map_err(|source| DiskError::new(Verb::Unlink, temporary, source))?;
    match linked {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(None),
        Err(source) => return Err(DiskError::new(Verb::Link, path, source)),
    }
    let folder = parent(path);
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|source| DiskError::new(Verb::Fsync, folder, source))?;
    Ok(Some(key))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_key_is_made_once_and_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token.key");
        let keys: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| load_or_create(&path).unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| key == &keys[0] && key != &[0; KEY_BYTES]));
        assert_eq!(load_or_create(&path).unwrap(), keys[0]);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn a_damaged_key_is_reported_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token.key");
        for content in [&b""[..], &[7; KEY_BYTES - 1], &[7; KEY_BYTES + 1]] {
            std::fs::write(&path, content).unwrap();
            let error = load_or_create(&path).unwrap_err();
            assert!(error.to_string().contains("remove it to get a new key"), "{error}");
            assert_eq!(std::fs::read(&path).unwrap(), content);
        }
    }
}
