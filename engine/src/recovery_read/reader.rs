//! Answers `read_page`.

use std::time::Duration;

use logtank_wire::page::LogPageToken;

use super::ahead::Ahead;
use super::draft::Draft;
use super::error::{ReadError, StartOver};
use super::live_page::{LiveEnd, LivePage};
use super::look::Look;
use super::options::ReadOptions;
use super::page::{ChunkMemory, Page};
use super::route::{self, Next};
use super::segment_page::{SegmentEnd, SegmentPages};
use super::token::{Place, Progress, SegmentPlace, TokenKey};
use crate::deletions;
use crate::format::names::SegmentKind;
use crate::ids::{Epoch, IndexCode, Position};
use crate::io::disk::Disk;
use crate::roles;
use crate::store::{LOOKS_MAX, MayVanish, Store};
use crate::time::{Clock, MonoNanos, Now};

/// How long to leave a hole in the raw log alone before looking again.
const GAP_PAUSE: Duration = Duration::from_millis(2);

/// Answers `read_page`, for any number of recoveries at once.
pub struct Reader<D: Disk, C: Clock> {
    store: Store<D>,
    clock: C,
    options: ReadOptions,
    segments: SegmentPages<D>,
    key: TokenKey,
}

/// What one step of filling a page came to.
enum Step {
    More,
    Full,
    End,
}

impl<D: Disk, C: Clock> Reader<D, C> {
    /// A reader of the tree at `layout`, whose tokens `key` signs.
    #[must_use]
    pub const fn new(store: Store<D>, clock: C, key: TokenKey, options: ReadOptions) -> Self {
        let segments = SegmentPages::new();
        Self { store, clock, options, segments, key }
    }

    /// The next page of a recovery. Memory is about two pages.
    ///
    /// Applied in order, the pages of one recovery give the state of the index as of after the last batch that
    /// was acknowledged when the first page was asked for, or later. An unknown index has one empty page, and is
    /// not created.
    ///
    /// # Errors
    /// If this host may not serve recoveries, the code names no index, the token can't be gone on from (start over), the
    /// disk fails, or what the page should hold is damaged.
    pub async fn read_page(&self, index_code: &[u8], token: &LogPageToken) -> Result<Page, ReadError> {
        self.read_page_with(index_code, token, None).await
    }

    /// As [`Self::read_page`], with what was read ahead for it; of no harm if it was for another page.
    ///
    /// # Errors
    /// As [`Self::read_page`].
    pub async fn read_page_with(
        &self,
        index_code: &[u8],
        token: &LogPageToken,
        ahead: Option<Ahead>,
    ) -> Result<Page, ReadError> {
        let code = IndexCode::new(index_code)?;
        let now = self.clock.now();
        self.segments.close_idle(now.mono);
        if let Some(refusal) = roles::refusal(&self.store).await? {
            return Err(refusal.into());
        }
        let progress = self.key.open(&code, token, now.wall, self.options.token_age_max)?;
        self.mark_read(&code).await;
        match progress {
            Some(progress) => {
                if matches!(progress.place, Place::Live(_)) && progress.boot != self.options.boot {
                    return Err(StartOver::Restarted.into());
                }
                let progress = Progress { issued: now.wall, boot: self.options.boot, ..progress };
                let mut draft = Draft::new(code, progress, self.options.page_bytes_max);
                draft.ahead = ahead;
                self.fill(draft, None, now.mono).await
            }
            None => self.first_page(code, now).await,
        }
    }

    async fn first_page(&self, code: IndexCode, now: Now) -> Result<Page, ReadError> {
        let begun = async || {
            let look = Look::take(&self.store, &code, Epoch::MAX).await?;
            let draft =
                Draft::new(code.clone(), begin(&look, now, self.options.boot), self.options.page_bytes_max);
            match self.fill(draft, Some(look), now.mono).await {
                // The cleaner overtook it. Beginning anew is what the client would be told to do.
                Err(ReadError::StartOver(StartOver::Superseded)) => Ok(None),
                page => page.map(Some),
            }
        };
        self.store.settle(&self.store.layout().index(&code), begun).await
    }

    /// Takes back memory of a page that was sent ([`super::page::Chunk::into_parts`]).
    pub fn recycle(&self, memory: ChunkMemory) {
        match memory {
            ChunkMemory::Segment(buffer) => self.segments.recycle(buffer),
            ChunkMemory::Live(_) => {}
        }
    }

    /// Reads what the page at `token` will most likely hold, if that is known without looking at the disk: while the
    /// page before is being sent, say. Only for [`Self::read_page_with`], which answers as if it were not there.
    /// Memory is one page.
    pub async fn read_ahead(&self, index_code: &[u8], token: &LogPageToken) -> Option<Ahead> {
        let code = IndexCode::new(index_code).ok()?;
        let now = self.clock.now();
        let progress = self.key.open(&code, token, now.wall, self.options.token_age_max).ok()??;
        let Place::Inside(place) = progress.place else { return None };
        self.segments.read_ahead(code, place, self.options.page_bytes_max, now.mono).await
    }

    /// Closes segments that no recovery has read for a minute, and gives back memory. To be called every few minutes, so
    /// that removed files give back their space when there are no recoveries.
    pub fn release_idle(&self) {
        self.segments.close_idle(self.clock.now().mono);
        self.segments.release();
    }

