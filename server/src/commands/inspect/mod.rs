//! Shows what a file of the data directory holds, for people or as JSON, one object a line.

mod index;
mod output;
mod pack;
mod raw;
mod small;

use std::path::Path;

use anyhow::{Context, bail, ensure};
use logtank_engine::format::{PackName, RawName, SIDECAR_SUFFIX, SegmentName};
use logtank_engine::ids::IndexCode;
use logtank_engine::io::parent;
use logtank_os::disk::{Throttle, UringDisk, block_on};

use crate::cli::InspectArgs;
use crate::serve::check_machine;
use output::Output;

/// What a file is, by its name and place.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Raw(RawName),
    Segment(SegmentName),
    Sidecar,
    Pack(PackName),
    Deletion,
    Checkpoint,
    Identity,
}

fn kind(path: &Path) -> Option<Kind> {
    let name = path.file_name()?.to_str()?;
    let folder = parent(path).file_name().and_then(|folder| folder.to_str());
    if let Some(raw) = RawName::parse(name) {
        Some(Kind::Raw(raw))
    } else if let Some(segment) = SegmentName::parse(name) {
        Some(Kind::Segment(segment))
    } else if name.strip_suffix(SIDECAR_SUFFIX).and_then(SegmentName::parse).is_some() {
        Some(Kind::Sidecar)
    } else if let Some(pack) = PackName::parse(name) {
        Some(Kind::Pack(pack))
    } else if name == "dealer.next_timestamp.info" {
        Some(Kind::Checkpoint)
    } else if name == "identity" && folder != Some("deletions") {
        Some(Kind::Identity)
    } else {
        (folder == Some("deletions")).then_some(Kind::Deletion)
    }
}

/// Prints the file.
///
/// # Errors
/// If it can't be read, or is none that this program knows. Damage is printed, and then an error too.
pub(crate) fn run(args: &InspectArgs) -> anyhow::Result<()> {
    check_machine()?;
    let path = std::path::absolute(&args.file)?;
    path.symlink_metadata().with_context(|| path.display().to_string())?;
    let Some(kind) = kind(&path) else {
        bail!(
            "{} is none of the files that this program knows by name: a raw segment, a segment of an index or its \
             sidecar, a pack, EPOCH.lost, a file of deletions/, dealer.next_timestamp.info, identity",
            path.display()
        );
    };
    let index = args
        .index
        .as_ref()
        .map(|code| IndexCode::new(code.as_bytes()).with_context(|| format!("--index {code}")))
        .transpose()?;
    ensure!(
        matches!(kind, Kind::Pack(_)) || (index.is_none() && !args.list),
        "--index and --list show slices of a pack, and {} is none",
        path.display()
    );
    let mut out = Output::new(args.json);
    block_on(async {
        let disk = UringDisk::new(&[parent(&path)], Throttle::none())?;
        match kind {
            Kind::Raw(RawName::Lost(epoch)) => small::lost(&disk, &path, epoch, &mut out).await,
            Kind::Raw(_) => raw::segment(&disk, &path, args.records, &mut out).await,
            Kind::Segment(name) => index::segment(&disk, &path, name, args.records, &mut out).await,
            Kind::Sidecar => index::sidecar(&path, &mut out),
            Kind::Pack(name) => {
                let wanted = pack::Wanted { index: index.as_ref(), list: args.list, records: args.records };
                pack::pack(&disk, &path, name, wanted, &mut out).await
            }
            Kind::Deletion => small::deletion(&disk, &path, &mut out).await,
            Kind::Checkpoint => small::checkpoint(&disk, &path, &mut out).await,
            Kind::Identity => small::identity(&disk, &path, &mut out).await,
        }
    })?
    .with_context(|| path.display().to_string())?;
    out.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_name_and_place() {
        let kind = |path: &str| kind(Path::new(path));
        assert!(matches!(kind("/d/raw/live/1795343512642-3-0.rawlog"), Some(Kind::Raw(_))));
        assert!(matches!(kind("/d/1795343512642.lost"), Some(Kind::Raw(RawName::Lost(_)))));
        assert!(matches!(kind("/x/2026.11.22-10.33.41.999.sorted_21"), Some(Kind::Segment(_))));
        assert_eq!(kind("/x/2026.11.22-10.33.41.999.sorted_21.sum"), Some(Kind::Sidecar));
        assert!(matches!(kind("/d/packs/7.0-8.0_0_all.recent"), Some(Kind::Pack(_))));
        assert_eq!(kind("/d/deletions/m"), Some(Kind::Deletion));
        assert_eq!(kind("/d/dealer.next_timestamp.info"), Some(Kind::Checkpoint));
        assert_eq!(kind("/d/raw/identity"), Some(Kind::Identity));
        assert_eq!(kind("/d/deletions/identity"), Some(Kind::Deletion));
        assert_eq!(kind("/d/else"), None);
    }
}
