//! `dealer.next_timestamp.info`: decimal milliseconds, the next epoch to deal.

use crate::error::{Corruption, Error, Result};
use crate::ids::Epoch;
use crate::io::disk::Disk;
use crate::store::{Small, Store};

/// Twenty digits and some whitespace.
const CHECKPOINT_BYTES_MAX: usize = 64;

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checkpoint {
    /// There is none.
    Missing,
    /// Every epoch before this one is dealt; segments of indexes from this time on don't count.
    At(Epoch),
    /// It is there and says nothing: the original truncates it before it writes.
    Unreadable(Corruption),
}

impl Checkpoint {
    /// Reads it.
    ///
    /// # Errors
    /// The disk's.
    pub async fn read<D: Disk>(store: &Store<D>) -> Result<Self> {
        let path = store.layout().checkpoint();
        let unreadable = |what: &str| {
            let what = format!("{what}; the dealer mends it when it starts");
            Self::Unreadable(Corruption { path: path.clone(), offset: 0, what })
        };
        let bytes = match store.read_small(&path, CHECKPOINT_BYTES_MAX).await? {
            Small::Whole(bytes) => bytes,
            Small::Missing => return Ok(Self::Missing),
            Small::TooLong => return Ok(unreadable("too long for a number")),
        };
        let number = std::str::from_utf8(&bytes).ok().and_then(|text| text.trim().parse().ok());
        Ok(match number.and_then(Epoch::new) {
            Some(epoch) => Self::At(epoch),
            None if bytes.is_empty() => unreadable("the file is empty"),
            None => unreadable("not a number of milliseconds before the year 2109"),
        })
    }

    /// The next epoch to deal; [`Epoch::ZERO`] if there is no checkpoint.
    ///
    /// # Errors
    /// The corruption, if it is unreadable; [`crate::raw_log::recover::dealt::repair`] mends it.
    pub fn next(self) -> Result<Epoch, Error> {
        match self {
            Self::Missing => Ok(Epoch::ZERO),
            Self::At(epoch) => Ok(epoch),
            Self::Unreadable(corruption) => Err(corruption.into()),
        }
    }

    /// Sets it, durably. What it says becomes true before: all epochs before `next` are dealt and durable.
    ///
    /// # Errors
    /// The disk's; the file then holds what it held before. Also if it would go back: somebody else has changed it.
    pub async fn advance<D: Disk>(store: &Store<D>, next: Epoch) -> Result<()> {
        match Self::read(store).await? {
            Self::At(present) if present > next => {
                let what = format!(
                    "it says that all before {present} is dealt, but this host has only dealt what comes before {next}: \
                     whoever changed it must put {next} into it, or what lies between is never dealt"
                );
                return Err(Corruption { path: store.layout().checkpoint(), offset: 0, what }.into());
            }
            Self::At(_) | Self::Missing | Self::Unreadable(_) => {}
        }
        Ok(store.publish(&store.layout().checkpoint(), next.to_string().as_bytes()).await?)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::store;
    use std::path::Path;

    use super::*;
    use crate::format::layout::Layout;
    use crate::testing::{MemDisk, run};

    fn read(bytes: &[u8]) -> Checkpoint {
        let disk = MemDisk::new();
        disk.put("/data/dealer.next_timestamp.info", bytes);
        run(Checkpoint::read(&store(&disk, &Layout::new(Path::new("/data"), None)))).unwrap()
    }

    #[test]
    fn reads_what_the_original_writes_and_tells_what_is_none() {
        assert_eq!(read(b"1795343547989"), Checkpoint::At(Epoch::new(1_795_343_547_989).unwrap()));
        assert_eq!(read(b" 0\n"), Checkpoint::At(Epoch::ZERO));
        for garbled in
            ["", " ", "-1", "x", "17953435479891795343547989", "4398046511104", &"1".repeat(100), "\0\0\0"]
        {
            assert!(matches!(read(garbled.as_bytes()), Checkpoint::Unreadable(_)), "{garbled:?}");
        }
    }

    #[test]
    fn advances_and_is_missing_before() {
        let disk = MemDisk::new();
        let layout = Layout::new(Path::new("/data"), None);
        run(disk.create_folder(Path::new("/data"))).unwrap();
        assert_eq!(run(Checkpoint::read(&store(&disk, &layout))).unwrap(), Checkpoint::Missing);
        for millis in [5, 5, 9] {
            let epoch = Epoch::new(millis).unwrap();
            run(Checkpoint::advance(&store(&disk, &layout), epoch)).unwrap();
            assert_eq!(run(Checkpoint::read(&store(&disk, &layout))).unwrap(), Checkpoint::At(epoch));
        }
        assert_eq!(disk.files().len(), 1);
    }

    #[test]
    fn never_goes_back_whoever_changed_it() {
        let disk = MemDisk::new();
        disk.put("/data/dealer.next_timestamp.info", b"9");
        let layout = Layout::new(Path::new("/data"), None);
        let error = run(Checkpoint::advance(&store(&disk, &layout), Epoch::new(8).unwrap())).unwrap_err();
        assert!(error.to_string().contains("put 8 into it"), "{error}");
        assert_eq!(
            run(Checkpoint::read(&store(&disk, &layout))).unwrap(),
            Checkpoint::At(Epoch::new(9).unwrap())
        );
    }
}
