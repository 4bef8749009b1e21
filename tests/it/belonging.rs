//! Half of the data is not there: a drive is not mounted, a folder was forgotten, misspelt, or belongs to another host.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use logtank_tests::client::{Client, Failure};
use logtank_tests::host::{Host, program, run};
use logtank_tests::http::get;
use logtank_tests::metrics::metric;
use logtank_tests::thrift::{Change, index_code};
use logtank_tests::wait::eventually;

/// Exit code for what starting again does not mend.
const HOPELESS: Option<i32> = Some(78);

/// A data directory and the folder of its raw log.
struct Two {
    folder: tempfile::TempDir,
    data: PathBuf,
    raw_dir: PathBuf,
}

impl Two {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (data, raw_dir) = (folder.path().join("data"), folder.path().join("drive"));
        Self { folder, data, raw_dir }
    }

    fn host(&self) -> Host {
        host(&self.data, &self.raw_dir)
    }

    /// Some records dealt, and some that are only in the raw log.
    fn fill(&self) {
        let mut host = self.host();
        host.start();
        write(&host, "dealt");
        host.stop();
        let (code, _, log) = self.command("drain");
        assert_eq!(code, Some(0), "{log}");
        host.start();
        write(&host, "live");
        host.kill();
    }

    fn command(&self, name: &str) -> (Option<i32>, String, String) {
        command(name, &self.data, Some(&self.raw_dir))
    }

    /// Both kinds of records are there, and nothing is wrong.
    fn is_whole(&self) {
        let mut host = self.host();
        host.start();
        let (state, _) = Client::connect(host.reader()).unwrap().recover("m").unwrap();
        assert_eq!(state.into_keys().collect::<Vec<_>>(), [b"dealt".to_vec(), b"live".to_vec()]);
        host.stop();
        let (code, findings, log) = self.command("verify");
        assert_eq!(code, Some(0), "{findings}{log}");
    }

    /// Neither `serve` nor a command touches these folders; what they say names this.
    fn is_refused(&self, named: &[&str]) {
        let before = walk(self.folder.path());
        let mut host = self.host();
        let Err((status, log)) = host.try_start() else { panic!("the host got ready: {}", host.log()) };
        assert_eq!(status.and_then(|status| status.code()), HOPELESS, "{log}");
        let mut said = vec![("serve", log)];
        for name in ["verify", "drain", "repair"] {
            let (code, out, log) = self.command(name);
            assert_eq!(code, HOPELESS, "{name}: {out}{log}");
            said.push((name, log));
        }
        for (name, log) in said {
            for part in named.iter().chain(&[self.data.to_str().unwrap(), self.raw_dir.to_str().unwrap()]) {
                assert!(log.contains(part), "{name} does not name {part}: {log}");
            }
        }
        assert_eq!(walk(self.folder.path()), before, "something was written");
    }
}

fn host(data: &Path, raw_dir: &Path) -> Host {
    Host::new(data, &["--raw-dir", raw_dir.to_str().unwrap(), "--shards", "1"])
}

fn command(name: &str, data: &Path, raw_dir: Option<&Path>) -> (Option<i32>, String, String) {
    let mut arguments = vec![name];
    if name == "drain" {
        arguments.push("--data");
    }
    arguments.push(data.to_str().unwrap());
    if let Some(raw_dir) = raw_dir {
        arguments.extend(["--raw-dir", raw_dir.to_str().unwrap()]);
    }
    run(&arguments, b"")
}

fn write(host: &Host, docid: &str) {
    write_to(host, "m", docid);
}

fn write_to(host: &Host, index: &str, docid: &str) {
    let change = Change {
        index: index.into(),
        docid: docid.into(),
        fields: Some(vec![("text".into(), "x".into())]),
        ..Change::default()
    };
    Client::connect(host.writer()).unwrap().send_batch(&[change]).unwrap();
}

