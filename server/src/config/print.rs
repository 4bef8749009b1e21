use super::layers::Layers;

/// The settings as a TOML file that gives the same result, each line with where its value comes from.
pub(crate) fn to_toml(layers: &Layers) -> String {
    let mut out = String::new();
    for layered in layers.iter() {
        let name = &layered.name;
        let line = match &layered.text {
            Some(text) => format!("{name} = {}", value(text)),
            None => format!("# {name} is not set"),
        };
        out.push_str(&format!("{line:<44} # {}\n", layered.origin));
    }
    out
}

fn value(text: &str) -> String {
    let bare =
        text.parse::<bool>().is_ok() || text.parse::<i64>().is_ok_and(|number| number.to_string() == text);
    if bare { text.to_owned() } else { toml::Value::String(text.to_owned()).to_string() }
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_numbers_and_booleans_stand_bare() {
        assert_eq!(super::value("true"), "true");
        assert_eq!(super::value("16384"), "16384");
        assert_eq!(super::value("007"), "\"007\"");
        assert_eq!(super::value("1s"), "\"1s\"");
        assert_eq!(super::value("a\"\n"), toml::Value::String("a\"\n".into()).to_string());
    }
}
