//! A real Prometheus scrapes a loaded host; skipped where it is not installed (Debian's package `prometheus`).

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use logtank_tests::client::Client;
use logtank_tests::host::Host;
use logtank_tests::http::get;
use logtank_tests::thrift::Change;

const PATIENCE: Duration = Duration::from_secs(60);

fn is_installed(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if found.is_err() {
        eprintln!("skipped: {program} is not installed");
    }
    found.is_ok()
}

fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../sysconfig").join(path)
}

/// A Prometheus of this test, killed at its end.
struct Prometheus {
    child: Child,
    address: SocketAddr,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Prometheus {
    /// With the shipped configuration, but for the host's address and a shorter interval.
    fn start(folder: &Path, target: SocketAddr) -> Self {
        let shipped_yml = std::fs::read_to_string(shipped("prometheus/logtank.yml")).unwrap();
        let yml = shipped_yml.replace("127.0.0.1:15200", &target.to_string()).replace("15s", "1s");
        assert_ne!(yml, shipped_yml, "the shipped file names another address or interval");
        std::fs::write(folder.join("prometheus.yml"), yml).unwrap();
        std::fs::copy(shipped("prometheus/logtank-alerts.yml"), folder.join("logtank-alerts.yml")).unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", folder.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("tsdb").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.join("log")).unwrap())
            .spawn()
            .unwrap();
        Self { child, address }
    }

    /// The results of a query: labels and value.
    fn query(&self, promql: &str) -> Result<Vec<(serde_json::Value, f64)>, String> {
        let hex = |byte: u8| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        };
        let encoded: String = promql.bytes().map(hex).collect();
        let path = format!("/api/v1/query?query={encoded}");
        let (_, _, body) = get(self.address, &path, "*/*").map_err(|error| error.to_string())?;
        let answer: serde_json::Value =
            serde_json::from_str(&body).map_err(|error| format!("{error}: {body}"))?;
        if answer["status"] != "success" {
            return Err(body);
        }
        let rows = answer["data"]["result"].as_array().ok_or_else(|| body.clone())?;
        let value = |row: &serde_json::Value| row["value"][1].as_str().and_then(|text| text.parse().ok());
        Ok(rows.iter().filter_map(|row| Some((row["metric"].clone(), value(row)?))).collect())
    }

    /// The one value of a query, as soon as it satisfies `good`.
    fn await_value(&self, promql: &str, good: impl Fn(f64) -> bool) -> f64 {
        let only = |rows: &[(serde_json::Value, f64)]| match rows {
            [(_, value)] if good(*value) => Some(*value),
            _ => None,
        };
        self.await_that(promql, only)
    }

    fn await_rows(&self, promql: &str) {
        self.await_that(promql, |rows| (!rows.is_empty()).then_some(()));
    }

