//! Storages, each as one node sees it.

use catalogue::Method;

use super::guest::{Consolidation, Timeframe};
use super::{Call, rows};
use crate::decode::Rows;
use crate::reply::{RrdPoint, Volume};

/// `GET /nodes/{node}/storage/{storage}/content`: what lies on it, as far as the account may see that.
pub fn content(node: &str, storage: &str) -> Call<Rows<Volume>> {
    let segments = [("node", node), ("storage", storage)];
    Call::new(Method::Get, "/nodes/{node}/storage/{storage}/content", &segments, rows).listing()
}

/// `GET /nodes/{node}/storage/{storage}/rrddata`: how full it was over time; the last point may be empty.
pub fn rrd(
    node: &str,
    storage: &str,
    timeframe: Timeframe,
    consolidation: Consolidation,
) -> Call<Rows<RrdPoint>> {
    let segments = [("node", node), ("storage", storage)];
    Call::new(Method::Get, "/nodes/{node}/storage/{storage}/rrddata", &segments, rows)
        .with("timeframe", Some(timeframe.wire()))
        .with("cf", Some(consolidation.wire()))
        .listing()
}
