use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::startup_error::StartupError;

/// Lets this process open as many files as it may at all (shells and service managers start it with a lower limit,
/// for the sake of programs that use `select`). Returns how many.
///
/// # Errors
/// If that is less than `wanted`.
pub fn raise_open_files(wanted: u64) -> Result<u64, StartupError> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
        raised.map_err(|error| StartupError::Failed {
            what: "raising the number of open files to the hard limit".into(),
            source: error.into(),
        })?;
    }
    let limit = limit.maximum.unwrap_or(u64::MAX);
    if limit < wanted { Err(StartupError::OpenFiles { wanted, limit }) } else { Ok(limit) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_and_a_low_one_reported() {
        let limit = raise_open_files(16).unwrap();
        let now = getrlimit(Resource::Nofile);
        assert_eq!((now.current, now.current.unwrap_or(u64::MAX)), (now.maximum, limit));
        if limit < u64::MAX {
            let error = raise_open_files(limit + 1).unwrap_err().to_string();
            assert!(error.contains(&format!("may have {limit}")), "{error}");
        }
    }
}