/// Every path below a folder, with the length of files.
fn walk(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.push((path.clone(), 0));
            found.extend(walk(&path));
        } else {
            found.push((path.clone(), path.symlink_metadata().unwrap().len()));
        }
    }
    found.sort();
    found
}

/// As if the drive that is mounted on the folder were not: `there` then finds an empty folder.
fn without(folder: &Path, there: impl FnOnce()) {
    let away = folder.with_extension("away");
    std::fs::rename(folder, &away).unwrap();
    std::fs::create_dir(folder).unwrap();
    there();
    std::fs::remove_dir(folder).unwrap();
    std::fs::rename(&away, folder).unwrap();
}

fn forget_identity(two: &Two) {
    std::fs::remove_file(two.data.join("identity")).unwrap();
    std::fs::remove_file(two.raw_dir.join("raw/identity")).unwrap();
    // What `drain` leaves for the original, in a version that gives identities.
    let _ = std::fs::remove_dir_all(two.data.join("raw"));
}

#[test]
fn a_drive_that_is_missing_for_one_start_costs_nothing() {
    let two = Two::new();
    two.fill();
    without(&two.raw_dir, || two.is_refused(&["mount", "accept_new_raw"]));
    without(&two.data, || {
        // Nothing is there that `drain` could take for a data directory; the raw log's identity is what `serve` meets.
        let before = walk(two.folder.path());
        let log = two.host().start_in_vain();
        assert!(log.contains("is not the data directory of"), "{log}");
        for name in ["verify", "drain", "repair"] {
            let (code, out, log) = two.command(name);
            assert_eq!(code, HOPELESS, "{name}: {out}{log}");
            assert!(log.contains("no data directory"), "{log}");
        }
        assert_eq!(walk(two.folder.path()), before);
    });
    two.is_whole();
}

#[test]
fn trees_of_earlier_versions_show_it_by_their_content() {
    let two = Two::new();
    two.fill();
    forget_identity(&two);
    without(&two.raw_dir, || two.is_refused(&["mount", "accept_new_raw"]));
    without(&two.data, || {
        let log = two.host().start_in_vain();
        assert!(log.contains("is not the data directory of"), "{log}");
    });
    two.is_whole();
    let identity = std::fs::read(two.data.join("identity")).unwrap();
    assert_eq!(identity, std::fs::read(two.raw_dir.join("raw/identity")).unwrap());
}

#[test]
fn a_forgotten_raw_dir_is_refused_by_every_command() {
    for dealt in [false, true] {
        let two = Two::new();
        if dealt {
            two.fill();
        } else {
            let mut host = two.host();
            host.start();
            write(&host, "live");
            host.kill();
        }
        for known in [true, false] {
            if !known {
                forget_identity(&two);
            }
            let before = walk(two.folder.path());
            let log = Host::new(&two.data, &[]).start_in_vain();
            assert!(log.contains("--raw-dir"), "{log}");
            for name in ["verify", "drain", "repair"] {
                let (code, out, log) = command(name, &two.data, None);
                assert_eq!(code, HOPELESS, "{name}: {out}{log}");
                assert!(log.contains("--raw-dir"), "{name}: {log}");
            }
            assert_eq!(walk(two.folder.path()), before);
        }
    }
}

#[test]
fn the_folders_of_two_hosts_are_not_mixed() {
    let (one, other) = (Two::new(), Two::new());
    one.fill();
    other.fill();
    let swap = || {
        let aside = one.folder.path().join("aside");
        std::fs::rename(&one.raw_dir, &aside).unwrap();
        std::fs::rename(&other.raw_dir, &one.raw_dir).unwrap();
        std::fs::rename(&aside, &other.raw_dir).unwrap();
    };
    swap();
    one.is_refused(&["don't belong together", "accept_new_raw"]);
    other.is_refused(&["don't belong together", "accept_new_raw"]);
    swap();
    one.is_whole();
    other.is_whole();
}