    /// The cleaner leaves alone what was read lately. A page does not fail for that: not when the drive is full, and
    /// the cleaner's mark tells in any case.
    async fn mark_read(&self, code: &IndexCode) {
        if let Ok(Some(_)) = self.store.disk().metadata(&self.store.layout().index(code)).await {
            drop(self.store.disk().touch(&self.store.layout().last_read(code)).await);
        }
    }

    /// Fills a page.
    async fn fill(
        &self,
        mut draft: Draft,
        mut look: Option<Look>,
        started: MonoNanos,
    ) -> Result<Page, ReadError> {
        let mut vanished = 0;
        loop {
            match self.step(&mut draft, &mut look, started).await {
                Ok(Step::More) => {}
                Ok(Step::Full) => return Ok(self.page(draft, true)),
                Ok(Step::End) => return Ok(self.page(draft, false)),
                Err(error) if error.is_not_found() && vanished < LOOKS_MAX => {
                    // Dealt, sorted or removed since the look.
                    vanished += 1;
                    look = None;
                }
                // What is in the page is whole; the next one meets the error again.
                Err(
                    ReadError::Disk(_) | ReadError::Corrupt(_) | ReadError::Gone(_) | ReadError::Unsettled,
                ) if !draft.is_empty() => {
                    return Ok(self.page(draft, true));
                }
                Err(error) if error.is_not_found() => return Err(ReadError::Unsettled),
                Err(error) => return Err(error),
            }
        }
    }

    fn page(&self, draft: Draft, more: bool) -> Page {
        let code = draft.code.clone();
        let (chunks, records, progress) = draft.finish();
        Page { chunks, records, next: more.then(|| self.key.issue(&code, &progress)) }
    }

    async fn step(
        &self,
        draft: &mut Draft,
        look: &mut Option<Look>,
        started: MonoNanos,
    ) -> Result<Step, ReadError> {
        let found = match look {
            Some(found) => found,
            None => {
                if let Some(step) = self.read_on(draft).await? {
                    return Ok(step);
                }
                let from = draft.progress.from.epoch();
                look.insert(Look::take(&self.store, &draft.code, from).await?)
            }
        };
        match route::next(&found.view, &draft.progress)? {
            Next::End => Ok(Step::End),
            Next::Segment { place, after } => {
                let name = place.name;
                if name.kind != SegmentKind::Optimized {
                    draft.advance(Position::new(name.time, 0), Place::Inside(place));
                }
                match self.read_segment(draft, place).await? {
                    SegmentEnd::Full => return Ok(Step::Full),
                    SegmentEnd::Ended => {}
                }
                match name.kind {
                    SegmentKind::Optimized => draft.advance(after, Place::Anywhere),
                    SegmentKind::Sorted | SegmentKind::Unsorted => draft.advance(after, Place::After(name)),
                }
                Ok(Step::More)
            }
            Next::Live(from) => match self.live(found, started).fill(draft, from).await? {
                LiveEnd::Full => Ok(Step::Full),
                LiveEnd::End => Ok(Step::End),
                LiveEnd::Gap if !draft.is_empty() => Ok(Step::Full),
                LiveEnd::Gap => {
                    let waited = self.clock.now().mono.since(started);
                    draft.gaps_accepted = waited >= self.options.gap_time_max;
                    if !draft.gaps_accepted {
                        self.clock.sleep(GAP_PAUSE).await;
                    }
                    *look = None;
                    Ok(Step::More)
                }
            },
        }
    }

    async fn read_segment(&self, draft: &mut Draft, place: SegmentPlace) -> Result<SegmentEnd, ReadError> {
        self.segments.fill(&self.store, &self.clock, draft, place).await
    }

    /// The raw log, for a page that was begun at `started`.
    const fn live<'r>(&'r self, look: &'r Look, started: MonoNanos) -> LivePage<'r, D, C> {
        let time_max = self.options.page_time_max;
        LivePage { disk: self.store.disk(), clock: &self.clock, look, started, time_max }
    }

    /// In the middle of a segment that is still there, no look at anything else is needed: if the page is full before
    /// its end, nothing else matters to it. Otherwise `None`.
    async fn read_on(&self, draft: &mut Draft) -> Result<Option<Step>, ReadError> {
        let Place::Inside(place) = draft.progress.place else { return Ok(None) };
        let deletion = deletions::load_one(&self.store, &draft.code).await?;
        if deletion.is_some_and(|deletion| deletion > draft.progress.deletion) {
            return Err(StartOver::Deleted.into());
        }
        match self.read_segment(draft, place).await {
            Ok(SegmentEnd::Full) => Ok(Some(Step::Full)),
            Ok(SegmentEnd::Ended) => Ok(None),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A recovery that has delivered nothing yet.
fn begin(look: &Look, now: Now, boot: u64) -> Progress {
    let view = &look.view;
    let optimized = look.chain.optimized.map(|segment| segment.name);
    let following = look.chain.following().next().map(|segment| segment.name.time);
    let (from, place) = route::begin(view, optimized, following);
    // Everything acknowledged by now is before the greatest epoch's end, or dealt.
    let open = look.live.greatest_epoch().map(Epoch::next);
    let end = open.unwrap_or(Epoch::ZERO).max(view.next_to_deal);
    Progress { issued: now.wall, end: Position::new(end, 0), deletion: view.deletion, from, boot, place }
}
