//! What was found, item by item.

use std::path::PathBuf;

use serde::Serialize;

/// How an item stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As wanted.
    Good,
    /// Not as wanted.
    Differs,
    /// It could not be found out.
    Unknown,
}

/// What makes an item as it is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Fix {
    /// Write `value` to a setting of the running kernel: gone after a restart.
    Set {
        /// A file of /sys or /proc.
        path: PathBuf,
        /// What to write.
        value: String,
    },
    /// Write a file that stays.
    Keep {
        /// The file.
        path: PathBuf,
        /// All of its text.
        text: String,
    },
    /// Mount again with these flags added, until the next restart.
    Remount {
        /// The mount point.
        target: PathBuf,
        /// As in `noatime`.
        option: String,
    },
    /// Only a person can.
    ByHand {
        /// What to do.
        what: String,
    },
}

/// One thing that matters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Item {
    /// Short and unique in a report, as in `scheduler of sdb`.
    pub name: String,
    /// How it stands.
    pub state: State,
    /// What is; or why that could not be found out.
    pub current: String,
    /// What should be.
    pub wanted: String,
    /// What that is good for.
    pub why: String,
    /// What to do, in order; nothing if it is as wanted.
    pub fixes: Vec<Fix>,
}

impl Item {
    /// An item that is as wanted or not.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        good: bool,
        current: impl Into<String>,
        wanted: impl Into<String>,
        why: impl Into<String>,
    ) -> Self {
        let state = if good { State::Good } else { State::Differs };
        let (name, current, wanted, why) = (name.into(), current.into(), wanted.into(), why.into());
        Self { name, state, current, wanted, why, fixes: Vec::new() }
    }

    /// An item that could not be found out, for this reason.
    #[must_use]
    pub fn unknown(
        name: impl Into<String>,
        reason: impl ToString,
        wanted: impl Into<String>,
        why: impl Into<String>,
    ) -> Self {
        Self { state: State::Unknown, ..Self::new(name, false, reason.to_string(), wanted, why) }
    }

    /// Adds what to do, unless the item is as wanted.
    #[must_use]
    pub fn fix(mut self, fix: Fix) -> Self {
        if self.state == State::Differs {
            self.fixes.push(fix);
        }
        self
    }

    /// As [`Self::fix`], with a value to write.
    #[must_use]
    pub fn set(self, path: impl Into<PathBuf>, value: impl Into<String>) -> Self {
        self.fix(Fix::Set { path: path.into(), value: value.into() })
    }

    /// As [`Self::fix`], with words for a person.
    #[must_use]
    pub fn by_hand(self, what: impl Into<String>) -> Self {
        self.fix(Fix::ByHand { what: what.into() })
    }
}

/// All items of one look at a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// In the order in which a person would care.
    pub items: Vec<Item>,
}

impl Report {
    /// The worst state: [`State::Differs`] before [`State::Unknown`] before [`State::Good`].
    #[must_use]
    pub fn state(&self) -> State {
        let any = |state| self.items.iter().any(|item| item.state == state);
        if any(State::Differs) {
            State::Differs
        } else if any(State::Unknown) {
            State::Unknown
        } else {
            State::Good
        }
    }

    /// What is not as wanted.
    pub fn differing(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| item.state == State::Differs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_difference_outweighs_what_is_unknown() {
        let good = Item::new("a", true, "1", "1", "because");
        let unknown = Item::unknown("b", "no file", "1", "because");
        let differs = Item::new("c", false, "2", "1", "because").set("/sys/c", "1");
        assert_eq!(differs.fixes.len(), 1);
        assert!(good.clone().set("/sys/a", "1").fixes.is_empty(), "nothing to do where all is well");
        let state =
            |items: &[&Item]| Report { items: items.iter().map(|&item| item.clone()).collect() }.state();
        assert_eq!(state(&[]), State::Good);
        assert_eq!(state(&[&good]), State::Good);
        assert_eq!(state(&[&good, &unknown]), State::Unknown);
        assert_eq!(state(&[&unknown, &differs, &good]), State::Differs);
    }
}
