//! The loop: one thread, all connections.

use std::io::{Error, Result};
use std::path::Path;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::{Events, Interest, Poll, Token};

use super::arguments::Arguments;
use super::connection::Connection;
use super::report::Report;
use super::request;

/// Runs the load and reports.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.connections == 0
        || arguments.batch == 0
        || arguments.indexes == 0
        || arguments.documents == 0
    {
        return Err(Error::other("connections, batch, indexes and documents must be at least 1"));
    }
    let mut load = Load::open(arguments)?;
    load.turn(arguments.warm_up)?;
    load.latency_ns.clear();
    let begin = Instant::now();
    load.turn(arguments.duration)?;
    let report = Report::new(arguments, &load.latency_ns, begin.elapsed());
    println!("{}", report.line());
    if let Some(path) = &arguments.json {
        let json = serde_json::to_string_pretty(&report).map_err(Error::other)?;
        if path == Path::new("-") {
            println!("{json}");
        } else {
            std::fs::write(path, json + "\n")?;
        }
    }
    Ok(())
}

struct Load {
    poll: Poll,
    connections: Vec<Connection>,
    latency_ns: Histogram<u64>,
    pace: Option<Pace>,
    // Connections without a request under way, in open loop.
    idle: Vec<usize>,
}

/// When requests are due, in open loop.
struct Pace {
    next: Instant,
    every: Duration,
}

impl Load {
    fn open(arguments: &Arguments) -> Result<Self> {
        let poll = Poll::new()?;
        let mut connections = Vec::new();
        for number in 0..arguments.connections {
            let requests = request::of_connection(arguments, number);
            let mut connection = Connection::open(arguments.addr, requests)?;
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(&mut connection.stream, Token(number), interest)?;
            connections.push(connection);
        }
        let pace = arguments.rate.map(|rate| Pace {
            next: Instant::now(),
            every: Duration::from_secs_f64(arguments.batch as f64 / rate),
        });
        let idle = if pace.is_some() { (0..connections.len()).rev().collect() } else { Vec::new() };
        let latency_ns = Histogram::new_with_bounds(1_000, 100_000_000_000, 3).map_err(Error::other)?;
        let mut load = Self { poll, connections, latency_ns, pace, idle };
        if load.pace.is_none() {
            for connection in &mut load.connections {
                connection.send(Instant::now())?;
            }
        }
        Ok(load)
    }

    fn turn(&mut self, duration: Duration) -> Result<()> {
        let end = Instant::now() + duration;
        let mut events = Events::with_capacity(1024);
        loop {
            let now = Instant::now();
            if now >= end {
                return Ok(());
            }
            let mut wait = end - now;
            if let Some(pace) = &mut self.pace {
                while pace.next <= now {
                    // All connections busy: what is due waits, and its latency counts the waiting.
                    let Some(number) = self.idle.pop() else { break };
                    self.connections[number].send(pace.next)?;
                    pace.next += pace.every;
                }
                if !self.idle.is_empty() {
                    wait = wait.min(pace.next.saturating_duration_since(now));
                }
            }
            self.poll.poll(&mut events, Some(wait))?;
            for event in &events {
                self.serve(event.token().0)?;
            }
        }
    }

    fn serve(&mut self, number: usize) -> Result<()> {
        let connection = &mut self.connections[number];
        if connection.is_writing() {
            connection.flush()?;
        }
        let Some(due) = connection.due else { return Ok(()) };
        if connection.receive()? {
            let now = Instant::now();
            let nanos = u64::try_from((now - due).as_nanos()).unwrap_or(u64::MAX);
            self.latency_ns.saturating_record(nanos);
            connection.due = None;
            if self.pace.is_some() {
                self.idle.push(number);
            } else {
                connection.send(now)?;
            }
        }
        Ok(())
    }
}
