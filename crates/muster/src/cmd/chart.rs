//! Figures over time, as a line of small bars for each.

use api::chart::Chart;
use model::ChartSpan;
use model::chart::Unit;
use serde_json::Value;

use super::sheet::{Sheet, when};
use crate::cli::Common;
use crate::client::{Client, problem, with_query};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::term::table::{Column, Paper, Table, Tone};
use crate::term::text::{bytes, percent, span};

/// From nothing to the most there was.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// What is used, and the series that says of how much.
const OF: [(&str, &str); 5] = [
    ("cpu", "cpus"),
    ("memory_used", "memory_total"),
    ("swap_used", "swap_total"),
    ("disk_used", "disk_total"),
    ("used", "total"),
];

/// Shows the chart at a path of the API.
pub(super) async fn show(
    client: &Client,
    path: &str,
    back: ChartSpan,
    title: &str,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let path = with_query(path, &[("span", Some(back.word().to_owned()))]);
    let value: Value = client.get(&path).await?;
    let chart: Option<Chart> = serde_json::from_value(value.clone()).ok();
    match &chart {
        Some(chart) if !common.json() => context.print_lines(&lines(chart, title, context.paper))?,
        _ => context.print_json(&value)?,
    }
    // What was read before is something; what never was is nothing.
    Ok(match chart.and_then(|chart| Some((chart.observed_at.is_some(), chart.error?))) {
        None => Exit::Done,
        Some((true, _)) => Exit::Partial,
        Some((false, error)) => problem::exit_of_code(&error.code).unwrap_or(Exit::Failed),
    })
}

fn lines(chart: &Chart, title: &str, paper: Paper) -> Vec<String> {
    let mut sheet = Sheet::new(&format!("{title}: the last {}", chart.span.word()), paper);
    if let Some(error) = &chart.error {
        sheet.warn(&format!("not read now: {}", error.sentence));
    }
    let Some(at) = chart.observed_at else { return sheet.lines() };
    let through = chart.through.as_ref().map(|through| format!(" through {through}")).unwrap_or_default();
    let step = chart.step_seconds.map(|step| format!(", one figure each {}", span(step))).unwrap_or_default();
    sheet.line(&format!("read {}{through}{step}", when(super::now(), at)));
    let width = paper.columns.map_or(60, |columns| columns.saturating_sub(58).clamp(12, 60));
    let mut table = Table::new(vec![
        Column::new("FIGURE", 8).whole(),
        Column::new("LAST", 8).right(),
        Column::new("MIN", 8).right().rank(2),
        Column::new("MEAN", 8).right().rank(1),
        Column::new("MAX", 8).right().rank(1),
        Column::new("OF", 8).right().rank(3),
        Column::new("OVER TIME", width),
    ]);
    let (mut some, mut gaps) = (false, false);
    for (name, unit, values) in chart.series.iter() {
        if OF.iter().any(|(_, whole)| *whole == name) {
            continue;
        }
        let Some(figures) = Figures::of(values) else { continue };
        some = true;
        gaps |= figures.gaps;
        let whole = OF.iter().find(|(part, _)| *part == name).and_then(|(_, whole)| {
            chart.series.iter().find(|(other, _, _)| other == whole).and_then(|(_, unit, values)| {
                values.iter().rev().flatten().next().map(|value| said(unit, *value))
            })
        });
        let plain = |text: String| (Tone::Plain, text);
        table.row(
            Tone::Plain,
            vec![
                plain(name.replace('_', " ")),
                plain(figures.last.map_or_else(|| "–".to_owned(), |value| said(unit, value))),
                plain(said(unit, figures.min)),
                plain(said(unit, figures.mean)),
                plain(said(unit, figures.max)),
                plain(whole.unwrap_or_default()),
                plain(bars(values, width)),
            ],
        );
    }
    if some {
        sheet.line("");
        sheet.table(&table);
    } else {
        sheet.line("Nothing was measured in that time.");
    }
    if gaps {
        sheet.line("");
        sheet.line("Where a line is empty (·) nothing was measured.");
    }
    sheet.lines()
}

