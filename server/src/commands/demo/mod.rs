//! Shows what a host does: takes a load, is killed in the middle of it, starts again, deals, optimizes, and serves
//! recoveries, each checked document by document against a model.

mod host;
mod load;
mod model;
mod recovery;
mod steps;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, ensure};

use crate::cli::DemoArgs;
use crate::output::say;
use crate::serve::check_machine;

/// Whether the user wants it to end.
#[derive(Clone, Debug, Default)]
struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    fn watch() -> std::io::Result<Self> {
        let interrupt = Self::default();
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            signal_hook::flag::register(signal, interrupt.0.clone())?;
        }
        Ok(interrupt)
    }

    /// # Errors
    /// If the user wants it to end.
    fn check(&self) -> anyhow::Result<()> {
        ensure!(!self.0.load(Ordering::Relaxed), "interrupted");
        Ok(())
    }
}

/// Where the demonstration's data lie; a temporary folder goes away with it.
enum Folder {
    Temporary(tempfile::TempDir),
    Kept(PathBuf),
}

impl Folder {
    fn choose(wanted: Option<&PathBuf>) -> anyhow::Result<Self> {
        let Some(path) = wanted else {
            let folder = tempfile::Builder::new().prefix("logtank-demo-").tempdir();
            return Ok(Self::Temporary(folder.context("making a temporary folder")?));
        };
        let empty = match std::fs::read_dir(path) {
            Ok(mut entries) => entries.next().is_none(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => true,
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        };
        ensure!(empty, "{} is not empty: name a folder that is, or none", path.display());
        Ok(Self::Kept(std::path::absolute(path)?))
    }

    fn data(&self) -> PathBuf {
        match self {
            Self::Temporary(folder) => folder.path().join("data"),
            Self::Kept(path) => path.clone(),
        }
    }
}

/// Runs the demonstration.
///
/// # Errors
/// If something could not be done, or was not right.
pub(crate) fn run(args: &DemoArgs) -> anyhow::Result<ExitCode> {
    check_machine()?;
    let interrupt = Interrupt::watch()?;
    let folder = Folder::choose(args.data.as_ref())?;
    let outcome = steps::run(&folder.data(), args.load_for, &interrupt);
    match (&folder, &outcome) {
        (Folder::Kept(path), _) => say!("\nThe data are in {}.", path.display()),
        (Folder::Temporary(_), Ok(())) => {}
        (Folder::Temporary(folder), Err(_)) => {
            say!("\n{} is removed; --data DIR keeps it.", folder.path().display())
        }
    }
    outcome?;
    say!(
        "\nNext:\n  \
         logtank serve                         a host in ./logtank-data, on ports 15000, 15100, 16000; metrics on 15200\n  \
         echo '{{\"docid\":\"a\",\"fields\":{{\"text\":\"hello\"}}}}' | logtank write --index first\n  \
         logtank read first                    what an engine would recover\n  \
         logtank status                        how it is;  logtank serve --help: what can be set"
    );
    Ok(ExitCode::SUCCESS)
}
