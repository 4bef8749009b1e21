//! Peers that mean harm, against the real process: it answers or closes, in bounded time and memory; who behaves well
//! beside them notices nothing; and no path leaves the data directory.

mod hoarding;
mod inputs;
mod neighbour;
mod resting;
mod slow;
mod tokens;

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use logtank_tests::host::Host;
use logtank_tests::metrics::{get, metric};
use logtank_tests::random::Random;
use logtank_tests::{needs, report};

use inputs::inputs;
use neighbour::{Neighbour, percentile};

/// A message must be whole within this.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(2);
/// The metrics port's own limit for a request's head.
const HTTP_PATIENCE: Duration = Duration::from_secs(10);
/// Memory that all of them together may cost beyond what the host took before.
const RESIDENT_BYTES_MAX: f64 = 96e6;

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Answered,
    Closed,
}

/// Sends the bytes and waits for an answer or the end.
fn attack(address: SocketAddr, bytes: &[u8], what: &str) -> Outcome {
    let mut stream = TcpStream::connect(address).unwrap();
    // Whichever of the host's limits it is that ends it, on a machine that is busy.
    stream.set_read_timeout(Some(MESSAGE_TIMEOUT.max(HTTP_PATIENCE) + Duration::from_secs(20))).unwrap();
    // It may be closed while this is still being sent.
    let _ = stream.write_all(bytes);
    let mut reply = [0; 64];
    match stream.read(&mut reply) {
        Ok(0) => Outcome::Closed,
        Ok(_) => Outcome::Answered,
        Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
            Outcome::Closed
        }
        Err(error) => panic!("{what} is neither answered nor closed: {error}"),
    }
}

fn ports(host: &Host) -> [(&'static str, SocketAddr); 4] {
    [
        ("writer", host.writer()),
        ("reader", host.reader()),
        ("manager", host.manager()),
        ("metrics", host.metrics()),
    ]
}

fn entries(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

fn gauge(host: &Host, name: &str) -> f64 {
    metric(host.metrics(), name).unwrap_or_else(|| panic!("the host tells its {name}"))
}

/// Attacks all ports with all inputs at once: many of them wait until the host loses patience.
fn attack_with_all(host: &Host, round: u64) -> Vec<Outcome> {
    let inputs = inputs(round);
    std::thread::scope(|scope| {
        let attacks: Vec<_> = inputs
            .iter()
            .flat_map(|(name, bytes)| ports(host).map(|(port, address)| (name, bytes, port, address)))
            // Takes as long as all others together.
            .filter(|(name, _, port, _)| round == 0 || (name.as_str(), *port) != ("half HTTP", "metrics"))
            .map(|(name, bytes, port, address)| {
                scope.spawn(move || attack(address, bytes, &format!("{name} to the {port}")))
            })
            .collect();
        attacks.into_iter().map(|attack| attack.join().expect("each ends in time")).collect()
    })
}

#[test]
fn hostile_bytes_are_answered_or_the_connection_ends_and_neighbours_notice_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut host = Host::started(&folder.path().join("data"), &["--shards", "1", "--message-timeout", "2s"]);
    let neighbour = Neighbour::new(&host);
    neighbour.wait_for(500);
    let alone = neighbour.take();
    let (resident, descriptors) =
        (gauge(&host, "process_resident_memory_bytes"), gauge(&host, "process_open_fds"));
    let rounds = if needs::is_long() { 50 } else { 2 };
    let mut outcomes = Vec::new();
    for round in 0..rounds {
        outcomes.extend(attack_with_all(&host, round));
        assert!(host.try_wait().is_none(), "the host ended in round {round}");
    }
    let answered = outcomes.iter().filter(|outcome| **outcome == Outcome::Answered).count();
    let closed = outcomes.len() - answered;
    neighbour.wait_for(50);
    let beside = neighbour.take();
    let most = gauge(&host, "process_peak_resident_memory_bytes") - resident;
    assert!(most < RESIDENT_BYTES_MAX, "they cost {most} bytes");
    let left = eventually_no_more_than(&host, descriptors + 16.0);
    assert_eq!(
        entries(folder.path()),
        BTreeSet::from(["data".to_owned()]),
        "nothing beside the data directory"
    );
    // Nothing may have been dealt yet.
    let indexes = folder.path().join("data/indexes");
    let indexes = if indexes.exists() { entries(&indexes) } else { BTreeSet::new() };
    assert!(indexes.iter().all(|name| name == "m" || name.starts_with("good")), "{indexes:?}");
    assert!(get(host.metrics(), "/healthz").unwrap().contains("200"));
    report::line(&format!(
        "{{\"test\":\"hostile_bytes\",\"attacks\":{},\"answered\":{answered},\"closed\":{closed},\"cost_bytes\":{most},\
         \"descriptors\":{{\"before\":{descriptors},\"after\":{left}}},\"neighbour_ms\":{{\"alone_p50\":{:.2},\"alone_p99\":{:.2},\"beside_p50\":{:.2},\"beside_p99\":{:.2},\"beside_most\":{:.2}}}}}",
        answered + closed,
        percentile(&alone, 50),
        percentile(&alone, 99),
        percentile(&beside, 50),
        percentile(&beside, 99),
        percentile(&beside, 100),
    ));
    let seen = neighbour.stop();
    assert!(seen > 0);
    host.stop();
}

/// The descriptors of closed connections go when the host has seen their end. Its own files come and go by a few.
/// Returns how many are left.
fn eventually_no_more_than(host: &Host, descriptors: f64) -> f64 {
    let deadline = Instant::now() + MESSAGE_TIMEOUT + Duration::from_secs(20);
    loop {
        let open = gauge(host, "process_open_fds");
        if open <= descriptors {
            return open;
        }
        assert!(Instant::now() < deadline, "{open} descriptors, {descriptors} before");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn random_damage_to_good_calls_is_survived() {
    let folder = tempfile::tempdir().unwrap();
    let mut host = Host::started(&folder.path().join("data"), &["--shards", "1", "--message-timeout", "2s"]);
    let mut random = Random::new(11);
    let rounds = if needs::is_long() { 5_000 } else { 200 };
    let good = [inputs::good_call(), inputs::list_call(), inputs::page_call(b"m")];
    for round in 0..rounds {
        let mut bytes = good[round % good.len()].clone();
        for _ in 0..=random.below(4) {
            let at = usize::try_from(random.below(bytes.len() as u64)).unwrap();
            bytes[at] = random.next().to_le_bytes()[0];
        }
        let (_, address) = ports(&host)[usize::try_from(random.below(3)).unwrap()];
        let mut stream = TcpStream::connect(address).unwrap();
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(Shutdown::Write);
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut reply = Vec::new();
        if let Err(error) = stream.read_to_end(&mut reply) {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "round {round}: it hangs: {error}");
        }
        assert!(host.try_wait().is_none(), "round {round} ended the host");
    }
    host.stop();
}
