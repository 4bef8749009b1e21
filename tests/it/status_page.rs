//! The page at / of the metrics port: over HTTP, and in headless Chromium where that is installed.

use std::path::Path;
use std::process::{Command, Stdio};

use logtank_tests::client::Client;
use logtank_tests::host::Host;
use logtank_tests::http::get;
use logtank_tests::thrift::Change;

fn write(host: &Host, index: &str) {
    let fields = Some(vec![("text".into(), "x".into())]);
    let change = Change { index: index.into(), docid: "d".into(), fields, ..Change::default() };
    Client::connect(host.writer()).unwrap().send_batch(&[change]).unwrap();
}

fn status(host: &Host) -> serde_json::Value {
    let (code, _, body) = get(host.metrics(), "/status.json", "*/*").unwrap();
    assert_eq!(code, 200);
    serde_json::from_str(&body).unwrap()
}

#[test]
fn the_page_shows_what_the_host_holds_and_asks_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::started(&folder.path().join("data"), &["--epoch-max-age", "10ms"]);
    write(&host, "shop");
    // The next walk comes after fifty times what the last one took, and walks yield to everything else.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(300);
    let found = loop {
        let found = status(&host);
        if found["survey"]["largest"][0]["code"] == "shop" {
            break found;
        }
        assert!(std::time::Instant::now() < deadline, "the index is not there: {found}");
        // The folders are walked again after a while; a new record makes a new epoch meanwhile.
        write(&host, "shop");
        std::thread::sleep(std::time::Duration::from_millis(500));
    };
    assert_eq!(found["not_ready"], serde_json::Value::Null);
    // Which of both depends on when the folders were walked.
    let bytes = |kind: &str| found["survey"][kind]["bytes"].as_u64().unwrap();
    assert!(bytes("unsorted") + bytes("sorted") > 0, "{found}");
    assert!(found["free"]["raw"].as_u64().unwrap() > 0, "{found}");
    assert!(!found["slowest"].as_array().unwrap().is_empty(), "a segment was made ready: {found}");
    let (code, head, page) = get(host.metrics(), "/", "text/html").unwrap();
    assert_eq!(code, 200);
    assert!(head.to_lowercase().contains("content-security-policy: default-src 'none'"), "{head}");
    assert!(page.contains("\"code\":\"shop\""), "the first numbers are in the page");
    for outside in ["http://", "https://", "//cdn", "@import", "src="] {
        let places = page.matches(outside).count()
            - page.matches("http://www.w3.org/2000/svg").count() * usize::from(outside == "http://");
        assert_eq!(places, 0, "{outside} in the page");
    }
}

/// The page's document after its script has run, at a width in pixels.
fn in_chromium(host: &Host, folder: &Path, width: u32) -> Option<String> {
    let output = Command::new("chromium")
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--dump-dom"])
        .args(["--virtual-time-budget=4000", &format!("--window-size={width},1200")])
        .arg(format!("--user-data-dir={}", folder.join("chromium").display()))
        .arg(format!("http://{}/", host.metrics()))
        .stderr(Stdio::null())
        .output();
    let Ok(output) = output else {
        eprintln!("skipped: chromium is not installed");
        return None;
    };
    assert!(output.status.success(), "{output:?}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_browser_fills_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::started(&folder.path().join("data"), &[]);
    write(&host, "shop");
    let Some(page) = in_chromium(&host, folder.path(), 400) else { return };
    assert!(page.contains("<h1>Healthy</h1>"), "{page}");
    assert!(page.contains("writer and indexes, up "), "{page}");
    assert!(!page.contains("<h1>No answer"), "it asks again by itself: {page}");
}
