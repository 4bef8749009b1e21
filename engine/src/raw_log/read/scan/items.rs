//! What a raw segment holds, one item after the other: frames, damage, ends.

use super::{ScanEnd, ScanPoint, SegmentScan};
use crate::error::{Corruption, Error, Result};
use crate::format::raw::Seal;
use crate::io::disk::DiskFile;
use crate::raw_log::read::frame::Frame;

/// What a scan came to.
#[derive(Debug)]
pub enum Item<'a> {
    /// A frame that verifies.
    Frame(Frame<'a>),
    /// Damage. The next item is what follows it.
    Damage(Corruption),
    /// The place after which nothing counts.
    End(ScanEnd),
}

/// The items of one segment, over all damage. Each item is delivered once, and they always come to an end.
#[derive(Debug)]
pub struct SegmentItems<F> {
    scan: SegmentScan<F>,
    beyond: Beyond,
    stands: Stands,
}

/// What the end of a segment without a seal is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beyond {
    /// The end.
    Nothing,
    /// The first thing that is no frame: others may follow.
    Frames,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stands {
    BeforeItem,
    AtDamage,
    Over,
}

impl<F> SegmentScan<F> {
    /// The items up to the end of the segment.
    #[must_use]
    pub const fn strict(self) -> SegmentItems<F> {
        SegmentItems { scan: self, beyond: Beyond::Nothing, stands: Stands::BeforeItem }
    }

    /// As [`Self::strict`]; in a segment without a seal also the frames after an end, each stretch of them with an end of
    /// its own.
    #[must_use]
    pub const fn salvaging(self) -> SegmentItems<F> {
        SegmentItems { scan: self, beyond: Beyond::Frames, stands: Stands::BeforeItem }
    }
}

impl<F: DiskFile> SegmentItems<F> {
    /// The next item; `None` once there is nothing more. Damage with no frame after it is the last item.
    ///
    /// # Errors
    /// The disk's; never damage.
    pub async fn next(&mut self) -> Result<Option<Item<'_>>> {
        match self.stands {
            Stands::BeforeItem => {}
            Stands::AtDamage if self.scan.skip_damage().await? => self.stands = Stands::BeforeItem,
            Stands::AtDamage | Stands::Over => {
                self.stands = Stands::Over;
                return Ok(None);
            }
        }
        match self.scan.advance().await {
            Ok(true) => Ok(self.scan.frame().map(Item::Frame)),
            Ok(false) => {
                let more = self.beyond == Beyond::Frames && self.scan.seal().is_none();
                self.stands = if more { Stands::AtDamage } else { Stands::Over };
                Ok(self.scan.end().map(Item::End))
            }
            Err(Error::Corrupt(damage)) => {
                self.stands = Stands::AtDamage;
                Ok(Some(Item::Damage(damage)))
            }
            Err(error) => Err(error),
        }
    }

    /// After the item just delivered: [`SegmentScan::point`].
    #[must_use]
    pub const fn point(&self) -> ScanPoint {
        self.scan.point()
    }

    /// [`SegmentScan::seal`].
    #[must_use]
    pub const fn seal(&self) -> Option<&Seal> {
        self.scan.seal()
    }
}

#[cfg(test)]
mod tests;
