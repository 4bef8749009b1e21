//! `token.key`: the secret that signs page tokens. Made once, so that tokens survive a restart.

use std::io::ErrorKind;
use std::path::PathBuf;

use super::token::TokenKey;
use crate::error::{DiskError, Verb};
use crate::io::buffers::AlignedBuf;
use crate::io::disk::{Disk, DiskFile, DiskResult, Transfer};
use crate::mutant::bug;
use crate::store::Store;

/// Length of the key.
pub const KEY_BYTES: usize = 32;

/// Where the key is kept.
pub trait KeyFile {
    /// Its place, for errors.
    fn path(&self) -> PathBuf;

    /// All its bytes; of a file longer than [`KEY_BYTES`] maybe not all, but more than a key has.
    ///
    /// # Errors
    /// The system's; [`DiskError::is_not_found`] if there is no file.
    fn read(&self) -> impl Future<Output = DiskResult<Vec<u8>>>;

    /// Puts a key there, whole and durable; `false` if there was one by then, which is left as it is.
    ///
    /// # Errors
    /// The system's. Calling again repairs what is half-done.
    fn publish(&self, key: &[u8; KEY_BYTES]) -> impl Future<Output = DiskResult<bool>>;
}

/// The key in the file; if there is none, a new one of these `random` bytes, which is durable when this returns. All that
/// start together get the same key.
///
/// # Errors
/// The system's, or `InvalidData` if the file is not a key.
pub async fn load_or_create(file: &impl KeyFile, random: &[u8; KEY_BYTES]) -> DiskResult<TokenKey> {
    loop {
        match file.read().await {
            Err(error) if error.is_not_found() => {}
            _ if bug!(KeyMadeAnew) => return Ok(TokenKey::new(*random)),
            bytes => return parse(file, &bytes?),
        }
        if file.publish(random).await? {
            return Ok(TokenKey::new(*random));
        }
    }
}

fn parse(file: &impl KeyFile, bytes: &[u8]) -> DiskResult<TokenKey> {
    let key = bytes.try_into().map_err(|_| {
        let what =
            format!("not {KEY_BYTES} bytes; remove it to get a new key (recoveries under way start over)");
        DiskError::new(Verb::Read, &file.path(), std::io::Error::new(ErrorKind::InvalidData, what))
    })?;
    Ok(TokenKey::new(key))
}

/// On a disk that nobody else uses, and that keeps secrets.
impl<D: Disk> KeyFile for Store<D> {
    fn path(&self) -> PathBuf {
        self.layout().token_key()
    }

    async fn read(&self) -> DiskResult<Vec<u8>> {
        let file = self.disk().open(&KeyFile::path(self), Transfer::Cached).await?;
        let (result, bytes) = file.read_at(AlignedBuf::with_capacity(KEY_BYTES + 1), 0).await;
        result?;
        Ok(bytes.to_vec())
    }

    async fn publish(&self, key: &[u8; KEY_BYTES]) -> DiskResult<bool> {
        Self::publish(self, &KeyFile::path(self), key).await?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::path::Path;

    use super::*;
    use crate::format::layout::Layout;
    use crate::ids::IndexCode;
    use crate::testing::{MemDisk, run, store};

    /// Another process publishes its key between our look and ours.
    struct Contended(RefCell<Option<Vec<u8>>>);

    impl KeyFile for Contended {
        fn path(&self) -> PathBuf {
            PathBuf::from("/token.key")
        }

        async fn read(&self) -> DiskResult<Vec<u8>> {
            let missing = || DiskError::new(Verb::Open, &self.path(), ErrorKind::NotFound.into());
            self.0.borrow().clone().ok_or_else(missing)
        }

        async fn publish(&self, _key: &[u8; KEY_BYTES]) -> DiskResult<bool> {
            *self.0.borrow_mut() = Some(vec![9; KEY_BYTES]);
            Ok(false)
        }
    }

    /// Keys are told apart by what they sign.
    fn signs(key: &TokenKey) -> Option<Vec<u8>> {
        use crate::ids::Position;
        use crate::recovery_read::token::{Place, Progress};
        use crate::time::WallMillis;
        let progress = Progress {
            issued: WallMillis(1),
            end: Position::ZERO,
            deletion: Position::ZERO,
            from: Position::ZERO,
            boot: 0,
            place: Place::Anywhere,
        };
        key.issue(&IndexCode::new(b"code").unwrap(), &progress).obsolete_2
    }

    #[test]
    fn the_key_outlives_a_restart_and_a_broken_one_is_named() {
        let (disk, layout) = (MemDisk::new(), Layout::new(Path::new("/data/storage"), None));
        run(disk.create_folder(layout.data())).unwrap();
        let load = |random| run(load_or_create(&store(&disk, &layout), &[random; KEY_BYTES]));
        let (first, second) = (load(1).unwrap(), load(2).unwrap());
        assert_eq!(disk.get(layout.token_key()), Some(vec![1; KEY_BYTES]));
        assert_eq!(signs(&first), signs(&second));
        for content in [&b""[..], &[7; KEY_BYTES - 1], &[7; KEY_BYTES + 1]] {
            disk.put(layout.token_key(), content);
            let error = load(2).unwrap_err().to_string();
            assert!(error.contains("token.key") && error.contains("remove it to get a new key"), "{error}");
            assert_eq!(disk.get(layout.token_key()).as_deref(), Some(content), "it is kept");
        }
    }

    #[test]
    fn who_comes_second_takes_the_key_of_the_first() {
        let file = Contended(RefCell::default());
        let key = run(load_or_create(&file, &[1; KEY_BYTES])).unwrap();
        assert_eq!(signs(&key), signs(&TokenKey::new([9; KEY_BYTES])));
    }
}
