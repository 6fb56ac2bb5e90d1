//! The cluster as a whole.

use catalogue::Method;

use super::{Call, rows, value};
use crate::decode::Rows;
use crate::reply::{ClusterStatus, HaStatusRow, Resource, TaskRow};

/// Which rows of [`resources`] to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResourceType {
    /// Guests, containers and virtual machines both.
    Guests,
    /// Storages, one row per node even if shared.
    Storages,
    /// Nodes.
    Nodes,
    /// Software-defined networks.
    Sdn,
}

impl ResourceType {
    fn wire(self) -> &'static str {
        match self {
            Self::Guests => "vm",
            Self::Storages => "storage",
            Self::Nodes => "node",
            Self::Sdn => "sdn",
        }
    }
}

/// `GET /cluster/status`: the cluster (absent on a stand-alone host) and its nodes.
pub fn status() -> Call<Rows<ClusterStatus>> {
    Call::new(Method::Get, "/cluster/status", &[], rows).listing()
}

/// `GET /cluster/resources`: everything the credential may see, or the rows of one type. Renewed every 10 s.
pub fn resources(only: Option<ResourceType>) -> Call<Rows<Resource>> {
    Call::new(Method::Get, "/cluster/resources", &[], rows)
        .with("type", only.map(ResourceType::wire))
        .listing()
}

/// `GET /cluster/tasks`: running tasks and about 25 finished ones a node.
pub fn tasks() -> Call<Rows<TaskRow>> {
    Call::new(Method::Get, "/cluster/tasks", &[], rows).listing()
}

/// `GET /cluster/nextid`: the lowest free VMID, or the given one if it is free (else it is refused).
pub fn next_id(wanted: Option<u32>) -> Call<u32> {
    Call::new(Method::Get, "/cluster/nextid", &[], value).with("vmid", wanted)
}

/// `GET /cluster/ha/status/current`: the HA manager, its nodes and services.
pub fn ha_status() -> Call<Rows<HaStatusRow>> {
    Call::new(Method::Get, "/cluster/ha/status/current", &[], rows).listing()
}
