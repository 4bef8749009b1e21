//! The package's scripts, as dpkg calls them, in a tree of the test's own and with stand-ins for the tools.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const TOOLS: [&str; 5] = ["systemd-sysusers", "systemd-tmpfiles", "systemctl", "udevadm", "chown"];

struct Package {
    folder: tempfile::TempDir,
}

impl Package {
    /// An empty machine; with `running`, one that systemd runs.
    fn on_machine(running: bool) -> Self {
        let package = Self { folder: tempfile::tempdir().unwrap() };
        let bin = package.folder.path().join("bin");
        fs::create_dir(&bin).unwrap();
        fs::create_dir(package.root()).unwrap();
        for tool in TOOLS {
            package.tool(tool, 0);
        }
        if running {
            fs::create_dir_all(package.at("run/systemd/system")).unwrap();
        }
        package
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }

    fn file(&self, path: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }

    /// A stand-in that writes down how it was called, and ends with `code`.
    fn tool(&self, name: &str, code: u8) {
        let path = self.folder.path().join("bin").join(name);
        let log = self.folder.path().join("called");
        fs::write(&path, format!("#!/bin/sh\necho {name} \"$@\" >> {}\nexit {code}\n", log.display()))
            .unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs a script; returns whether it succeeded, what it said, and which tools it called.
    fn run(&self, script: &str, arguments: &[&str]) -> (bool, String, String) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("debian").join(script);
        let output = Command::new("sh")
            .arg(path)
            .args(arguments)
            .env("PATH", format!("{}:/usr/bin:/bin", self.folder.path().join("bin").display()))
            .env("DPKG_ROOT", self.root())
            .output()
            .unwrap();
        let log = self.folder.path().join("called");
        let called = fs::read_to_string(&log).unwrap_or_default();
        let _ = fs::remove_file(log);
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap(), called)
    }
}

#[test]
fn installing_makes_user_and_folders_and_starts_nothing() {
    let package = Package::on_machine(true);
    package.file("etc/logtank/logtank.toml");
    let (good, said, called) = package.run("postinst", &["configure", ""]);
    assert!(good && said.contains("installed and not started"), "{said}");
    assert!(called.contains("systemd-sysusers ") && called.contains("systemd-tmpfiles "), "{called}");
    assert!(called.contains("chown root:logtank "), "{called}");
    assert!(called.contains("systemctl daemon-reload\n") && !called.contains("start"), "{called}");
    let mode = package.at("etc/logtank/logtank.toml").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640, "it may name keys");
}

#[test]
fn an_upgrade_restarts_what_ran_whatever_was_removed() {
    let package = Package::on_machine(true);
    let (good, said, called) = package.run("postinst", &["configure", "0.0.9"]);
    assert!(good, "{said}");
    assert!(called.contains("systemctl try-restart logtank.service "), "{called}");
    assert!(!called.contains("chown"), "there is no file of settings: {called}");
    for (script, arguments) in [
        ("prerm", ["upgrade", "0.2"]),
        ("postrm", ["upgrade", "0.2"]),
        ("postinst", ["abort-upgrade", "0.2"]),
    ] {
        let (good, said, called) = package.run(script, &arguments);
        assert!(good && !called.contains("disable") && !called.contains("stop"), "{script}: {said}{called}");
    }
}

#[test]
fn a_machine_that_refuses_does_not_break_the_package() {
    let package = Package::on_machine(true);
    for tool in ["systemctl", "systemd-tmpfiles", "udevadm"] {
        package.tool(tool, 1);
    }
    package.file("etc/logtank/logtank.toml");
    for (script, arguments) in [
        ("postinst", ["configure", ""]),
        ("postinst", ["configure", "0.0.9"]),
        ("prerm", ["remove", ""]),
        ("postrm", ["remove", ""]),
        ("postrm", ["purge", ""]),
    ] {
        let (good, said, _) = package.run(script, &arguments);
        assert!(good, "{script} {arguments:?}: {said}");
    }
    let bare = Package::on_machine(false);
    let (good, said, called) = bare.run("prerm", &["remove"]);
    assert!(good && called.is_empty(), "no systemd runs: {said}{called}");
    bare.tool("systemd-sysusers", 1);
    assert!(!bare.run("postinst", &["configure", ""]).0, "without its user the service can't run");
}

#[test]
fn purging_takes_settings_and_leaves_data() {
    let package = Package::on_machine(true);
    let settings = [
        "etc/udev/rules.d/59-logtank-drive.rules",
        "etc/sysctl.d/60-logtank.conf",
        "etc/sysctl.d/61-logtank-io-uring.conf",
    ];
    for file in settings {
        package.file(file);
    }
    package.file("var/lib/logtank/raw/live/1");
    fs::create_dir_all(package.at("etc/logtank")).unwrap();
    let (good, _, called) = package.run("prerm", &["remove"]);
    assert!(good && called.contains("systemctl --no-reload disable --now logtank.service "), "{called}");
    assert!(package.run("postrm", &["remove"]).0);
    assert!(settings.iter().all(|file| package.at(file).exists()), "a removal keeps settings");
    let (good, said, _) = package.run("postrm", &["purge"]);
    assert!(good && said.contains("holds data and stays"), "{said}");
    assert!(settings.iter().all(|file| !package.at(file).exists()));
    assert!(!package.at("etc/logtank").exists());
    assert!(package.at("var/lib/logtank/raw/live/1").exists());
    fs::remove_dir_all(package.at("var/lib/logtank")).unwrap();
    fs::create_dir_all(package.at("var/lib/logtank")).unwrap();
    assert!(package.run("postrm", &["purge"]).0);
    assert!(!package.at("var/lib/logtank").exists(), "an empty folder goes");
}

/// Each setting that `tune --apply` may write outside of the data directory goes with a purge.
#[test]
fn purging_knows_each_file_that_tune_writes() {
    let postrm = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("debian/postrm")).unwrap();
    let mut found = 0;
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/items")).unwrap() {
        let source = fs::read_to_string(entry.unwrap().path()).unwrap();
        for path in source.split('"').filter(|text| {
            text.starts_with("/etc/") && text.rsplit('/').next().is_some_and(|name| name.contains("logtank"))
        }) {
            assert!(postrm.contains(path), "{path}");
            found += 1;
        }
    }
    assert!(found >= 3, "{found}");
}