#[test]
fn a_lost_drive_is_replaced_when_the_operator_says_so() {
    let two = Two::new();
    two.fill();
    let lost = two.raw_dir.with_extension("lost");
    std::fs::rename(&two.raw_dir, &lost).unwrap();
    std::fs::create_dir(&two.raw_dir).unwrap();
    two.is_refused(&["accept_new_raw"]);
    let accept = two.data.join("accept_new_raw");
    std::fs::write(&accept, "").unwrap();
    let mut host = two.host();
    host.start();
    host.logs("belong together from now on");
    assert!(!accept.exists(), "it counts once");
    write(&host, "new");
    let (state, _) = Client::connect(host.reader()).unwrap().recover("m").unwrap();
    assert_eq!(state.into_keys().collect::<Vec<_>>(), [b"dealt".to_vec(), b"new".to_vec()]);
    host.stop();
    // The lost one comes back.
    std::fs::rename(&two.raw_dir, two.raw_dir.with_extension("new")).unwrap();
    std::fs::rename(&lost, &two.raw_dir).unwrap();
    two.is_refused(&["don't belong together"]);
}

#[test]
fn a_misspelt_folder_is_not_created() {
    let folder = tempfile::tempdir().unwrap();
    let typo = folder.path().join("typo/a");
    for (data, raw_dir) in [(&*typo, folder.path()), (&*folder.path().join("data"), &*typo)] {
        let before = walk(folder.path());
        let Err((status, log)) = host(data, raw_dir).try_start() else { panic!("it got ready") };
        assert_eq!(status.and_then(|status| status.code()), HOPELESS, "{log}");
        assert!(log.contains("the folder above it is not there"), "{log}");
        let created: Vec<_> = walk(folder.path()).into_iter().filter(|path| !before.contains(path)).collect();
        assert!(
            !typo.exists() && created.iter().all(|(path, _)| path == &folder.path().join("data")),
            "{created:?}"
        );
    }
}

#[test]
fn commands_make_no_data_directory_where_there_is_none() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("history")).unwrap();
    std::fs::write(folder.path().join("history/1795343512642.raw"), "").unwrap();
    let before = walk(folder.path());
    for name in ["verify", "drain", "repair"] {
        for data in [folder.path().to_owned(), folder.path().join("nothing"), folder.path().join("history")] {
            let (code, out, log) = command(name, &data, None);
            assert_eq!(code, HOPELESS, "{name}: {out}{log}");
            assert!(log.contains(data.to_str().unwrap()), "{log}");
            assert!(!log.contains("findings"), "{log}");
        }
    }
    assert_eq!(walk(folder.path()), before);
}

#[test]
fn raw_segments_alone_are_a_restore() {
    let two = Two::new();
    two.fill();
    let (code, _, log) = two.command("drain");
    assert_eq!(code, Some(0), "{log}");
    let restored = two.folder.path().join("restored");
    std::fs::create_dir_all(restored.join("raw")).unwrap();
    std::fs::rename(two.raw_dir.join("raw/history"), restored.join("raw/live")).unwrap();
    for name in ["drain", "verify"] {
        let (code, out, log) = command(name, &restored, None);
        assert_eq!(code, Some(0), "{name}: {out}{log}");
    }
    std::fs::write(restored.join("safe_to_read"), "").unwrap();
    let mut inside = Host::started(&restored, &[]);
    let (state, _) = Client::connect(inside.reader()).unwrap().recover("m").unwrap();
    assert_eq!(state.len(), 2);
    inside.stop();
    // To the drive that raw logs of this host have.
    let drive = two.folder.path().join("other-drive");
    std::fs::create_dir(&drive).unwrap();
    let log = host(&restored, &drive).start_in_vain();
    assert!(log.contains("is not the raw log of"), "{log}");
    std::fs::rename(restored.join("raw"), drive.join("raw")).unwrap();
    let mut apart = host(&restored, &drive);
    apart.start();
    let (state, _) = Client::connect(apart.reader()).unwrap().recover("m").unwrap();
    assert_eq!(state.len(), 2);
}