/// What there is to say of one series.
struct Figures {
    /// The latest, if that was measured.
    last: Option<f64>,
    min: f64,
    mean: f64,
    max: f64,
    gaps: bool,
}

impl Figures {
    /// `None`: nothing was measured.
    fn of(values: &[Option<f64>]) -> Option<Self> {
        let known: Vec<f64> = values.iter().flatten().copied().collect();
        #[expect(clippy::cast_precision_loss, reason = "three figures are shown")]
        let count = known.len() as f64;
        // The newest measurement is often not there yet.
        let last = values.iter().rev().take(2).flatten().next().copied();
        (!known.is_empty()).then(|| Self {
            last,
            min: known.iter().copied().fold(f64::INFINITY, f64::min),
            mean: known.iter().sum::<f64>() / count,
            max: known.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            gaps: known.len() < values.len(),
        })
    }
}

/// A figure with its unit.
fn said(unit: Unit, value: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "held within bounds before")]
    let whole = |value: f64| bytes(value.clamp(0.0, 9e18) as u64);
    match unit {
        Unit::Share => percent(value),
        Unit::Percent => percent(value / 100.0),
        Unit::Bytes => whole(value),
        Unit::Rate => format!("{}/s", whole(value)),
        Unit::Number if value.fract() == 0.0 => format!("{value:.0}"),
        Unit::Number => format!("{value:.2}"),
    }
}

/// The values as bars, from zero to the greatest, in at most `width` columns: each the mean of what falls to it.
fn bars(values: &[Option<f64>], width: usize) -> String {
    let width = width.min(values.len()).max(1);
    let most = values.iter().flatten().copied().fold(0.0_f64, f64::max);
    (0..width)
        .map(|column| {
            let (from, to) = (column * values.len() / width, (column + 1) * values.len() / width);
            let part = values.get(from..to.max(from + 1)).unwrap_or_default();
            let Some(figures) = Figures::of(part) else { return '·' };
            let share = if most > 0.0 { (figures.mean / most).clamp(0.0, 1.0) } else { 0.0 };
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 7")]
            let height = (share * 7.0).round() as usize;
            BARS.get(height).copied().unwrap_or('█')
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_go_from_zero_to_the_most_and_gaps_stay_gaps() {
        assert_eq!(bars(&[Some(0.0), None, Some(7.0), Some(3.5)], 60), "▁·█▅");
        assert_eq!(bars(&[Some(1.0), Some(3.0), None, None, Some(4.0), None], 3), "▅·█");
        assert_eq!(bars(&[Some(0.0), Some(0.0)], 60), "▁▁");
        assert_eq!(bars(&[], 60), "·");
        assert_eq!(bars(&vec![Some(1.0); 1440], 60).chars().count(), 60);
    }

    #[test]
    fn figures_are_of_what_was_measured() {
        let figures = Figures::of(&[Some(1.0), None, Some(3.0), None]).unwrap();
        assert_eq!((figures.min, figures.mean, figures.max), (1.0, 2.0, 3.0));
        assert_eq!((figures.last, figures.gaps), (Some(3.0), true));
        assert_eq!(Figures::of(&[Some(1.0), None, None]).unwrap().last, None, "what was, is not");
        assert!(Figures::of(&[None]).is_none());
    }

    #[test]
    fn units_are_said() {
        assert_eq!(said(Unit::Share, 0.031), "3.1 %");
        assert_eq!(said(Unit::Percent, 12.0), "12 %");
        assert_eq!(said(Unit::Rate, 2048.0), "2.0 KiB/s");
        assert_eq!(said(Unit::Number, 4.0), "4");
        assert_eq!(said(Unit::Number, 0.254), "0.25");
    }
}
