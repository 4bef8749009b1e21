use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use indicatif::{ProgressBar, ProgressStyle};
use logtank_sysconfig::{Drive, Measured, Mounts, Place, System, Tuned, identity, measure, settings_file};

/// Steps of the bar.
const STEPS: u64 = 1000;

/// Measures the drive of `raw`, or of the nearest folder above it that is there. Nothing if `time` is zero.
///
/// # Errors
/// If that folder can't be written.
pub(super) fn measure_drive(raw: &Path, time: Duration) -> anyhow::Result<Option<Measured>> {
    if time.is_zero() {
        return Ok(None);
    }
    let folder = raw.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("/"));
    let bar = ProgressBar::new(STEPS);
    let style = ProgressStyle::with_template("measuring {msg:18} {bar:40} {percent} %");
    bar.set_style(style.expect("the template is valid"));
    let measured = measure(folder, time, &mut |progress| {
        bar.set_message(progress.step);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
        bar.set_position((progress.done.clamp(0.0, 1.0) * STEPS as f64) as u64);
    });
    bar.finish_and_clear();
    Ok(Some(measured?))
}

/// Writes the settings that follow from a measurement into the data directory, as its owner's.
///
/// # Errors
/// If that can't be written.
pub(super) fn write_tuned(
    system: &System,
    data: &Path,
    raw: &Path,
    measured: &Measured,
) -> anyhow::Result<PathBuf> {
    let mounts = Mounts::read(system)?;
    let place = Place::of(raw)?;
    let drives = mounts.by_id(place.mount_id).map(|mount| Drive::below(system, mount)).unwrap_or_default();
    let drives: Vec<String> =
        drives.iter().map(|drive| format!("{} ({})", drive.name, drive.kind.name())).collect();
    let when = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let path = settings_file(data);
    let text = Tuned::from(measured).to_toml(measured, &drives.join(", "), &identity(system, &place)?, &when);
    system.keep_for_owner(&path, &text)?;
    Ok(path)
}
