//! `logtank-sim`: runs seeds, replays one, shows that each deliberate bug is caught.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Parser;
use logtank_sim::mutants::Mutant;
use logtank_sim::run::{Options, run};

mod campaign;
mod worker;

use campaign::Campaign;

/// Deterministic simulation of LogTank's engine: a disk and a network that do their worst, virtual time, an oracle.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Replay one seed
    #[arg(long, value_name = "N", conflicts_with_all = ["seeds", "forever", "mutants"])]
    seed: Option<u64>,
    /// Print everything that happens while a seed is replayed
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Run so many seeds
    #[arg(long, value_name = "N")]
    seeds: Option<u64>,
    /// The first seed
    #[arg(long, value_name = "N", default_value_t = 0)]
    from: u64,
    /// Run seeds until stopped (by Ctrl-C); then tell what was covered
    #[arg(long, conflicts_with = "seeds")]
    forever: bool,
    /// Show that each deliberate bug is caught, within --seeds seeds each (build with --features mutants)
    #[arg(long)]
    mutants: bool,
    /// With this deliberate bug; together with --mutants: show it of this one only
    #[arg(long, value_name = "NAME")]
    mutant: Option<String>,
    /// Processes at once; as many as there are processors, if not given
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Run the seeds that are read from standard input, for another logtank-sim
    #[arg(long, hide = true)]
    worker: bool,
}

/// Whoever runs this has seen enough.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

const SEEDS_DEFAULT: u64 = 1_000;
/// Seeds after which a deliberate bug counts as missed.
const SEEDS_FOR_A_MUTANT: u64 = 2_000;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match start(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(what) => {
            eprintln!("logtank-sim: {what}");
            ExitCode::from(2)
        }
    }
}

fn start(arguments: &Arguments) -> Result<bool, String> {
    let mutant = arguments.mutant.as_deref().map(known).transpose()?;
    if arguments.worker {
        return worker::serve(mutant).map(|()| true).map_err(|error| error.to_string());
    }
    if let Some(seed) = arguments.seed {
        let outcome = run(seed, Options { trace: arguments.trace, mutant });
        for (what, count) in &outcome.counts {
            println!("{count:>8} {what}");
        }
        println!("trace {:016x}", outcome.hash);
        match &outcome.failure {
            Some(what) => println!("seed {seed} FAILED: {what}"),
            None => println!("seed {seed} passed"),
        }
        return Ok(outcome.failure.is_none());
    }
    ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed)).map_err(|error| error.to_string())?;
    let jobs =
        arguments.jobs.or_else(|| std::thread::available_parallelism().ok().map(usize::from)).unwrap_or(1);
    if arguments.mutants {
        let mutants = mutant.map_or_else(|| Mutant::all().collect(), |only| vec![only]);
        return all_mutants(arguments, &mutants, jobs);
    }
    let seeds = if arguments.forever { u64::MAX } else { arguments.seeds.unwrap_or(SEEDS_DEFAULT) };
    let campaign = Campaign {
        from: arguments.from,
        seeds,
        jobs,
        mutant,
        quiet: false,
        stop_at_failure: false,
        interrupted: &INTERRUPTED,
    };
    let summary = campaign.run().map_err(|error| error.to_string())?;
    for (what, count) in &summary.counts {
        println!("{count:>12} {what}");
    }
    println!("{} seeds, {} failed", summary.seeds, summary.failures.len());
    Ok(summary.failures.is_empty())
}

fn known(name: &str) -> Result<Mutant, String> {
    let mutant = Mutant::named(name).ok_or_else(|| format!("there is no deliberate bug {name}"))?;
    match mutant {
        Mutant::Engine(_) if !logtank_engine::mutant::COMPILED_IN => {
            Err("bugs of the engine are not compiled in: build with --features mutants".to_owned())
        }
        Mutant::Engine(_) | Mutant::Drive(_) => Ok(mutant),
    }
}

/// Each deliberate bug, until a seed catches it.
fn all_mutants(arguments: &Arguments, mutants: &[Mutant], jobs: usize) -> Result<bool, String> {
    let (mut caught, all) = (0, mutants.len());
    for mutant in mutants {
        if INTERRUPTED.load(Ordering::Relaxed) {
            break;
        }
        let name = mutant.name();
        let mutant = Some(known(&name)?);
        let seeds = arguments.seeds.unwrap_or(SEEDS_FOR_A_MUTANT);
        let campaign = Campaign {
            from: arguments.from,
            seeds,
            jobs,
            mutant,
            quiet: true,
            stop_at_failure: true,
            interrupted: &INTERRUPTED,
        };
        let summary = campaign.run().map_err(|error| error.to_string())?;
        match summary.failures.first_key_value() {
            Some((seed, what)) => {
                caught += 1;
                println!("caught {name} after {} seeds (seed {seed}: {what})", summary.seeds);
            }
            None => println!("MISSED {name} in {} seeds", summary.seeds),
        }
    }
    println!("caught {caught} of {all}");
    Ok(caught == all)
}