    fn await_that<T>(&self, promql: &str, good: impl Fn(&[(serde_json::Value, f64)]) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.query(promql);
            if let Some(value) = found.as_ref().ok().and_then(|rows| good(rows)) {
                return value;
            }
            assert!(Instant::now() < deadline, "{promql}: {found:?}");
            // Prometheus tells nobody when it has scraped.
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

/// Sends batches over one connection for a while; returns how long each took.
fn load(host: &Host, time: Duration) -> Vec<Duration> {
    let mut client = Client::connect(host.writer()).unwrap();
    let (mut took, end) = (Vec::new(), Instant::now() + time);
    while Instant::now() < end {
        let docid = format!("d{}", took.len());
        let fields = Some(vec![("text".into(), "x".repeat(500))]);
        let change = Change { index: "load".into(), docid, fields, ..Change::default() };
        let began = Instant::now();
        client.send_batch(&[change]).unwrap();
        took.push(began.elapsed());
    }
    took.sort_unstable();
    took
}

/// Number of the bucket: one for each doubling.
fn bucket(seconds: f64) -> i32 {
    #[expect(clippy::cast_possible_truncation, reason = "a small number")]
    let number = (seconds * 1e6).log2().ceil() as i32;
    number
}

#[test]
fn percentiles_by_promql_are_those_that_a_client_measured() {
    if !is_installed("prometheus") {
        return;
    }
    let mut attempts = Vec::new();
    // Other work on the machine delays the client alone now and then; a wrong metric is wrong each time.
    for _ in 0..3 {
        let folder = tempfile::tempdir().unwrap();
        // With a sync before each answer, append and sync are both what the client waits for.
        let host = Host::started(&folder.path().join("data"), &["--sync", "always", "--shards", "1"]);
        let prometheus = Prometheus::start(folder.path(), host.metrics());
        let took = load(&host, Duration::from_secs(5));
        #[expect(clippy::cast_precision_loss, reason = "some thousands")]
        let sent = took.len() as f64;
        prometheus.await_value("sum(logtank_batches_total)", |value| value >= sent);
        let quantile = |share: f64, name: &str| {
            let promql = format!("histogram_quantile({share}, sum by (le) (logtank_{name}_seconds_bucket))");
            bucket(prometheus.await_value(&promql, |value| value > 0.0))
        };
        let client = |share: usize| bucket(took[(took.len() - 1) * share / 1000].as_secs_f64());
        let near = |a: i32, b: i32| (a - b).abs() <= 1;
        let (p50, p99) = (quantile(0.5, "append"), quantile(0.99, "append"));
        // A sync covers one batch here, so both have the same share of slow ones.
        let sync = quantile(0.99, "sync");
        if near(p50, client(500)) && near(p99, client(990)) && near(sync, client(990)) {
            return;
        }
        attempts.push(format!("append {p50} {p99}, sync {sync}, client {} {}", client(500), client(990)));
    }
    panic!("buckets (log2 of µs) differ by more than one: {attempts:?}");
}

#[test]
fn every_query_of_dashboard_and_alerts_runs() {
    if !is_installed("prometheus") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let host = Host::started(&folder.path().join("data"), &[]);
    let prometheus = Prometheus::start(folder.path(), host.metrics());
    load(&host, Duration::from_secs(1));
    let mut reader = Client::connect(host.reader()).unwrap();
    reader.recover("load").unwrap();
    prometheus.await_value("sum(increase(logtank_records_total[20s])) >= 0", |_| true);
    prometheus.await_value("logtank_ready", |value| value == 1.0);
    let text = std::fs::read_to_string(shipped("grafana/logtank.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut queries = 0;
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            let expr = target["expr"].as_str().unwrap();
            let expr = expr.replace("$__rate_interval", "20s").replace("$instance", ".*");
            // A rate needs two scrapes; on a busy machine the second may be late.
            prometheus.await_rows(&expr);
            queries += 1;
        }
    }
    assert!(queries > 30, "{queries}");
    let rules = std::fs::read_to_string(shipped("prometheus/logtank-alerts.yml")).unwrap();
    for expr in rules.lines().filter_map(|line| line.trim().strip_prefix("expr: ")) {
        let firing = prometheus.query(expr).unwrap_or_else(|error| panic!("{expr}: {error}"));
        // Those tell of the machine, which is busy with other tests, and alert only when it stays so; their unit tests have
        // both cases.
        let of_the_machine = ["logtank_free_bytes", "_seconds"].iter().any(|name| expr.contains(name));
        assert!(of_the_machine || firing.is_empty(), "{expr} fires for a healthy host: {firing:?}");
    }
}

#[test]
fn promtool_has_no_complaint() {
    if !is_installed("promtool") {
        return;
    }
    let tests = shipped("prometheus/logtank-alerts-test.yml");
    let rules = Command::new("promtool").args(["test", "rules"]).arg(tests).output().unwrap();
    assert!(rules.status.success(), "{}", String::from_utf8_lossy(&rules.stderr));
    let folder = tempfile::tempdir().unwrap();
    let host = Host::started(&folder.path().join("data"), &[]);
    let (_, head, metrics) = get(host.metrics(), "/metrics", "*/*").unwrap();
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    let file = folder.path().join("metrics");
    std::fs::write(&file, metrics).unwrap();
    let input = std::fs::File::open(&file).unwrap();
    let check = Command::new("promtool").args(["check", "metrics"]).stdin(input).output().unwrap();
    let said = [check.stdout, check.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(check.status.success() && said.trim().is_empty(), "{said}");
}
