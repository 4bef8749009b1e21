//! A test that needs another process starts this test binary again, to run one test only, which then plays the
//! other process.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};

/// Set for the other process; tells it what to do.
const ROLE: &str = "LOGTANK_OS_TEST_ROLE";

/// Marks lines that the other process says, among those of the test harness.
const SAID: &str = "said: ";

/// What this process was started to do, if it is the other one.
pub(crate) fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// Says a line to the process that started this one.
pub(crate) fn say(line: &str) {
    println!("\n{SAID}{line}");
}

/// Waits until the process that started this one lets go.
pub(crate) fn wait_to_be_let_go() {
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

/// Another process, which ends with this value.
pub(crate) struct OtherProcess {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl OtherProcess {
    /// Starts one that runs `test` in the role of `role`; `prepare` may change its user and the like.
    pub(crate) fn start(test: &str, role: &str, prepare: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", test, "--nocapture", "--include-ignored"]).env(ROLE, role);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        prepare(&mut command);
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line that it says.
    pub(crate) fn hear(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "it ended and said nothing");
            if let Some(said) = line.strip_prefix(SAID) {
                return said.trim_end().to_owned();
            }
        }
    }

    /// Ends it without a chance to clean up (kill -9).
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for OtherProcess {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
