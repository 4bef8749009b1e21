use std::fmt;

/// What is wrong with one setting, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Where it was set, as in "/etc/logtank.toml:3" or "flag --shards".
    pub(crate) place: String,
    /// What is wrong there.
    pub(crate) what: String,
}

/// Everything that is wrong with a configuration: a user should not have to find it one by one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Problems(pub(crate) Vec<Problem>);

impl Problems {
    /// Notes a problem.
    pub(crate) fn add(&mut self, place: impl fmt::Display, what: impl fmt::Display) {
        self.0.push(Problem { place: place.to_string(), what: what.to_string() });
    }

    /// `value` if nothing is wrong.
    pub(crate) fn or<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, Problem { place, what }) in self.0.iter().enumerate() {
            let separator = if number == 0 { "" } else { "\n" };
            write!(f, "{separator}{place}: {what}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// "; did you mean `x`?" if one of `names` is near `typed`.
pub(super) fn suggestion<'n>(typed: &str, names: impl Iterator<Item = &'n str>) -> String {
    let likeness = |name: &&str| strsim::jaro_winkler(typed, name);
    names
        .filter(|name| likeness(name) > 0.7)
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
        .map(|name| format!("; did you mean `{name}`?"))
        .unwrap_or_default()
}
