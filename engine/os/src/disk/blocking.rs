use std::io;
use std::path::Path;

use logtank_engine::error::DiskError;
use logtank_engine::io::disk::DiskResult;

/// Runs a system call that io_uring does not have on a helper thread. If the future is dropped, the call is made
/// nevertheless: so `call` owns what it works on.
pub(super) async fn blocking<T: Send + 'static>(
    operation: &'static str,
    path: &Path,
    call: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> DiskResult<T> {
    let result = match tokio::task::spawn_blocking(call).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(io::Error::other("the background is shutting down")),
        },
    };
    result.map_err(|source| DiskError::new(operation, path, source))
}