#[test]
fn an_older_copy_of_the_data_directory_is_refused() {
    let two = Two::new();
    two.fill();
    let copy = |from: &Path, to: &Path| {
        let status = Command::new("cp").arg("-a").args([from, to]).status().unwrap();
        assert!(status.success());
    };
    let old = two.folder.path().join("old");
    copy(&two.data, &old);
    // Meanwhile what was live is dealt, and an index is deleted.
    let mut host = two.host();
    host.start();
    write_to(&host, "gone", "d");
    host.stop();
    let (code, _, log) = two.command("drain");
    assert_eq!(code, Some(0), "{log}");
    host.start();
    Client::connect(host.manager()).unwrap().call("delete_index", &index_code("gone")).unwrap();
    host.stop();
    let newer = two.data.with_extension("newer");
    let put_back_the_old_one = || {
        std::fs::rename(&two.data, &newer).unwrap();
        copy(&old, &two.data);
    };
    put_back_the_old_one();
    two.is_refused(&["is an older copy", "from epoch"]);
    // Not even where someone says that they belong together.
    std::fs::write(two.data.join("accept_new_raw"), "").unwrap();
    two.is_refused(&["is an older copy"]);
    std::fs::remove_dir_all(&two.data).unwrap();
    std::fs::rename(&newer, &two.data).unwrap();
    two.is_whole();
    // The newer one is lost: what it had done is done again, as the error says.
    put_back_the_old_one();
    let log = two.host().start_in_vain();
    let first = log.split("from epoch ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    let first: u64 = first.parse().unwrap_or_else(|error| panic!("{error}: {log}"));
    let (history, live) = (two.raw_dir.join("raw/history"), two.raw_dir.join("raw/live"));
    for entry in std::fs::read_dir(&history).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.split(['-', '.']).next().unwrap().parse::<u64>().unwrap() >= first {
            std::fs::rename(history.join(&name), live.join(&name)).unwrap();
        }
    }
    two.is_whole();
    host.start();
    let (state, _) = Client::connect(host.reader()).unwrap().recover("gone").unwrap();
    assert!(state.is_empty(), "it stays deleted: {state:?}");
    host.stop();
}

#[test]
fn a_copy_of_the_data_directory_gets_no_raw_log_in_use() {
    let two = Two::new();
    let mut host = two.host();
    host.start();
    write(&host, "live");
    let copy = two.folder.path().join("copy");
    let status = Command::new("cp").arg("-a").args([&two.data, &copy]).status().unwrap();
    assert!(status.success());
    for role in ["writer", "indexes"] {
        let raw_dir = two.raw_dir.to_str().unwrap();
        let log = Host::new(&copy, &["--raw-dir", raw_dir, "--shards", "1", "--role", role]).start_in_vain();
        assert!(log.contains("drive/raw/") && log.contains("is locked"), "{role}: {log}");
    }
    let (code, _, log) = command("drain", &copy, Some(&two.raw_dir));
    assert!(code == Some(1) && log.contains("is locked"), "{log}");
    write(&host, "live too");
    host.stop();
    let (code, findings, log) = two.command("verify");
    assert_eq!(code, Some(0), "{findings}{log}");
}

#[test]
fn links_may_lead_to_folders_but_not_nowhere() {
    let two = Two::new();
    two.fill();
    let target = two.folder.path().join("target");
    for linked in [two.data.join("indexes"), two.raw_dir.join("raw"), two.raw_dir.join("raw/live")] {
        std::fs::rename(&linked, &target).unwrap();
        std::os::unix::fs::symlink(&target, &linked).unwrap();
        two.is_whole();
        let away = target.with_extension("away");
        std::fs::rename(&target, &away).unwrap();
        let before = walk(two.folder.path());
        let Err((status, log)) = two.host().try_start() else { panic!("the host got ready") };
        assert_eq!(status.and_then(|status| status.code()), HOPELESS, "{log}");
        assert_eq!(walk(two.folder.path()), before);
        std::fs::rename(&away, &target).unwrap();
        two.is_whole();
        std::fs::remove_file(&linked).unwrap();
        std::fs::rename(&target, &linked).unwrap();
    }
}

