//! A report as a picture: latency by percentile, and below it each second of the run.

use std::ops::Range;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::{
    BLACK, BLUE, ChartBuilder, Color as _, DrawingArea, IntoDrawingArea as _, IntoLogRange as _,
    LineSeries, PathElement, RED, SVGBackend, SeriesLabelPosition, TRANSPARENT, WHITE,
};

use super::{Report, Second};

const SIZE: (u32, u32) = (960, 900);

const MARGIN: u32 = 24;

const TEXT: (&str, u32) = ("sans-serif", 14);

/// Where the percentile axis ends, in powers of ten: 99.999 %.
const NINES_MAX: f64 = 5.0;

/// Latencies below this are drawn at it: a logarithmic axis has no zero.
const LATENCY_MIN: f64 = 0.01;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The picture, as SVG.
///
/// # Errors
/// When the plotting library can't draw it.
pub(super) fn draw(report: &Report) -> Result<String> {
    let mut svg = String::new();
    draw_into(report, &mut svg).map_err(|error| anyhow!("drawing the plot: {error}"))?;
    Ok(svg)
}

type Drawn = Result<(), Box<dyn std::error::Error>>;

fn draw_into(report: &Report, svg: &mut String) -> Drawn {
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let root = root.titled(&report.load, ("sans-serif", 18))?;
    let panels = root.split_evenly((3, 1));
    if let [curve, throughput, latency] = panels.as_slice() {
        draw_curve(report, curve)?;
        draw_throughput(&report.by_second, throughput)?;
        draw_latency(&report.by_second, latency)?;
    }
    root.present()?;
    Ok(())
}

fn draw_curve(report: &Report, area: &Area<'_>) -> Drawn {
    let points: Vec<(f64, f64)> = report
        .curve
        .iter()
        .map(|(percent, latency)| (nines(*percent), latency.max(LATENCY_MIN)))
        .collect();
    let range = latency_range(points.iter().map(|(_, latency)| *latency));
    let mut chart = ChartBuilder::on(area)
        .margin(MARGIN)
        .x_label_area_size(36)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..NINES_MAX, range.log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .label_style(TEXT)
        .x_labels(6)
        .x_label_formatter(&|nines| format!("{} %", percent_of(*nines)))
        .y_label_formatter(&|latency| latency_label(*latency))
        .x_desc("of the requests were answered")
        .y_desc("within, ms")
        .draw()?;
    chart.draw_series(LineSeries::new(points, BLUE.stroke_width(2)))?;
    Ok(())
}

fn draw_throughput(seconds: &[Second], area: &Area<'_>) -> Drawn {
    let points: Vec<(f64, f64)> = numbered(seconds, |second| count(second.answered));
    let most = points.iter().map(|(_, count)| *count).fold(1.0, f64::max);
    let mut chart = ChartBuilder::on(area)
        .margin(MARGIN)
        .x_label_area_size(36)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..last(seconds), 0.0..most * 1.1)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .label_style(TEXT)
        .x_label_formatter(&|second| format!("{second:.0}"))
        .y_label_formatter(&|answers| format!("{answers:.0}"))
        .x_desc("second of the run")
        .y_desc("answers")
        .draw()?;
    chart.draw_series(LineSeries::new(points, BLUE.stroke_width(2)))?;
    Ok(())
}

fn draw_latency(seconds: &[Second], area: &Area<'_>) -> Drawn {
    let range = latency_range(seconds.iter().flat_map(|second| [second.p50, second.p99]));
    let mut chart = ChartBuilder::on(area)
        .margin(MARGIN)
        .x_label_area_size(36)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..last(seconds), range.log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .label_style(TEXT)
        .x_label_formatter(&|second| format!("{second:.0}"))
        .x_desc("second of the run")
        .y_desc("latency, ms")
        .y_label_formatter(&|latency| latency_label(*latency))
        .draw()?;
    let p50 = numbered(seconds, |second| second.p50.max(LATENCY_MIN));
    let p99 = numbered(seconds, |second| second.p99.max(LATENCY_MIN));
    for (name, color, points) in [("p50", BLUE, p50), ("p99", RED, p99)] {
        chart
            .draw_series(LineSeries::new(points, color.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .label_font(TEXT)
        .border_style(BLACK)
        .background_style(WHITE)
        .draw()?;
    Ok(())
}

/// How many nines a percentile has: 90 is one, 99.9 three.
fn nines(percent: f64) -> f64 {
    -(1.0 - percent / 100.0).log10()
}

fn percent_of(nines: f64) -> f64 {
    let exact = 100.0 - 100.0 / 10.0_f64.powf(nines);
    (exact * 1_000.0).round() / 1_000.0
}

/// On a logarithmic axis more labels than those of 1, 2 and 5 would run into each other.
fn latency_label(latency: f64) -> String {
    let text = latency.to_string();
    let leading = text.chars().find(|digit| ('1'..='9').contains(digit));
    match leading {
        Some('1' | '2' | '5') => text,
        _ => String::new(),
    }
}

fn latency_range(latencies: impl Iterator<Item = f64>) -> Range<f64> {
    let (least, most) = latencies.fold((f64::MAX, LATENCY_MIN), |(least, most), latency| {
        (least.min(latency), most.max(latency))
    });
    // Room for the legend above.
    least.clamp(LATENCY_MIN, most) / 1.5..most * 2.5
}

fn numbered(seconds: &[Second], value: impl Fn(&Second) -> f64) -> Vec<(f64, f64)> {
    let numbers = (0_u32..).map(f64::from);
    numbers.zip(seconds.iter().map(value)).collect()
}

fn last(seconds: &[Second]) -> f64 {
    count(
        u64::try_from(seconds.len())
            .unwrap_or(u64::MAX)
            .saturating_sub(1),
    )
    .max(1.0)
}

#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a place in a picture"
)]
const fn count(count: u64) -> f64 {
    count as f64
}
