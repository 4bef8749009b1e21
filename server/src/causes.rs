//! An error with what caused it, in one line.

/// Each cause once: many of our errors hold the system's answer in their own words already.
pub(crate) fn causes(error: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in error.chain() {
        let text = cause.to_string();
        if said.is_empty() {
            said = text;
        } else if !said.contains(&text) {
            said.push_str(": ");
            said.push_str(&text);
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use anyhow::Context;
    use logtank_os::startup::StartupError;

    use super::*;

    #[test]
    fn each_cause_is_said_once() {
        let source = io::Error::from_raw_os_error(13);
        let inner = StartupError::Failed { what: "opening x".to_owned(), source };
        let error = Err::<(), _>(inner).context("the raw log").unwrap_err();
        assert_eq!(causes(&error), "the raw log: opening x — Permission denied (os error 13)");
        let error = std::fs::read(Path::new("/nowhere/x")).context("reading it").unwrap_err();
        assert_eq!(causes(&error), "reading it: No such file or directory (os error 2)");
    }
}
