//! Sums up reports of power cuts (`LOGTANK_TEST_REPORT`): a Markdown table on standard output, and the ages of the oldest
//! acknowledged batches that were lost as a drawing. `cargo run -p logtank-tests --example lost -- REPORT lost.svg`
#![expect(clippy::print_stdout, reason = "what it is for")]

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

const WIDTH: f64 = 800.0;
const STRIP: f64 = 90.0;
const LEFT: f64 = 40.0;
const TOP: f64 = 24.0;
/// Width of a bar, and where the drawing ends: the interval, a stall, and a little more.
const BAR_MS: u64 = 50;
const END_MS: u64 = 4_500;

/// What all lines of one test and setting say.
#[derive(Debug, Default)]
struct Sums {
    runs: u64,
    acknowledged: u64,
    lost: u64,
    wrong: u64,
    gave_up: u64,
    ages: Vec<u64>,
    spans: Vec<u64>,
}

fn sums(report: &str) -> BTreeMap<(String, String), Sums> {
    let mut all: BTreeMap<_, Sums> = BTreeMap::new();
    for line in report.lines() {
        let line: Value = serde_json::from_str(line).expect("a report is lines of JSON");
        let number = |name: &str| line[name].as_u64().unwrap_or(0);
        let numbers = |name: &str| line[name].as_array().into_iter().flatten().filter_map(Value::as_u64);
        let (Some(test), Some(setting)) = (line["test"].as_str(), line["setting"].as_str()) else { continue };
        let sums = all.entry((test.to_owned(), setting.to_owned())).or_default();
        sums.runs += number("images") + number("shutdowns") + number("runs");
        sums.acknowledged += number("acknowledged_before_cut");
        sums.lost += number("acknowledged_lost");
        sums.wrong += number("wrong");
        sums.gave_up += number("gave_up");
        sums.ages.extend(numbers("oldest_lost_ms"));
        sums.spans.extend(numbers("span_lost_ms"));
    }
    for sums in all.values_mut() {
        sums.ages.sort_unstable();
        sums.spans.sort_unstable();
    }
    all
}

/// The least, the median, the 90th percentile and the most.
fn spread(sorted: &[u64]) -> String {
    let at = |percent: usize| sorted[(sorted.len() - 1) * percent / 100];
    match sorted.len() {
        0 => String::new(),
        _ => format!("{} / {} / {} / {}", at(0), at(50), at(90), at(100)),
    }
}

fn table(all: &BTreeMap<(String, String), Sums>) -> String {
    let mut out = String::from(
        "| test | setting | runs | acknowledged before the cut | of these lost | runs with a loss | age, ms | span, ms | wrong |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for ((test, setting), sums) in all {
        writeln!(
            out,
            "| {test} | {setting} | {} | {} | {} | {} | {} | {} | {} |",
            sums.runs,
            sums.acknowledged,
            sums.lost,
            sums.ages.len(),
            spread(&sums.ages),
            spread(&sums.spans),
            sums.wrong
        )
        .expect("a string takes everything");
    }
    out
}

/// One strip a setting: how many runs lost a batch of each age.
fn svg(all: &BTreeMap<(String, String), Sums>) -> String {
    let strips: Vec<_> =
        all.iter().filter(|((test, _), sums)| test == "power_image" && !sums.ages.is_empty()).collect();
    let height = STRIP * f64::from(u32::try_from(strips.len()).expect("few")) + 40.0;
    let width = WIDTH + 2.0 * LEFT;
    let x = |ms: u64| {
        LEFT + WIDTH * f64::from(u32::try_from(ms).expect("small"))
            / f64::from(u32::try_from(END_MS).expect("small"))
    };
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (strip, ((_, setting), sums)) in (0u32..).zip(strips) {
        let top = f64::from(strip) * STRIP + TOP;
        let floor = top + STRIP - TOP - 8.0;
        let mut bars: BTreeMap<u64, u32> = BTreeMap::new();
        for age in &sums.ages {
            *bars.entry((*age).min(END_MS - 1) / BAR_MS).or_default() += 1;
        }
        let most = bars.values().copied().max().unwrap_or(1);
        writeln!(
            out,
            "<text x=\"{LEFT}\" y=\"{:.0}\">{setting} ({} of {} power cuts)</text>\n\
             <path d=\"M{LEFT} {floor}H{:.0}\" stroke=\"#999\"/>",
            top - 6.0,
            sums.ages.len(),
            sums.runs,
            LEFT + WIDTH
        )
        .expect("a string takes everything");
        for (bar, count) in bars {
            let tall = (floor - top) * f64::from(count) / f64::from(most);
            writeln!(
                out,
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{tall:.1}\" fill=\"#06c\"><title>{count}</title></rect>",
                x(bar * BAR_MS),
                floor - tall,
                x(BAR_MS) - LEFT - 1.0
            )
            .expect("a string takes everything");
        }
    }
    for second in 0..=END_MS / 1000 {
        writeln!(
            out,
            "<path d=\"M{0:.1} 10V{1:.0}\" stroke=\"#c33\" stroke-dasharray=\"2 4\"/>\n\
             <text x=\"{0:.1}\" y=\"{2:.0}\" text-anchor=\"middle\">{second} s</text>",
            x(second * 1000),
            height - 28.0,
            height - 10.0
        )
        .expect("a string takes everything");
    }
    out.push_str("</svg>\n");
    out
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [report, drawing] = &arguments[..] else { panic!("arguments: REPORT DRAWING.svg") };
    let all = sums(&std::fs::read_to_string(report).expect("the report can be read"));
    print!("{}", table(&all));
    std::fs::write(drawing, svg(&all)).expect("the drawing can be written");
}
