//! What is counted, and `/metrics`: [`text`].

mod counters;
mod gather;

use std::fmt;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use crate::app::App;

pub(crate) use counters::Counters;

/// Everything as OpenMetrics text. What is not known is absent.
pub(crate) async fn text(app: &App) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("muster");
    app.counters().register(&mut registry);
    registry.register_collector(Box::new(gather::Gathered::of(app)));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}
