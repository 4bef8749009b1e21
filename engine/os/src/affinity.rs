//! Which processors a thread runs on.

use std::io;
use std::num::NonZero;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Processors that the calling thread may run on, ascending.
///
/// # Errors
/// The system's.
pub fn allowed_cpus() -> io::Result<Vec<usize>> {
    let set = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect())
}

/// How many threads can really run at once: the processors allowed, or less if the control group's quota is.
///
/// # Errors
/// The system's.
pub fn usable_cpus() -> io::Result<NonZero<usize>> {
    std::thread::available_parallelism()
}

/// Keeps the calling thread, and those that it starts afterwards, on one processor.
///
/// # Errors
/// `InvalidInput` if the processor is not there or not allowed.
pub fn pin(cpu: usize) -> io::Result<()> {
    pin_to(&[cpu])
}

/// Keeps the calling thread, and those that it starts afterwards, on some processors.
///
/// # Errors
/// `InvalidInput` if none of them is there and allowed.
pub fn pin_to(cpus: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for &cpu in cpus {
        if cpu >= CpuSet::MAX_CPU {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("there is no processor {cpu}")));
        }
        set.set(cpu);
    }
    Ok(sched_setaffinity(None, &set)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_thread_may_run_there_only() {
        let all = allowed_cpus().unwrap();
        assert!(usable_cpus().unwrap().get() <= all.len());
        let last = *all.last().unwrap();
        std::thread::scope(|scope| {
            let pinned = scope.spawn(|| {
                pin(last).unwrap();
                allowed_cpus().unwrap()
            });
            assert_eq!(pinned.join().unwrap(), [last]);
        });
        assert_eq!(allowed_cpus().unwrap(), all, "other threads stay free");
    }

    #[test]
    fn a_processor_that_is_not_there_is_refused() {
        for cpu in [CpuSet::MAX_CPU - 1, CpuSet::MAX_CPU, usize::MAX] {
            assert_eq!(pin(cpu).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
    }
}
