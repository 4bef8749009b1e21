//! Reads a data directory by the rules of the original, which can't be run here: what it would recover of an index.
//!
//! Its reader takes the last optimized segment, then all segments of the index's folder from the first on, then the raw
//! segment named as its dealer's file says, and what follows that. Whatever is not sorted yet it sorts when it comes to
//! it. It takes for a segment what is named like one, whether anything covers it or not; of deletions, sidecars and
//! `.rawlog` files it knows nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use logtank_tests::apply::{State, apply};
use logtank_wire::record::RecordView;

/// More segments than any tree of a test has.
const STEPS_MAX: usize = 10_000;

/// A segment of an index, as the original has it in memory. A sort makes one of several.
struct Segment {
    /// By which segments are ordered.
    file: String,
    time: String,
    sorted: bool,
    paths: Vec<PathBuf>,
}

enum Next {
    Index(String),
    Live(u64),
    End,
}

/// What the original recovers of an index.
///
/// # Errors
/// Why its recovery fails, or never ends.
pub(super) fn recover(data: &Path, index: &str) -> Result<State, String> {
    let checkpoint = checkpoint(data)?;
    let mut state = State::new();
    let mut segments = of_folder(&data.join("indexes").join(index).join("segments"))?;
    let optimized = of_folder(&data.join("indexes").join(index).join("optimized"))?;
    let mut next = match optimized.into_iter().rfind(|segment| segment.sorted) {
        Some(last) => {
            apply_files(&last.paths, None, &mut state)?;
            segments.first().map_or(Next::Live(checkpoint), |first| Next::Index(first.time.clone()))
        }
        None => {
            if !segments.iter().any(|segment| segment.sorted) {
                sort(&mut segments);
            }
            match segments.iter().find(|segment| segment.sorted) {
                Some(first) => Next::Index(first.time.clone()),
                // Nothing is dealt: it begins with the raw segment at the checkpoint, or else with the first that there is.
                None => match raw(data, "live").chain(raw(data, "history")).find(|at| *at == checkpoint) {
                    Some(there) => Next::Live(there),
                    None => {
                        raw(data, "history").chain(raw(data, "live")).next().map_or(Next::End, Next::Live)
                    }
                },
            }
        }
    };
    for _ in 0..STEPS_MAX {
        next = match next {
            Next::End => return Ok(state),
            Next::Live(time) => live(data, index, time, &mut state)?,
            Next::Index(time) => {
                if !segments.iter().any(|segment| segment.sorted && segment.time == time) {
                    sort(&mut segments);
                }
                let this = segments
                    .iter()
                    .find(|segment| segment.sorted && segment.time == time)
                    .ok_or_else(|| format!("no segment of {time}: it can't revert"))?;
                apply_files(&this.paths, None, &mut state)?;
                let at = segments.iter().position(|segment| segment.time == time).expect("it was just found");
                segments.get(at + 1).map_or(Next::Live(checkpoint), |next| Next::Index(next.time.clone()))
            }
        };
    }
    Err("it serves one page for ever".to_owned())
}

/// The indexes that it lists.
pub(super) fn indexes(data: &Path) -> Vec<String> {
    let all = names(&data.join("indexes"));
    all.into_iter().filter(|name| data.join("indexes").join(name).join("segments").exists()).collect()
}

/// Whether its dealer can go on: it deals the raw segments in order, and the first must be the one at the checkpoint.
pub(super) fn deals(data: &Path) -> Result<(), String> {
    let (checkpoint, live) = (checkpoint(data)?, raw(data, "live").collect::<Vec<_>>());
    if !data.join("safe_to_read").exists() {
        return Err("it is not safe to read".to_owned());
    }
    if live.first() == Some(&checkpoint) { Ok(()) } else { Err(format!("{live:?} instead of {checkpoint}")) }
}

