//! The two text formats of metrics: OpenMetrics, and the older one of Prometheus that most other tools read.

use std::fmt::Write;

/// OpenMetrics' content type.
pub(super) const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// The older format's content type.
pub(super) const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Turns OpenMetrics into the older format, in which the suffixes of counters and infos belong to their names.
pub(super) fn to_text(open_metrics: &str) -> String {
    let mut out = String::with_capacity(open_metrics.len());
    let mut help = "";
    for line in open_metrics.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            // The type decides on the name, and comes next.
            help = rest;
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or((rest, "untyped"));
            let (suffix, kind) = match kind {
                "counter" => ("_total", kind),
                "info" => ("_info", "gauge"),
                _ => ("", kind),
            };
            if let Some((_, text)) = help.split_once(' ') {
                let _ = writeln!(out, "# HELP {name}{suffix} {text}");
            }
            let _ = writeln!(out, "# TYPE {name}{suffix} {kind}");
        } else if !line.starts_with('#') {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn suffixes_belong_to_names() {
        let open = "# HELP a Things.\n# TYPE a counter\na_total{shard=\"0\"} 2\n# HELP b Version.\n# TYPE b info\n\
                    b_info{version=\"1\"} 1\n# HELP c Now.\n# TYPE c gauge\nc 1.5\n# EOF\n";
        let text = "# HELP a_total Things.\n# TYPE a_total counter\na_total{shard=\"0\"} 2\n# HELP b_info Version.\n\
                    # TYPE b_info gauge\nb_info{version=\"1\"} 1\n# HELP c Now.\n# TYPE c gauge\nc 1.5\n";
        assert_eq!(super::to_text(open), text);
    }
}