#[test]
fn two_roles_that_start_at_once_agree_on_one_identity() {
    for _ in 0..10 {
        let two = Two::new();
        let (data, raw_dir) = (two.data.to_str().unwrap(), two.raw_dir.to_str().unwrap());
        let mut children = ["writer", "indexes"].map(|role| {
            let mut command = Command::new(program());
            command.args(["serve", "--data", data, "--raw-dir", raw_dir, "--role", role, "--shards", "1"]);
            command.arg("--print-addresses");
            for port in ["--writer-addr", "--reader-addr", "--manager-addr", "--metrics-addr"] {
                command.args([port, "127.0.0.1:0"]);
            }
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap()
        });
        let ready = |child: &mut std::process::Child| {
            use std::io::BufRead as _;
            let mut addresses = String::new();
            std::io::BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut addresses).unwrap();
            let addresses: serde_json::Value = serde_json::from_str(&addresses).unwrap();
            let metrics = addresses["metrics"].as_str().unwrap().parse().unwrap();
            eventually("its start is over", || {
                assert!(child.try_wait().unwrap().is_none(), "it ended");
                get(metrics, "/startedz", "*/*").is_ok_and(|(status, ..)| status == 200)
            });
        };
        children.iter_mut().for_each(ready);
        let identity = std::fs::read_to_string(two.data.join("identity")).unwrap();
        assert!(identity.starts_with("final "), "{identity}");
        assert_eq!(identity, std::fs::read_to_string(two.raw_dir.join("raw/identity")).unwrap());
        for mut child in children {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

/// Runs a command in a mount namespace of its own, after `script`; `None` where that is not possible.
fn mounted(script: &str, arguments: &[&str]) -> Option<(Option<i32>, String)> {
    let isolated = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", script, "sh"]);
        command
    };
    if !isolated(script).output().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: needs root and a mount namespace of its own");
        return None;
    }
    let script = format!("{script} && exec \"$@\"");
    let output = isolated(&script).arg(program()).args(arguments).output().unwrap();
    Some((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

#[test]
fn a_raw_log_mounted_in_two_places_is_one() {
    // The raw log's drive is in the data directory, too, where the original looks for it.
    let two = Two::new();
    two.fill();
    let (inside, raw) = (two.data.join("raw"), two.raw_dir.join("raw"));
    let _ = std::fs::remove_dir_all(&inside);
    std::fs::create_dir(&inside).unwrap();
    let script = format!("mount --bind {} {}", raw.display(), inside.display());
    let (data, raw_dir) = (two.data.to_str().unwrap(), two.raw_dir.to_str().unwrap());
    let Some((code, log)) = mounted(&script, &["drain", "--data", data, "--raw-dir", raw_dir]) else {
        return;
    };
    assert_eq!(code, Some(0), "{log}");
    two.is_whole();
}

#[test]
fn history_on_another_filesystem_is_refused_for_good() {
    let two = Two::new();
    two.fill();
    let script = format!("mount -t tmpfs none {}", two.raw_dir.join("raw/history").display());
    let (data, raw_dir) = (two.data.to_str().unwrap(), two.raw_dir.to_str().unwrap());
    let Some((code, log)) = mounted(&script, &["drain", "--data", data, "--raw-dir", raw_dir]) else {
        return;
    };
    assert!(code == HOPELESS && log.contains("different filesystems"), "{log}");
    two.is_whole();
}

#[test]
fn a_drive_of_fstab_that_is_not_mounted_is_refused() {
    let isolated = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", script, "sh"]);
        command
    };
    let two = Two::new();
    let fstab = two.folder.path().join("fstab");
    std::fs::write(&fstab, format!("/dev/none {} xfs noatime 0 0\n", two.raw_dir.display())).unwrap();
    let listed = format!("mount --bind {} /etc/fstab", fstab.display());
    let root = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let layers = root.lines().any(|line| line.contains(" / / ") && line.contains(" - overlay overlay "));
    if layers || Path::new("/run/.containerenv").exists() || Path::new("/run/systemd/container").exists() {
        eprintln!("skipped: in a container nobody mounts what fstab lists");
        return;
    }
    if !isolated(&listed).output().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: needs root, a mount namespace of its own, and a file /etc/fstab");
        return;
    }
    two.fill();
    let before = walk(two.folder.path());
    let (data, raw_dir) = (two.data.to_str().unwrap(), two.raw_dir.to_str().unwrap());
    let run = |script: &str, arguments: &[&str]| {
        let output =
            isolated(script).arg(program()).args(arguments).args(["--raw-dir", raw_dir]).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for arguments in
        [&["serve", "--data", data][..], &["verify", data], &["drain", "--data", data], &["repair", data]]
    {
        let (code, log) = run(&format!("{listed} && exec \"$@\""), arguments);
        assert_eq!(code, HOPELESS, "{arguments:?}: {log}");
        assert!(log.contains(&format!("mount it: mount {raw_dir}")), "{log}");
        assert_eq!(walk(two.folder.path()), before);
    }
    // A service manager mounts the folder in its own place, to make it writable.
    let in_its_place = format!("{listed} && mount --bind {raw_dir} {raw_dir} && exec \"$@\"");
    let (code, log) = run(&in_its_place, &["verify", data]);
    assert_eq!(code, HOPELESS, "{log}");
    let drive = two.folder.path().join("what-is-on-the-drive");
    std::fs::rename(&two.raw_dir, &drive).unwrap();
    std::fs::create_dir(&two.raw_dir).unwrap();
    let mounted = format!("{listed} && mount --bind {} {raw_dir} && exec \"$@\"", drive.display());
    let (code, log) = run(&mounted, &["verify", data]);
    assert_eq!(code, Some(0), "{log}");
    std::fs::remove_dir(&two.raw_dir).unwrap();
    std::fs::rename(&drive, &two.raw_dir).unwrap();
    two.is_whole();
}

#[test]
fn a_raw_folder_replaced_under_a_host_stops_batches() {
    let two = Two::new();
    let mut host = two.host();
    host.start();
    write(&host, "dealt");
    // A host that just then names what it writes to ends, as it must.
    eventually("the segment in use has its name", || {
        let names =
            std::fs::read_dir(two.raw_dir.join("raw/live")).unwrap().map(|entry| entry.unwrap().file_name());
        names.into_iter().any(|name| !name.to_str().unwrap().contains("ready"))
    });
    let ready = || get(host.metrics(), "/readyz", "text/plain").map(|(_, _, text)| text).unwrap_or_default();
    let away = two.folder.path().join("away");
    std::fs::rename(&two.raw_dir, &away).unwrap();
    eventually("it is noticed that it is gone", || ready().contains("is gone, or not the folder"));
    std::fs::create_dir_all(two.raw_dir.join("raw/live")).unwrap();
    // The metric follows at each look, and so does the refusal.
    eventually("batches are refused", || metric(host.metrics(), "logtank_appends_allowed") == Some(0.0));
    let mut client = Client::connect(host.writer()).unwrap();
    let refused = Change { index: "m".into(), docid: "refused".into(), ..Change::default() };
    assert!(
        matches!(client.send_batch(&[refused]), Err(Failure::Refused(_))),
        "an answer, and nothing is stored"
    );
    assert!(ready().contains("renamed, replaced or unmounted"), "{}", ready());
    std::fs::remove_dir_all(&two.raw_dir).unwrap();
    std::fs::rename(&away, &two.raw_dir).unwrap();
    eventually("batches are taken again", || metric(host.metrics(), "logtank_appends_allowed") == Some(1.0));
    write(&host, "live");
    host.stop();
    two.is_whole();
}