fn checkpoint(data: &Path) -> Result<u64, String> {
    match std::fs::read_to_string(data.join("dealer.next_timestamp.info")) {
        Ok(text) => text.trim().parse().map_err(|error| format!("{text:?}: {error}")),
        Err(_) => Ok(0),
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Its pattern for the names of segments, `^([\d-.]+)\.(raw|unsorted_\d+|sorted_\d+|optimized_\d+)?$`: time and kind.
fn parse(name: &str) -> Option<(&str, &str)> {
    let (time, kind) = name.rsplit_once('.')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let of_kind = |word: &str| kind.strip_prefix(word).is_some_and(digits);
    let known =
        kind.is_empty() || kind == "raw" || ["unsorted_", "sorted_", "optimized_"].into_iter().any(of_kind);
    let is_time = |byte: u8| byte.is_ascii_digit() || byte == b'-' || byte == b'.';
    (known && !time.is_empty() && time.bytes().all(is_time)).then_some((time, kind))
}

fn of_folder(folder: &Path) -> Result<Vec<Segment>, String> {
    let mut segments = Vec::new();
    for name in names(folder) {
        let Some((time, kind)) = parse(&name) else { continue };
        if kind.is_empty() || kind == "raw" {
            return Err(format!("{name} in {} is no segment of an index", folder.display()));
        }
        let sorted = !kind.starts_with("unsorted");
        segments.push(Segment { time: time.to_owned(), sorted, paths: vec![folder.join(&name)], file: name });
    }
    Ok(segments)
}

/// Makes one sorted segment of all unsorted ones, under the time of the first.
fn sort(segments: &mut Vec<Segment>) {
    let (unsorted, mut rest): (Vec<_>, Vec<_>) = segments.drain(..).partition(|segment| !segment.sorted);
    if let Some(first) = unsorted.first() {
        let (time, file) = (first.time.clone(), format!("{}.sorted_", first.time));
        let paths = unsorted.into_iter().flat_map(|segment| segment.paths).collect();
        rest.push(Segment { file, time, sorted: true, paths });
        rest.sort_by(|a, b| a.file.cmp(&b.file));
    }
    *segments = rest;
}

/// Times of the raw segments of a folder, in the order of their names.
fn raw(data: &Path, folder: &str) -> impl Iterator<Item = u64> + use<> {
    let names = names(&data.join("raw").join(folder)).into_iter();
    names.filter_map(|name| {
        parse(&name).filter(|(_, kind)| *kind == "raw").map(|(time, _)| time.parse().unwrap())
    })
}

fn live(data: &Path, index: &str, time: u64, state: &mut State) -> Result<Next, String> {
    let place = |folder: &str| data.join("raw").join(folder).join(format!("{time}.raw"));
    let path = ["live", "history"].map(place).into_iter().find(|path| path.exists());
    let path = path.ok_or_else(|| format!("REVERT UNIMPLEMENTED {time}"))?;
    apply_files(&[path], Some(index), state)?;
    let (live, history) = (raw(data, "live").collect::<Vec<_>>(), raw(data, "history").collect::<Vec<_>>());
    let following = |all: &[u64]| all.iter().position(|at| *at == time).map(|at| all.get(at + 1).copied());
    let next = following(&live).unwrap_or_else(|| following(&history).flatten().or(live.first().copied()));
    Ok(next.map_or(Next::End, Next::Live))
}

/// Applies the records of files that are of this index, if one is given.
fn apply_files(paths: &[PathBuf], index: Option<&str>, state: &mut State) -> Result<(), String> {
    for path in paths {
        let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let Ok((record, length)) = RecordView::parse(rest) else {
                return Err(format!("{} is torn: it serves one page for ever", path.display()));
            };
            let other = |code: &[u8]| index.is_some_and(|index| index.as_bytes() != code);
            if !record.index_code.is_some_and(other) {
                apply(state, &record);
            }
            rest = &rest[length..];
        }
    }
    Ok(())
}

/// All that it recovers, by index.
pub(super) fn recover_all<'n>(
    data: &Path,
    indexes: impl Iterator<Item = &'n str>,
) -> Result<BTreeMap<String, State>, String> {
    indexes.map(|index| Ok((index.to_owned(), recover(data, index)?))).collect()
}
