//! `logtank-bench load` as typed.

use std::io::{Error, Result};
use std::time::{SystemTime, UNIX_EPOCH};

use super::arguments::Arguments;
use super::engine::{Load, measure};
use super::ledger::Ledger;
use super::live::Live;
use super::verify::verify;
use crate::output;
use crate::protocol::Protocol;

/// Runs the load and reports.
///
/// # Errors
/// If nothing could be measured, a batch was refused or a connection broke, or `--verify` finds a difference.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if let Some(cpu) = arguments.pin {
        logtank_os::affinity::pin(cpu)?;
    }
    let load = Load {
        addr: arguments.addr,
        protocol: Protocol::Thrift,
        connections: arguments.connections,
        shape: arguments.shape.clone(),
        rate: arguments.rate,
        duration: arguments.duration,
        warm_up: arguments.warm_up,
        engine: arguments.engine,
        spin: arguments.spin,
        fresh: arguments.fresh,
        records_max: None,
    };
    // Documents of another run may be in the same indexes.
    let run = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis()).to_string();
    let ledger = arguments.verify.then(Ledger::default);
    let (measured, ledger) = measure(&load, &run, ledger, Live::shown(), &mut |_| {})?;
    println!("{}", measured.line());
    output::json(arguments.json.as_deref(), &measured)?;
    if let Some(ledger) = ledger {
        println!("{}", verify(arguments.reader_addr, &ledger, &run)?);
    }
    if measured.refused + measured.broken > 0 {
        return Err(Error::other("not every batch was acknowledged: see the host's log and metrics"));
    }
    Ok(())
}
