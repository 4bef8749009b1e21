//! Trees that the original wrote recover to what it recovered.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::support::{Document, Host, State};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden")
}

fn load(host: &Host, name: &str) {
    fn copy(host: &Host, from: &Path, to: &Path) {
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let target = to.join(entry.file_name());
            if entry.path().is_dir() {
                copy(host, &entry.path(), &target);
            } else {
                host.store.disk().put(target, &std::fs::read(entry.path()).unwrap());
            }
        }
    }
    copy(host, &golden().join("tree").join(name), host.store.layout().data());
}

fn text(value: &Value) -> String {
    match value {
        // The one long text is recorded by its length and hash: the sixteen digits, repeated.
        Value::Object(long) => "0123456789abcdef".repeat(long["len"].as_u64().unwrap() as usize / 16),
        text => text.as_str().unwrap().to_owned(),
    }
}

fn bits(value: &Value) -> u64 {
    value.as_f64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap()).to_bits()
}

/// JSON, with the numbers that it has no words for as texts.
fn parse(path: &Path) -> Value {
    let mut json = std::fs::read_to_string(path).unwrap();
    for number in ["NaN", "Infinity", "-Infinity"] {
        json = json.replace(&format!(": {number}"), &format!(": \"{number}\""));
    }
    serde_json::from_str(&json).unwrap()
}

/// With all that is not a number alike: the recorded answers don't tell one from the other.
fn without_payloads(mut state: State) -> State {
    for bits in state.values_mut().flat_map(|document| document.variables.values_mut()) {
        if f64::from_bits(*bits).is_nan() {
            *bits = f64::NAN.to_bits();
        }
    }
    state
}

/// The index, the state that the original's pages give, and how many records they hold.
fn expected(path: &Path) -> (String, State, usize) {
    let json = parse(path);
    let mut state = State::new();
    let pages = json["pages"].as_array().unwrap();
    let records: Vec<&Value> = pages.iter().flat_map(|page| page["records"].as_array().unwrap()).collect();
    for record in &records {
        let docid = record["docid"].as_str().unwrap().to_owned();
        if record["deleted"] == true {
            state.remove(&docid);
        }
        let map = |name| record.get(name).and_then(Value::as_object);
        let (fields, variables, categories) = (map("fields"), map("variables"), map("categories"));
        if fields.is_none() && variables.is_none() && categories.is_none() {
            continue;
        }
        let document: &mut Document = state.entry(docid).or_default();
        if let Some(fields) = fields {
            document.fields = Some(fields.iter().map(|(key, value)| (key.clone(), text(value))).collect());
        }
        for (number, value) in variables.into_iter().flatten() {
            document.variables.insert(number.parse().unwrap(), bits(value));
        }
        for (key, value) in categories.into_iter().flatten() {
            document.categories.insert(key.clone(), text(value));
        }
    }
    (json["index"].as_str().unwrap().to_owned(), state, records.len())
}

/// Recovers each index of the tree in pages of different lengths; what `recovery` names is the right answer.
fn recovers(tree: &str, recovery: &str, indexes: usize) {
    let mut compared = 0;
    for entry in std::fs::read_dir(golden().join("recovery")).unwrap() {
        let path = entry.unwrap().path();
        if !path.file_name().unwrap().to_str().unwrap().starts_with(&format!("{recovery}-")) {
            continue;
        }
        let (index, mut state, records) = expected(&path);
        if tree == "02-dealt-unsorted" && index == "idx1" {
            // Written between the recorded recovery and the copy of the tree.
            let fields =
                [("text", "live"), ("timestamp", "10")].map(|(key, value)| (key.into(), value.into()));
            let document = Document { fields: Some(fields.into()), ..Document::default() };
            state.insert("live-after-roll".into(), document);
        }
        for bytes in [1, 100, 700, 5 << 20] {
            let host = Host::with_pages(bytes);
            load(&host, tree);
            let files = host.store.disk().files();
            assert_eq!(
                without_payloads(host.recover(&index)),
                state,
                "{tree}: {index}, pages of {bytes} bytes"
            );
            let created: Vec<_> =
                host.store.disk().files().into_iter().filter(|file| !files.contains(file)).collect();
            let sidecars =
                |file: &PathBuf| file.extension() == Some("sum".as_ref()) || file.ends_with("last_read");
            assert!(created.iter().all(sidecars), "{created:?}");
        }
        assert!(records > 0 || index == "nothing");
        compared += 1;
    }
    assert_eq!(compared, indexes);
}

#[test]
fn live_only() {
    recovers("01-live-only", "02-live-read", 5);
}

#[test]
fn dealt_and_unsorted() {
    recovers("02-dealt-unsorted", "02-live-read", 5);
}

#[test]
fn three_unsorted_segments() {
    recovers("10-three-unsorted", "10-three-unsorted", 2);
}

#[test]
fn all_four_kinds_at_once() {
    recovers("14-optimized-sorted-unsorted-live", "14-optimized-sorted-unsorted-live", 2);
}

#[test]
fn a_torn_tail_costs_the_torn_record_and_the_recovery_ends() {
    recovers("30-torn-tail-last-raw", "30-torn-tail-last-raw", 1);
    let host = Host::new();
    load(&host, "30-torn-tail-last-raw");
    let page = host.page("m", &Default::default()).unwrap();
    assert_eq!((page.records, page.next), (4, None));
}

#[test]
fn a_fresh_tree_has_nothing_and_stays_as_it_is() {
    let host = Host::new();
    load(&host, "00-empty");
    let files = host.store.disk().files();
    let page = host.page("ghost", &Default::default()).unwrap();
    assert_eq!((page.records, page.next), (0, None));
    assert_eq!(host.store.disk().files(), files);
}
