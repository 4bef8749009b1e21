use super::{Folder, Found};
use crate::identity::mark::{Identity, Mark, Written};
use crate::identity::refusal::Refusal;
use crate::mutant::bug;

/// What a start may do with the folders that it found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They belong together.
    Keep,
    /// They belong together, and only the last step of giving them this identity is left to do.
    Complete(Identity),
    /// They are new, or older than identities, or the operator says that they belong together: give them a new identity. One
    /// that was given in part before goes to neither; the folder that has it may be another than this one.
    Give,
}

impl Found {
    /// Whether these folders belong together.
    ///
    /// # Errors
    /// Why nothing may be done with them.
    pub fn judge(&self) -> Result<Verdict, Refusal> {
        let verdict = self.judge_identities()?;
        match self.ahead {
            // Nobody needs to accept that: dealing what is in history loses nothing.
            Some(first) if !bug!(OlderCopyTaken) => Err(Refusal::DataOlder {
                data: self.layout.data().to_owned(),
                raw: self.layout.raw().to_owned(),
                first,
            }),
            _ => Ok(verdict),
        }
    }

    fn judge_identities(&self) -> Result<Verdict, Refusal> {
        use Written::{Final, Pending};
        let layout = &self.layout;
        match (&self.data, &self.raw) {
            (Mark::Some(Final(data)), Mark::Some(Final(raw))) if data == raw => {
                // From the first start on it is there, also when it is empty.
                let torn = self.live == Folder::Missing && !self.accepted;
                if self.indexes == Folder::Missing && self.dealt && !self.accepted {
                    return Err(Refusal::IndexesMissing { indexes: layout.indexes() });
                }
                if torn { Err(Refusal::LiveMissing { live: layout.raw_live() }) } else { Ok(Verdict::Keep) }
            }
            (Mark::Some(Pending(data)), Mark::Some(Final(raw))) if data == raw => {
                Ok(Verdict::Complete(*data))
            }
            _ if self.accepted => Ok(Verdict::Give),
            (Mark::None, Mark::Some(_)) | (Mark::Some(_), Mark::None) if bug!(StrangerTaken) => {
                Ok(Verdict::Give)
            }
            (Mark::Unreadable(damage), other) | (other, Mark::Unreadable(damage)) => {
                let copy = matches!(other, Mark::Some(Final(_))).then(|| {
                    if damage.path == layout.identity() { layout.raw_identity() } else { layout.identity() }
                });
                Err(Refusal::Unreadable { damage: damage.clone(), copy, accept: layout.accept_new_raw() })
            }
            (Mark::Some(Final(data)), Mark::Some(Final(raw))) => Err(Refusal::Different {
                data: (layout.data().to_owned(), *data),
                raw: (layout.raw().to_owned(), *raw),
                accept: layout.accept_new_raw(),
            }),
            (Mark::Some(Final(data)), Mark::None) => Err(Refusal::RawUnknown {
                data: (layout.data().to_owned(), *data),
                raw: layout.raw().to_owned(),
                used: self.live == Folder::Used || self.history == Folder::Used,
                apart: self.apart,
                accept: layout.accept_new_raw(),
            }),
            (Mark::None | Mark::Some(Pending(_)), Mark::Some(Final(raw))) => Err(Refusal::DataUnknown {
                data: layout.data().to_owned(),
                raw: (layout.raw().to_owned(), *raw),
                used: self.dealt || self.opened,
                accept: layout.accept_new_raw(),
            }),
            (_, Mark::Some(Pending(_))) => {
                let what = "pending, which only the data directory's can be".to_owned();
                let damage = crate::error::Corruption { path: layout.raw_identity(), offset: 0, what };
                Err(Refusal::Unreadable { damage, copy: None, accept: layout.accept_new_raw() })
            }
            (Mark::None | Mark::Some(Pending(_)), Mark::None) => {
                self.judge_by_content().map(|()| Verdict::Give)
            }
        }
    }

    /// Neither has an identity: they may still show that they don't belong together.
    fn judge_by_content(&self) -> Result<(), Refusal> {
        let (data, raw) = (self.layout.data().to_owned(), self.layout.raw().to_owned());
        let accept = self.layout.accept_new_raw();
        let missing = self.live == Folder::Missing && self.history == Folder::Missing;
        let unused = self.live != Folder::Used && self.history != Folder::Used;
        // A host makes raw/live/ before it makes the key.
        let lost = (self.dealt && missing)
            || (self.opened && self.live == Folder::Missing)
            || (self.apart && unused && (self.dealt || self.indexed));
        if lost && !self.moves_out {
            return Err(Refusal::RawEmpty { data, raw, apart: self.apart, accept });
        }
        if self.apart && self.history == Folder::Used && !self.dealt && !self.indexed {
            return Err(Refusal::DataEmpty { data, raw, accept });
        }
        Ok(())
    }

    /// Whether there is a data directory at all; for commands that work on one and never make one.
    ///
    /// # Errors
    /// If there is none.
    pub fn is_there(&self) -> Result<(), Refusal> {
        if self.known { Ok(()) } else { Err(Refusal::NoData { data: self.layout.data().to_owned() }) }
    }
}
