//! What lies behind damage that is proven to hold nothing that is asked for (decision page 11).

use super::FramedScan;
use crate::error::Result;
use crate::format::frame_indexes::FrameIndexes;
use crate::format::raw::{FRAME_HEADER_BYTES_MIN, FrameHeader, SealedBy};
use crate::io::disk::DiskFile;
use crate::mutant::bug;

impl<F: DiskFile> FramedScan<F> {
    /// Goes on behind the damage at the present place if that is proven to hold no record of the only index asked for; `false`,
    /// and nothing has changed, if not.
    pub(super) async fn pass_over(&mut self) -> Result<bool> {
        let Some(code) = self.only.clone() else { return Ok(false) };
        let may_hold = |indexes: FrameIndexes| indexes.may_hold(code.as_str().as_bytes());
        let may_hold = |indexes| may_hold(indexes) && !bug!(DamagePassedOver);
        let at = self.at;
        if let Some(header) = self.vouched(at).await? {
            if may_hold(header.indexes) {
                return Ok(false);
            }
            self.withhold(header, at);
            return Ok(true);
        }
        // The header tells nothing. If the next one that vouches for itself knows of one before it that begins just here, that
        // is all there is in between.
        let Some((next, header)) = self.next_vouched(at).await? else { return Ok(false) };
        let one_between = header.before.filter(|before| next - at == u64::from(before.bytes));
        if one_between.is_none_or(|before| may_hold(before.indexes)) {
            return Ok(false);
        }
        match self.check(next, self.least).await? {
            Ok(header) => self.accept(header, next, false),
            Err(_) if may_hold(header.indexes) => return Ok(false),
            Err(_) => self.withhold(header, next),
        }
        // How many records the one before had is not known.
        self.seen = None;
        Ok(true)
    }

    /// Takes a frame whose payload is damaged. A seal of recovery may count it or not: it was damaged after or before.
    fn withhold(&mut self, header: FrameHeader, offset: u64) {
        self.accept(header, offset, true);
        if self.seal.is_some_and(|seal| seal.sealed_by == SealedBy::Recovery) {
            self.seen = None;
        }
    }

    /// The header at `offset`, if it is what was written there.
    async fn vouched(&mut self, offset: u64) -> Result<Option<FrameHeader>> {
        let salt = self.header.salt;
        let decoded = self.decode(offset).await?.ok().filter(|header| self.in_order(header, self.least));
        Ok(decoded.filter(|header| header.is_vouched_for(self.window.at_hand(offset), salt)))
    }

    /// The first such header behind `at`. What a client sent can't be one: it does not know the salt.
    async fn next_vouched(&mut self, at: u64) -> Result<Option<(u64, FrameHeader)>> {
        let step = u64::from(self.header.block_bytes);
        let limit = self.limit.min(self.window.file_len().await?);
        let mut offset = at + step;
        while offset + FRAME_HEADER_BYTES_MIN as u64 <= limit {
            let empty = self.empty_at(offset).await?;
            if empty > 0 {
                offset += empty;
                continue;
            }
            if let Some(header) = self.vouched(offset).await? {
                return Ok(Some((offset, header)));
            }
            offset += step;
        }
        Ok(None)
    }
}
