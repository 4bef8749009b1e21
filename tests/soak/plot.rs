//! The samples as a drawing: one strip a figure, from zero, all over the same time.

use std::fmt::Write;

use crate::sample::{FIGURES, Sample};

const WIDTH: f64 = 800.0;
const STRIP: f64 = 110.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 24.0;

/// An SVG document.
pub(crate) fn svg(samples: &[Sample]) -> String {
    let strips = u32::try_from(FIGURES.len()).expect("few");
    let (width, height) = (WIDTH + LEFT + 20.0, STRIP * f64::from(strips) + 30.0);
    let end = samples.last().map_or(1.0, |sample| sample.seconds);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (figure, (name, unit_size, unit)) in (0u32..).zip(FIGURES) {
        let top = f64::from(figure) * STRIP + TOP;
        let floor = top + STRIP - TOP - 6.0;
        let values: Vec<f64> =
            samples.iter().map(|sample| sample.figures[figure as usize] / unit_size).collect();
        let most = values.iter().copied().fold(1.0, f64::max);
        let points = samples.iter().zip(&values).fold(String::new(), |mut points, (sample, value)| {
            let (x, y) = (LEFT + WIDTH * sample.seconds / end, floor - (floor - top) * value / most);
            write!(points, "{x:.1},{y:.1} ").expect("a string takes everything");
            points
        });
        writeln!(
            out,
            "<text x=\"{LEFT}\" y=\"{:.0}\">{name}</text>\n\
             <text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{most:.0} {unit}</text>\n\
             <text x=\"{:.0}\" y=\"{floor:.0}\" text-anchor=\"end\">0</text>\n\
             <path d=\"M{LEFT} {top}V{floor}H{:.0}\" fill=\"none\" stroke=\"#999\"/>\n\
             <polyline points=\"{points}\" fill=\"none\" stroke=\"#06c\"/>",
            top - 6.0,
            LEFT - 6.0,
            top + 8.0,
            LEFT - 6.0,
            LEFT + WIDTH,
        )
        .expect("a string takes everything");
    }
    writeln!(
        out,
        "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{:.0} minutes</text>\n</svg>",
        LEFT + WIDTH,
        height - 8.0,
        end / 60.0
    )
    .expect("a string takes everything");
    out
}
