//! The tables of a page between two markers, from results.

use std::io::{Error, Result};

use super::markdown::markdown;
use crate::compare::Results;

const BEGIN: &str = "<!-- measured: begin -->\n";
const END: &str = "<!-- measured: end -->";

/// `page` with its tables replaced.
///
/// # Errors
/// If it has no markers.
pub(super) fn fill(page: &str, results: &Results) -> Result<String> {
    let missing = || Error::other(format!("the page has no lines {} and {END}", BEGIN.trim_end()));
    let (head, rest) = page.split_once(BEGIN).ok_or_else(missing)?;
    let (_, tail) = rest.split_once(END).ok_or_else(missing)?;
    Ok(format!("{head}{BEGIN}\n{}\n{END}{tail}", markdown(results)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The workspace's page and the results that it was made from.
    #[test]
    fn the_committed_page_is_what_the_committed_results_say() {
        let page = include_str!("../../../PERFORMANCE.md");
        let results: Results = serde_json::from_str(include_str!("../../results/performance.json")).unwrap();
        let filled = fill(page, &results).unwrap();
        assert!(
            filled == page,
            "run: cargo run --release --bin logtank-bench -- report --performance bench/results/performance.json PERFORMANCE.md"
        );
    }

    #[test]
    fn a_page_without_markers_is_refused() {
        let results = serde_json::from_str(include_str!("../../results/performance.json")).unwrap();
        assert!(fill("no markers", &results).is_err());
    }
}
