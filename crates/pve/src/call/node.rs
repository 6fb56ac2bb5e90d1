//! Nodes.

use catalogue::Method;

use super::guest::{Consolidation, Timeframe};
use super::{Call, object, rows};
use crate::decode::Rows;
use crate::reply::{CertificateInfo, NodeListRow, NodeStatus, RrdPoint};

/// `GET /nodes`: the nodes by name; one that is offline lacks its figures.
pub fn list() -> Call<Rows<NodeListRow>> {
    Call::new(Method::Get, "/nodes", &[], rows).listing()
}

/// `GET /nodes/{node}/status`: memory, load, versions.
pub fn status(node: &str) -> Call<NodeStatus> {
    Call::new(Method::Get, "/nodes/{node}/status", &[("node", node)], object)
}

/// `GET /nodes/{node}/certificates/info`: the node's certificates, the cluster's own authority among them.
pub fn certificates(node: &str) -> Call<Rows<CertificateInfo>> {
    Call::new(Method::Get, "/nodes/{node}/certificates/info", &[("node", node)], rows)
}

/// `GET /nodes/{node}/rrddata`: measurements over time; the last point may be empty. Any node answers for any other.
pub fn rrd(node: &str, timeframe: Timeframe, consolidation: Consolidation) -> Call<Rows<RrdPoint>> {
    Call::new(Method::Get, "/nodes/{node}/rrddata", &[("node", node)], rows)
        .with("timeframe", Some(timeframe.wire()))
        .with("cf", Some(consolidation.wire()))
        .listing()
}
