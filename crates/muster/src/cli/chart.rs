//! Figures over time: what may be typed, for guests, nodes and storages alike.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use model::ChartSpan;

/// How far back figures are shown.
#[derive(Debug, Args)]
pub struct Back {
    /// How far back
    #[arg(long, value_name = "SPAN", default_value = "hour", value_parser = spans())]
    pub span: ChartSpan,
}

fn spans() -> impl TypedValueParser<Value = ChartSpan> {
    PossibleValuesParser::new(ChartSpan::ALL.map(ChartSpan::word))
        .map(|word| ChartSpan::ALL.into_iter().find(|span| span.word() == word).unwrap_or_default())
}
