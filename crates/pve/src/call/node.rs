//! Nodes.

use catalogue::Method;

use super::{Call, object, rows};
use crate::decode::Rows;
use crate::reply::{CertificateInfo, NodeListRow, NodeStatus};

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
