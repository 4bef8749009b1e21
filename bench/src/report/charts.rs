//! Charts as SVG that take their ink from the page, so that they are readable on light and dark ones.

use std::io::{Error, Result};
use std::ops::Range;

use plotters::coord::combinators::IntoLogRange;
use plotters::prelude::*;

const SIZE: (u32, u32) = (900, 420);
/// Stand for the page's ink; replaced when the chart is done.
const INK: RGBColor = RGBColor(1, 2, 3);
/// A series has the same color in every chart: that of the first name which its own begins with, the longest first.
const COLORS: [(&str, RGBColor); 10] = [
    ("logtank, busy", RGBColor(0xc9, 0x9a, 0x02)),
    ("logtank, without", RGBColor(0x8d, 0x6e, 0x63)),
    ("logtank, sync always", RGBColor(0xe7, 0x29, 0x8a)),
    ("logtank", RGBColor(0xd9, 0x5f, 0x02)),
    ("echo (io_uring)", RGBColor(0x75, 0x70, 0xd3)),
    ("echo", RGBColor(0x3b, 0x8f, 0xd0)),
    ("redis", RGBColor(0x1b, 0x9e, 0x77)),
    ("nats", RGBColor(0x66, 0xa6, 0x1e)),
    ("p50", RGBColor(0x1b, 0x9e, 0x77)),
    ("p99", RGBColor(0x75, 0x70, 0xd3)),
];
const OTHER: RGBColor = RGBColor(0xd9, 0x5f, 0x02);

fn color(series: &str) -> RGBColor {
    let named = COLORS.iter().find(|(name, _)| series.starts_with(name));
    named.map_or(OTHER, |(_, color)| *color)
}

/// Points joined by a line.
pub(super) struct Series {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
}

/// What a chart shows.
pub(super) struct Chart<'c> {
    pub(super) x: &'c str,
    pub(super) y: &'c str,
    pub(super) series: Vec<Series>,
    /// Vertical lines, such as fdatasyncs.
    pub(super) marks: Vec<f64>,
    pub(super) points: bool,
    pub(super) format_x: &'c dyn Fn(&f64) -> String,
    pub(super) ticks_x: usize,
}

impl Chart<'_> {
    fn range(&self, of: impl Fn(&(f64, f64)) -> f64) -> Option<Range<f64>> {
        let values = || self.series.iter().flat_map(|series| series.points.iter()).map(&of);
        Some(values().reduce(f64::min)?..values().reduce(f64::max)?)
    }

    /// The series that have points, and the colors of their lines, to be told beside the chart: within, they would lie over lines.
    pub(super) fn legend(&self) -> impl Iterator<Item = (&str, String)> {
        self.drawn().map(|series| {
            let RGBColor(red, green, blue) = color(&series.name);
            (series.name.as_str(), format!("#{red:02x}{green:02x}{blue:02x}"))
        })
    }

    fn drawn(&self) -> impl Iterator<Item = &Series> {
        self.series.iter().filter(|series| !series.points.is_empty())
    }

    /// With a logarithmic y axis; `None` if there are no points.
    ///
    /// # Errors
    /// If it can't be drawn.
    pub(super) fn draw(&self) -> Result<Option<String>> {
        let (Some(x), Some(y)) = (self.range(|point| point.0), self.range(|point| point.1)) else {
            return Ok(None);
        };
        let y = (y.start.max(0.1) / 1.3)..(y.end.max(0.2) * 1.3);
        let x = x.start..if x.end > x.start { x.end } else { x.start + 1.0 };
        let mut svg = String::new();
        self.draw_on(&mut svg, x, y).map_err(|error| Error::other(error.to_string()))?;
        let ink = svg.replace("#010203", "currentColor");
        Ok(Some(ink.replacen("<svg ", "<svg role=\"img\" ", 1)))
    }

    fn draw_on(
        &self,
        svg: &mut String,
        x: Range<f64>,
        y: Range<f64>,
    ) -> std::result::Result<(), Box<dyn std::error::Error>> {
        let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .margin(12)
            .margin_right(24)
            .x_label_area_size(44)
            .y_label_area_size(72)
            .build_cartesian_2d(x.clone(), y.clone().log_scale())?;
        let text = |size: u32| ("sans-serif", size).into_font().color(&INK);
        chart
            .configure_mesh()
            .x_desc(self.x)
            .y_desc(self.y)
            .x_labels(self.ticks_x)
            .x_label_formatter(&self.format_x)
            .y_label_formatter(&|value| super::markdown::number(*value))
            .label_style(text(13))
            .axis_desc_style(text(14))
            .axis_style(INK.mix(0.6))
            .bold_line_style(INK.mix(0.18))
            .light_line_style(INK.mix(0.06))
            .draw()?;
        chart.draw_series(self.marks.iter().filter(|mark| x.contains(mark)).map(|mark| {
            PathElement::new(vec![(*mark, y.start), (*mark, y.end)], INK.mix(0.45).stroke_width(1))
        }))?;
        for series in self.drawn() {
            let color = color(&series.name);
            chart.draw_series(LineSeries::new(series.points.iter().copied(), color.stroke_width(2)))?;
            if self.points {
                let points = series.points.iter().map(|point| Circle::new(*point, 3, color.filled()));
                chart.draw_series(points)?;
            }
        }
        area.present()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_takes_its_ink_from_the_page_and_tells_of_every_series_it_draws() {
        let series =
            |name: &str, points: &[(f64, f64)]| Series { name: name.to_owned(), points: points.to_vec() };
        let two = [(0.0, 10.0), (1.0, 1000.0)];
        let chart = Chart {
            x: "x",
            y: "y",
            series: vec![series("logtank", &two), series("redis", &[]), series("nats", &two)],
            marks: vec![0.5],
            points: true,
            format_x: &f64::to_string,
            ticks_x: 4,
        };
        let svg = chart.draw().unwrap().unwrap().to_lowercase();
        assert!(svg.contains("currentcolor") && !svg.contains("#010203"));
        let legend: Vec<_> = chart.legend().collect();
        assert_eq!(legend.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["logtank", "nats"]);
        assert!(legend.iter().all(|(_, color)| svg.contains(color)), "{legend:?}");
    }

    #[test]
    fn nothing_is_no_chart() {
        let chart = Chart {
            x: "x",
            y: "y",
            series: Vec::new(),
            marks: Vec::new(),
            points: false,
            format_x: &f64::to_string,
            ticks_x: 4,
        };
        assert_eq!(chart.draw().unwrap(), None);
    }
}
