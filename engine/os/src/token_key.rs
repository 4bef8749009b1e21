//! `token.key`: the secret that signs page tokens, as a file of this machine.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use logtank_engine::error::{DiskError, Verb};
use logtank_engine::io::{DiskResult, parent, temporary_beside};
use logtank_engine::recovery_read::{KEY_BYTES, KeyFile};

use crate::random;

/// The file, readable by its owner only. Calls block; several processes may use it at once.
#[derive(Clone, Debug)]
pub struct KeyPath(PathBuf);

impl KeyPath {
    /// The file at `path`.
    #[must_use]
    pub const fn new(path: PathBuf) -> Self {
        Self(path)
    }
}

impl KeyFile for KeyPath {
    fn path(&self) -> PathBuf {
        self.0.clone()
    }

    async fn read(&self) -> DiskResult<Vec<u8>> {
        let failed = |source| DiskError::new(Verb::Read, &self.0, source);
        let mut key = Vec::with_capacity(KEY_BYTES + 1);
        let file = File::open(&self.0).map_err(failed)?;
        file.take(KEY_BYTES as u64 + 1).read_to_end(&mut key).map_err(failed)?;
        Ok(key)
    }

    async fn publish(&self, key: &[u8; KEY_BYTES]) -> DiskResult<bool> {
        create(&self.0, key)
    }
}

/// Random bytes for a new key.
#[must_use]
pub fn random_key() -> [u8; KEY_BYTES] {
    let mut key = [0; KEY_BYTES];
    random::fill(&mut key);
    key
}

/// `false` if someone else was quicker.
fn create(path: &Path, key: &[u8; KEY_BYTES]) -> DiskResult<bool> {
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
    file.write_all(key).map_err(|source| DiskError::new(Verb::Write, temporary, source))?;
    file.sync_all().map_err(|source| DiskError::new(Verb::Fsync, temporary, source))?;
    // Unlike a rename, a link never replaces what another process has just put there.
    let linked = std::fs::hard_link(temporary, path);
    std::fs::remove_file(temporary).map_err(|source| DiskError::new(Verb::Unlink, temporary, source))?;
    match linked {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
        Err(source) => return Err(DiskError::new(Verb::Link, path, source)),
    }
    let folder = parent(path);
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|source| DiskError::new(Verb::Fsync, folder, source))?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use logtank_engine::recovery_read::load_or_create;

    use super::*;
    use crate::disk::block_on;

    fn load(path: &Path) -> DiskResult<Vec<u8>> {
        let file = KeyPath::new(path.to_owned());
        block_on(async {
            load_or_create(&file, &random_key()).await?;
            file.read().await
        })
        .unwrap()
    }

    #[test]
    fn the_key_is_made_once_and_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token.key");
        let keys: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| load(&path).unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| key == &keys[0] && key.as_slice() != [0; KEY_BYTES]));
        assert_eq!(load(&path).unwrap(), keys[0]);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn a_damaged_key_is_reported_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token.key");
        for content in [&b""[..], &[7; KEY_BYTES - 1], &[7; KEY_BYTES + 1]] {
            std::fs::write(&path, content).unwrap();
            let error = load(&path).unwrap_err();
            assert!(error.to_string().contains("remove it to get a new key"), "{error}");
            assert_eq!(std::fs::read(&path).unwrap(), content);
        }
    }
}
