//! The replies of the calls this crate knows, by area.
//!
//! Every type is declared with its fields in one place (see [`crate::decode`]). A field that may be absent is
//! an `Option`, and absent is never zero, `stopped` or the empty text. Text that comes from a fixed set in one
//! release (states, architectures, content types) stays text, since the next release adds to the set.

pub mod access;
pub mod agent;
pub mod cluster;
pub mod config;
pub mod guest;
pub mod node;
pub mod rrd;
pub mod storage;
pub mod task;

pub use access::{
    AclRow, Domain, Permissions, RolePrivileges, RoleRow, Ticket, Token, TokenInfo, TokenRow, User, Version,
};
pub use agent::{AgentError, AgentInterfaces, AgentResult, Interface, IpAddress};
pub use cluster::{
    ClusterInfo, ClusterNode, ClusterStatus, GuestRow, HaStatusRow, NetworkRow, NodeRow, PoolRow, Resource,
    SdnRow, StorageRow,
};
pub use config::{GuestConfig, PendingRow};
pub use guest::{GuestKind, GuestListRow, GuestStatus, HaState};
pub use node::{
    BootInfo, CertificateInfo, CpuInfo, Kernel, Ksm, Memory, NodeListRow, NodeStatus, Space, Swap,
};
pub use rrd::RrdPoint;
pub use storage::Volume;
pub use task::{LogLine, TaskRow, TaskStatus};

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::decode::{self, FieldFact, Members, NotUnderstood, Reply};
use crate::drift::Drift;

/// A row of a type that is not known here, kept as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherRow {
    /// What the row says it is about.
    pub kind: String,
    /// The JSON text of the row.
    pub raw: String,
}

impl OtherRow {
    pub(crate) fn new(kind: String, members: Members<'_>) -> Self {
        Self { kind, raw: members.text().to_owned() }
    }
}

impl Serialize for OtherRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serde_json::from_str::<&RawValue>(&self.raw) {
            Ok(raw) => raw.serialize(serializer),
            Err(_) => serializer.serialize_str(&self.raw),
        }
    }
}

/// A declared reply type as data, for whoever walks them all.
#[derive(Debug, Clone, Copy)]
pub struct ReplyFacts {
    /// The type's name.
    pub name: &'static str,
    /// Its fields.
    pub fields: &'static [FieldFact],
    /// Decodes an object of this type and gives it back as JSON under the wire names, secrets redacted.
    pub decode: fn(&RawValue, &mut Drift) -> Result<serde_json::Value, NotUnderstood>,
}

impl ReplyFacts {
    const fn of<T: Reply + Serialize>() -> Self {
        Self { name: T::NAME, fields: T::FIELDS, decode: through::<T> }
    }
}

fn through<T: Reply + Serialize>(
    data: &RawValue,
    drift: &mut Drift,
) -> Result<serde_json::Value, NotUnderstood> {
    Ok(serde_json::to_value(decode::object::<T>(data, drift)?)?)
}

/// Every declared reply type.
pub const ALL: &[ReplyFacts] = &[
    ReplyFacts::of::<Version>(),
    ReplyFacts::of::<Domain>(),
    ReplyFacts::of::<Ticket>(),
    ReplyFacts::of::<Token>(),
    ReplyFacts::of::<TokenRow>(),
    ReplyFacts::of::<TokenInfo>(),
    ReplyFacts::of::<User>(),
    ReplyFacts::of::<RoleRow>(),
    ReplyFacts::of::<AclRow>(),
    ReplyFacts::of::<Resource>(),
    ReplyFacts::of::<GuestRow>(),
    ReplyFacts::of::<NodeRow>(),
    ReplyFacts::of::<StorageRow>(),
    ReplyFacts::of::<PoolRow>(),
    ReplyFacts::of::<SdnRow>(),
    ReplyFacts::of::<NetworkRow>(),
    ReplyFacts::of::<ClusterStatus>(),
    ReplyFacts::of::<ClusterInfo>(),
    ReplyFacts::of::<ClusterNode>(),
    ReplyFacts::of::<HaStatusRow>(),
    ReplyFacts::of::<NodeListRow>(),
    ReplyFacts::of::<NodeStatus>(),
    ReplyFacts::of::<CpuInfo>(),
    ReplyFacts::of::<Memory>(),
    ReplyFacts::of::<Swap>(),
    ReplyFacts::of::<Space>(),
    ReplyFacts::of::<Ksm>(),
    ReplyFacts::of::<Kernel>(),
    ReplyFacts::of::<BootInfo>(),
    ReplyFacts::of::<CertificateInfo>(),
    ReplyFacts::of::<GuestListRow>(),
    ReplyFacts::of::<GuestStatus>(),
    ReplyFacts::of::<HaState>(),
    ReplyFacts::of::<GuestConfig>(),
    ReplyFacts::of::<PendingRow>(),
    ReplyFacts::of::<Interface>(),
    ReplyFacts::of::<IpAddress>(),
    ReplyFacts::of::<AgentInterfaces>(),
    ReplyFacts::of::<AgentError>(),
    ReplyFacts::of::<RrdPoint>(),
    ReplyFacts::of::<Volume>(),
    ReplyFacts::of::<TaskRow>(),
    ReplyFacts::of::<TaskStatus>(),
    ReplyFacts::of::<LogLine>(),
];
