use std::io::{self, BufWriter, StdoutLock, Write};
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

/// Prints objects: as one line of JSON each, or as a heading with a line for each member.
pub(super) struct Output {
    out: BufWriter<StdoutLock<'static>>,
    json: bool,
    damage: u64,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        Self { out: BufWriter::new(io::stdout().lock()), json, damage: 0 }
    }

    /// Prints one object of this kind with several members.
    pub(super) fn block(&mut self, what: &str, members: Value) -> io::Result<()> {
        let members = object(members);
        if self.json {
            return self.line(what, members);
        }
        writeln!(self.out, "{what}")?;
        for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
            writeln!(self.out, "  {:<18} {}", name.replace('_', " "), plain(value))?;
        }
        Ok(())
    }

    /// Prints one object of this kind on a line.
    pub(super) fn row(&mut self, what: &str, members: Value) -> io::Result<()> {
        let members = object(members);
        if self.json {
            return self.line(what, members);
        }
        write!(self.out, "{what}")?;
        for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
            write!(self.out, "  {} {}", name.replace('_', " "), plain(value))?;
        }
        writeln!(self.out)
    }

    /// Prints something that is wrong with the file.
    pub(super) fn damage(&mut self, what: impl std::fmt::Display) -> io::Result<()> {
        self.damage += 1;
        self.row("DAMAGED", serde_json::json!({ "what": what.to_string() }))
    }

    fn line(&mut self, what: &str, members: Map<String, Value>) -> io::Result<()> {
        let mut object = Map::from_iter([("kind".to_owned(), what.into())]);
        object.extend(members);
        serde_json::to_writer(&mut self.out, &object)?;
        writeln!(self.out)
    }

    /// Writes out what is left.
    ///
    /// # Errors
    /// If output fails for another reason than that nobody wants it; and if the file is damaged.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        match self.out.flush() {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
            _ => {}
        }
        anyhow::ensure!(self.damage == 0, "the file is damaged");
        Ok(())
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        other => Map::from_iter([("value".to_owned(), other)]),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Milliseconds since 1970, as people write a moment.
pub(super) fn moment(millis: u64) -> String {
    let Some(time) = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(millis)) else {
        return millis.to_string();
    };
    // The year 9999 is the last that this way of writing has.
    if millis < 253_402_300_800_000 {
        humantime::format_rfc3339_millis(time).to_string()
    } else {
        millis.to_string()
    }
}
