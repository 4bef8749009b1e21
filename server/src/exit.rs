//! Exit codes that say more than success and failure.

use std::process::ExitCode;

use logtank_engine::identity::Refusal;
use logtank_os::startup::StartupError;

/// For what starting again does not mend: the drive failed, or the folders are not what they should be. A service manager must
/// not start the host again in a loop. (It is the number of EX_CONFIG.)
const EXIT_HOPELESS: u8 = 78;

/// The code for a drive that failed.
pub(crate) fn drive_failed() -> ExitCode {
    ExitCode::from(EXIT_HOPELESS)
}

/// The code for an error that ends the program.
pub(crate) fn code(error: &anyhow::Error) -> ExitCode {
    let wrong_folders = error.chain().any(|cause| {
        cause.is::<Refusal>()
            || cause.downcast_ref::<StartupError>().is_some_and(StartupError::is_about_folders)
    });
    if wrong_folders { ExitCode::from(EXIT_HOPELESS) } else { ExitCode::FAILURE }
}
