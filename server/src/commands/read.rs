//! Recovers an index as the original's engines do: page after page, each asked for again when it fails.

use std::io::{self, Write};
use std::time::Duration;

use anyhow::{Context, anyhow};
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use logtank_engine::ids::IndexCode;
use logtank_wire::client::{request, response};
use logtank_wire::page::LogPageToken;

use crate::cli::ReadArgs;
use crate::client::{CallError, Connection, Encryption, connect};
use crate::record_json::RecordJson;
use crate::stderr::remark;

/// Prints the records of an index. Of one that the host does not know there are none, as for an engine.
///
/// # Errors
/// A page that can't be had, or not in as many attempts as allowed, or output that can't be written.
pub(crate) fn run(args: &ReadArgs) -> anyhow::Result<()> {
    IndexCode::new(args.index.as_bytes()).with_context(|| args.index.clone())?;
    let progress = ProgressBar::new_spinner();
    progress.set_style(
        ProgressStyle::with_template("{spinner} {msg} in {elapsed}").expect("the template is valid"),
    );
    let mut recovery = Recovery {
        args,
        connection: None,
        encryption: Encryption::load(&args.tls)?,
        out: io::BufWriter::new(io::stdout().lock()),
        records: 0,
        bytes: 0,
    };
    recovery.connect()?;
    let mut token = LogPageToken::default();
    let outcome = loop {
        match recovery.page_with_retries(&token, &progress) {
            Ok(Some(next)) => token = next,
            Ok(None) => break recovery.out.flush().map_err(anyhow::Error::from),
            Err(error) => break Err(error),
        }
        progress.set_message(recovery.summary());
        progress.tick();
    };
    progress.finish_and_clear();
    match outcome {
        // Whoever reads the output has enough of it (`| head`).
        Err(error)
            if error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe) =>
        {
            Ok(())
        }
        Ok(()) if recovery.records == 0 => {
            remark!(
                "logtank: no records: the host knows of none of an index `{}`; is the name right?",
                args.index
            );
            Ok(())
        }
        outcome => outcome,
    }
}

struct Recovery<'a> {
    args: &'a ReadArgs,
    connection: Option<Connection>,
    encryption: Encryption,
    out: io::BufWriter<io::StdoutLock<'static>>,
    records: u64,
    bytes: u64,
}

impl Recovery<'_> {
    fn summary(&self) -> String {
        format!("{} records, {}", HumanCount(self.records), HumanBytes(self.bytes))
    }

    /// Waits for a host that is about to start.
    fn connect(&mut self) -> anyhow::Result<()> {
        let ReadArgs { addr, timeout, wait, attempts, .. } = self.args;
        let wait = if *attempts == 1 { Duration::ZERO } else { *wait };
        let connection = connect(addr, *timeout, &self.encryption, wait)
            .with_context(|| format!("can't connect to the reader port {addr}; is a host running there?"))?;
        self.connection = Some(connection);
        Ok(())
    }

    /// Prints the page at `token`, however often it takes; returns the next token.
    fn page_with_retries(
        &mut self,
        token: &LogPageToken,
        progress: &ProgressBar,
    ) -> anyhow::Result<Option<LogPageToken>> {
        let mut attempt = 1;
        loop {
            let (bytes, next) = match self.page(token) {
                Ok(page) => page,
                Err(error) if !error.may_pass() => return Err(self.at_port(&error)),
                Err(error) if attempt == self.args.attempts => {
                    return Err(anyhow!("{error} ({attempt} attempts, after {})", self.summary()));
                }
                Err(error) => {
                    let wait = pause_after(attempt);
                    let (next, most) = (attempt + 1, self.args.attempts);
                    progress.suspend(|| {
                        remark!(
                            "logtank: {error}; trying again in {} s (attempt {next} of {most})",
                            wait.as_secs()
                        );
                    });
                    self.connection = None;
                    std::thread::sleep(wait);
                    attempt += 1;
                    continue;
                }
            };
            // Printed only when the page was received whole, so that no record is printed twice.
            self.bytes += bytes.len() as u64;
            self.out.write_all(&bytes)?;
            return Ok(next);
        }
    }

    /// What is wrong with the port, or with what it answered.
    fn at_port(&self, error: &CallError) -> anyhow::Error {
        match self.records {
            0 => anyhow!("the reader port {}: {error}", self.args.addr),
            _ => anyhow!("{error} (after {})", self.summary()),
        }
    }

    /// One page as lines of JSON.
    fn page(&mut self, token: &LogPageToken) -> Result<(Vec<u8>, Option<LogPageToken>), CallError> {
        let (addr, index) = (&self.args.addr, self.args.index.as_bytes());
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => {
                let connection = connect(addr, self.args.timeout, &self.encryption, Duration::ZERO)?;
                self.connection.insert(connection)
            }
        };
        let (mut lines, mut records) = (Vec::new(), 0);
        let next = connection.call(
            |out, dialect, sequence| request::read_page(out, dialect, sequence, index, token),
            |message| {
                let page = response::page(message)?;
                for record in page.records {
                    let (view, _) = record?;
                    serde_json::to_writer(&mut lines, &RecordJson::from_view(&view))
                        .expect("a record is JSON");
                    lines.push(b'\n');
                    records += 1;
                }
                Ok(page.next_page_token)
            },
        )?;
        self.records += records;
        Ok((lines, next))
    }
}

/// How long the original's engines wait after this many failures: 1, 3, 9, 27, then 60 seconds.
fn pause_after(failures: u32) -> Duration {
    Duration::from_secs(3u64.saturating_pow(failures - 1).min(60))
}

#[cfg(test)]
mod tests {
    #[test]
    fn pauses_are_those_of_the_original_client() {
        let pauses: Vec<u64> = (1..=7).map(|failures| super::pause_after(failures).as_secs()).collect();
        assert_eq!(pauses, [1, 3, 9, 27, 60, 60, 60]);
    }
}
