use std::io;
use std::time::Duration;

/// How often an operation that "would block" is repeated, a millisecond apart, before that counts as a failure.
const AGAIN_MAX: u32 = 1_000;

/// Tells which failures of an operation are worth another try. Never ask it about an fsync: there every failure is
/// final.
#[derive(Debug, Default)]
pub(super) struct Retries {
    again: u32,
}

impl Retries {
    /// Whether to try once more: the operation was interrupted, or the kernel could not take it just now (then
    /// this waits a little, as the kernel does not tell when it can).
    pub(super) async fn worth_another(&mut self, error: &io::Error) -> bool {
        match error.kind() {
            io::ErrorKind::Interrupted => true,
            io::ErrorKind::WouldBlock if self.again < AGAIN_MAX => {
                self.again += 1;
                tokio::time::sleep(Duration::from_millis(1)).await;
                true
            }
            _ => false,
        }
    }
}

/// Repeats an operation while that may help.
pub(super) async fn retried<T, F: Future<Output = io::Result<T>>>(
    mut operation: impl FnMut() -> F,
) -> io::Result<T> {
    let mut retries = Retries::default();
    loop {
        match operation().await {
            Err(error) if retries.worth_another(&error).await => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io::ErrorKind;

    use super::*;

    fn tried(kinds: &[ErrorKind]) -> (io::Result<()>, usize) {
        let tries = Cell::new(0);
        let result = crate::disk::block_on(retried(|| {
            let result = kinds.get(tries.get()).map_or(Ok(()), |&kind| Err(kind.into()));
            tries.set(tries.get() + 1);
            std::future::ready(result)
        }));
        (result.unwrap(), tries.get())
    }

    #[test]
    fn interruptions_are_repeated_and_failures_are_not() {
        let (result, tries) = tried(&[ErrorKind::Interrupted, ErrorKind::WouldBlock, ErrorKind::Interrupted]);
        assert!(result.is_ok());
        assert_eq!(tries, 4);
        let (result, tries) = tried(&[ErrorKind::StorageFull]);
        assert_eq!(result.unwrap_err().kind(), ErrorKind::StorageFull);
        assert_eq!(tries, 1);
    }
}
