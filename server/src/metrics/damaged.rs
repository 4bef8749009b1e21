//! Places in raw segments that are known to be damaged, until their epoch is dealt.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use logtank_engine::error::Corruption;
use logtank_engine::format::RawName;
use logtank_engine::ids::Epoch;

/// A drive that fails may have any number of them.
const PLACES_MAX: usize = 10_000;

/// Places by file and offset, with what is wrong there.
#[derive(Debug, Default)]
pub(super) struct DamagedPlaces(Mutex<BTreeMap<(PathBuf, u64), String>>);

impl DamagedPlaces {
    fn change(&self, change: impl FnOnce(&mut BTreeMap<(PathBuf, u64), String>)) -> u64 {
        let mut places = self.0.lock().expect("nobody panics while holding it");
        change(&mut places);
        places.len() as u64
    }

    /// Adds a place of a raw segment, once; returns how many there are.
    pub(super) fn add(&self, damage: &Corruption) -> u64 {
        self.change(|places| {
            if places.len() < PLACES_MAX && raw_name(&damage.path).is_some() {
                places.insert((damage.path.clone(), damage.offset), damage.to_string());
            }
        })
    }

    /// What this epoch, or an earlier one, holds is dealt; returns how many places there are.
    pub(super) fn dealt(&self, dealt: Epoch) -> u64 {
        let waits =
            |path: &Path| raw_name(path).and_then(|name| name.epoch()).is_none_or(|epoch| epoch > dealt);
        self.change(|places| places.retain(|(path, _), _| waits(path)))
    }

    /// How many there are, and what is wrong at the first.
    pub(super) fn first(&self) -> Option<(u64, String)> {
        let places = self.0.lock().expect("nobody panics while holding it");
        let (_, what) = places.first_key_value()?;
        Some((places.len() as u64, what.clone()))
    }
}

fn raw_name(path: &Path) -> Option<RawName> {
    path.file_name()?.to_str().and_then(RawName::parse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_once_and_until_its_epoch_is_dealt() {
        let places = DamagedPlaces::default();
        let damage = |file: &str, offset| {
            let path = Path::new("/data/raw/live").join(file);
            places.add(&Corruption { path, offset, what: "damaged".to_owned() })
        };
        assert_eq!(places.first(), None);
        assert_eq!(damage("8-0-0.rawlog", 8_192), 1);
        assert_eq!(damage("8-0-0.rawlog", 8_192), 1);
        assert_eq!(damage("9-0-0.rawlog", 0), 2);
        assert_eq!(damage("2026.11.22-10.33.41.999.sorted_7", 0), 2, "of an index");
        let (count, first) = places.first().unwrap();
        assert!(count == 2 && first.contains("8-0-0.rawlog"), "{first}");
        assert_eq!(places.dealt(Epoch::new(8).unwrap()), 1);
        assert_eq!(places.dealt(Epoch::new(9).unwrap()), 0);
    }
}
