//! Which layer gives each setting: flags over the environment over the file over what `logtank tune` found out over
//! defaults.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgMatches, Args as _};
use logtank_sysconfig::{MEASURED_DRIVE, System, check_measured};

use super::file;
use super::problems::{Problems, suggestion};
use crate::cli::{SettingsArgs, VARIABLE_PREFIX};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nobody set it.
    Default,
    /// This line of the file.
    File(PathBuf, usize),
    /// This variable.
    Variable(String),
    /// This flag.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::Flag(name) => write!(f, "flag --{name}"),
        }
    }
}

/// What a measurement may set: nothing that changes what is promised.
const TUNED: [&str; 2] = ["append_slow_after", "background_rate_min"];

/// A setting's text and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layered {
    /// Its name.
    pub(crate) name: String,
    /// What it was set to; `None` for one without a default that nobody set.
    pub(crate) text: Option<String>,
    /// Who set it.
    pub(crate) origin: Origin,
}

/// All settings, in the order of their declaration.
#[derive(Clone, Debug)]
pub(crate) struct Layers {
    settings: Vec<Layered>,
    /// What was found and is not used.
    warnings: Vec<String>,
}

impl Layers {
    /// Joins what clap found on the command line and in the environment with the file `config`, and with what
    /// `logtank tune` has left in the data directory.
    ///
    /// # Errors
    /// What is wrong with the files.
    pub(crate) fn resolve(matches: &ArgMatches, config: Option<&Path>) -> Result<Self, Problems> {
        let mut layers = Self::given(matches, config)?;
        layers.add_tuned()?;
        Ok(layers)
    }

    fn given(matches: &ArgMatches, config: Option<&Path>) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let declared = SettingsArgs::augment_args(clap::Command::new("settings"));
        let names: Vec<&str> = declared.get_arguments().map(|arg| arg.get_id().as_str()).collect();
        let mut from_file = BTreeMap::new();
        if let Some(path) = config {
            match std::fs::read_to_string(path) {
                Ok(source) => from_file = file::parse(path, &source, &names, &mut problems),
                Err(error) => {
                    problems.add(path.display(), format_args!("can't read the configuration: {error}"))
                }
            }
        }
        let layered = names.iter().map(|&name| {
            let text = matches.get_one::<String>(name).cloned();
            let origin = match matches.value_source(name) {
                Some(ValueSource::CommandLine) => Origin::Flag(name.replace('_', "-")),
                Some(ValueSource::EnvVariable) => Origin::Variable(variable(name)),
                _ => match (from_file.remove(name), config) {
                    (Some(found), Some(path)) => {
                        let origin = Origin::File(path.to_owned(), found.line);
                        return Layered { name: name.to_owned(), text: Some(found.text), origin };
                    }
                    _ => Origin::Default,
                },
            };
            Layered { name: name.to_owned(), text, origin }
        });
        let layers = Self { settings: layered.collect(), warnings: Vec::new() };
        problems.or(layers)
    }

    /// Replaces defaults by what was found out about the drive, where it was, as long as it still is the raw log's:
    /// another one is slow and fast at other times.
    fn add_tuned(&mut self) -> Result<(), Problems> {
        let Some(data) = self.get("data").text.clone() else { return Ok(()) };
        let path = logtank_sysconfig::settings_file(Path::new(&data));
        // Not there, or not for this user to see: the host runs with its own defaults, and check-config shows them.
        let Ok(source) = std::fs::read_to_string(&path) else { return Ok(()) };
        let mut problems = Problems::default();
        let [first, second] = TUNED;
        let mut found = file::parse(&path, &source, &[first, second, MEASURED_DRIVE], &mut problems);
        let measured = found.remove(MEASURED_DRIVE).map(|found| found.text);
        let raw = self.get("raw_dir").text.clone().unwrap_or_else(|| data.clone());
        if let Err(other) = check_measured(&System::default(), Path::new(&raw), measured.as_deref()) {
            // Said only where anything hangs on it.
            if TUNED.iter().any(|name| self.get(name).origin == Origin::Default) {
                self.warnings.push(format!(
                    "{} is not used: {other}. Measure again: logtank tune --data {data} --raw-dir {raw} --apply",
                    path.display()
                ));
            }
            return problems.or(());
        }
        for layered in self.settings.iter_mut().filter(|layered| layered.origin == Origin::Default) {
            if let Some(found) = found.remove(&layered.name) {
                layered.text = Some(found.text);
                layered.origin = Origin::File(path.clone(), found.line);
            }
        }
        problems.or(())
    }

    /// What was found and is not used, and what to do about it.
    pub(crate) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// All settings.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Layered> {
        self.settings.iter()
    }

    /// The setting `name`.
    ///
    /// # Panics
    /// If there is none: names are constants of this program.
    pub(crate) fn get(&self, name: &str) -> &Layered {
        self.settings
            .iter()
            .find(|layered| layered.name == name)
            .expect("the setting is declared in cli::settings")
    }

    /// Complaints about variables that look like settings and are none.
    pub(crate) fn unknown_variables(
        &self,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> Vec<String> {
        let known: Vec<String> = self.settings.iter().map(|layered| variable(&layered.name)).collect();
        environment
            .filter_map(|(name, _)| name.into_string().ok())
            .filter(|name| {
                name.starts_with(VARIABLE_PREFIX) && !known.contains(name) && name != "LOGTANK_CONFIG"
            })
            .map(|name| {
                let hint = suggestion(&name, known.iter().map(String::as_str));
                format!("variable {name} is no setting and has no effect{hint}")
            })
            .collect()
    }
}

fn variable(name: &str) -> String {
    format!("{VARIABLE_PREFIX}{}", name.to_uppercase())
}
