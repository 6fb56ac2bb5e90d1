//! Guests: containers and virtual machines alike. The differences are data.

use catalogue::Method;
use serde::Serialize;

use super::{Call, object, rows, task};
use crate::decode::Rows;
use crate::reply::{
    AgentError, AgentInterfaces, GuestConfig, GuestKind, GuestListRow, GuestStatus, Interface, PendingRow,
    RrdPoint,
};
use crate::upid::Upid;

/// A power action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Power {
    /// Start it.
    Start,
    /// Ask it to shut down; may time out.
    Shutdown,
    /// Turn it off at once.
    Stop,
    /// Shut down and start again, as one call.
    Reboot,
    /// Reset at once, as with the button. Virtual machines only.
    Reset,
    /// Freeze it. Experimental for containers.
    Suspend,
    /// Let it run on after [`Power::Suspend`].
    Resume,
}

impl Power {
    /// Every action there is.
    pub const ALL: [Self; 7] =
        [Self::Start, Self::Shutdown, Self::Stop, Self::Reboot, Self::Reset, Self::Suspend, Self::Resume];

    /// The last segment of the action's path.
    pub fn wire(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Shutdown => "shutdown",
            Self::Stop => "stop",
            Self::Reboot => "reboot",
            Self::Reset => "reset",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
        }
    }

    /// Is there such an action for this kind of guest?
    pub fn applies_to(self, kind: GuestKind) -> bool {
        !(kind == GuestKind::Ct && self == Self::Reset)
    }
}

/// What may be said with a power action. Options that an action does not know make the call invalid; those that a
/// version does not know are refused by the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PowerOptions {
    /// Seconds to wait for the guest: shutdown, reboot; of virtual machines also start and stop.
    pub timeout: Option<u32>,
    /// Turn it off when shutting down takes longer than that: shutdown.
    pub force_stop: Option<bool>,
    /// End a running shutdown task first: stop. Since 8.2.
    pub overrule_shutdown: Option<bool>,
    /// Write the memory to disk: suspend, virtual machines only.
    pub to_disk: Option<bool>,
}

impl PowerOptions {
    /// As parameters of the call, with their values as they are sent; none is secret.
    pub fn wire(&self) -> impl Iterator<Item = (&'static str, String)> {
        let flag = |is: bool| if is { "1" } else { "0" }.to_owned();
        [
            ("timeout", self.timeout.map(|seconds| seconds.to_string())),
            ("forceStop", self.force_stop.map(flag)),
            ("overrule-shutdown", self.overrule_shutdown.map(flag)),
            ("todisk", self.to_disk.map(flag)),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
    }
}

/// `/nodes/{node}/lxc/{vmid}` or `/nodes/{node}/qemu/{vmid}`, and what follows.
fn template(kind: GuestKind, rest: &str) -> String {
    format!("/nodes/{{node}}/{}/{{vmid}}{rest}", kind.wire())
}

/// `GET /nodes/{node}/{lxc|qemu}`: the guests of one kind on one node.
pub fn list(node: &str, kind: GuestKind) -> Call<Rows<GuestListRow>> {
    let template = format!("/nodes/{{node}}/{}", kind.wire());
    Call::new(Method::Get, template, &[("node", node)], rows).listing()
}

/// `GET …/status/current`: the guest's state now.
pub fn status(node: &str, kind: GuestKind, vmid: u32) -> Call<GuestStatus> {
    let vmid = vmid.to_string();
    Call::new(Method::Get, template(kind, "/status/current"), &[("node", node), ("vmid", &vmid)], object)
}

/// `GET …/config`: the configuration with its digest; pending values merged in, or, with `current`, the live
/// ones.
pub fn config(node: &str, kind: GuestKind, vmid: u32, current: bool) -> Call<GuestConfig> {
    let vmid = vmid.to_string();
    Call::new(Method::Get, template(kind, "/config"), &[("node", node), ("vmid", &vmid)], object)
        .with("current", current.then_some(true))
}

/// `GET …/pending`: the configuration key by key, with what waits for the next start.
pub fn pending(node: &str, kind: GuestKind, vmid: u32) -> Call<Rows<PendingRow>> {
    let vmid = vmid.to_string();
    Call::new(Method::Get, template(kind, "/pending"), &[("node", node), ("vmid", &vmid)], rows)
}

/// The network interfaces of a running guest.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Addresses {
    /// The interfaces that could be read.
    pub interfaces: Rows<Interface>,
    /// What the guest agent says instead, when it has no interfaces to give.
    pub agent_error: Option<AgentError>,
}

/// The addresses of a running guest: `GET …/interfaces` of a container (since 8; not supported before), `GET
/// …/agent/network-get-interfaces` of a virtual machine (which fails with status 500 while no guest agent runs).
pub fn addresses(node: &str, kind: GuestKind, vmid: u32) -> Call<Addresses> {
    let vmid = vmid.to_string();
    let segments = [("node", node), ("vmid", vmid.as_str())];
    match kind {
        GuestKind::Ct => Call::new(Method::Get, template(kind, "/interfaces"), &segments, rows::<Interface>)
            .map(|interfaces| Addresses { interfaces, agent_error: None }),
        GuestKind::Vm => Call::new(
            Method::Get,
            template(kind, "/agent/network-get-interfaces"),
            &segments,
            object::<AgentInterfaces>,
        )
        .map(|answer| Addresses {
            interfaces: Rows { rows: answer.interfaces().to_vec(), ..Rows::default() },
            agent_error: answer.error().cloned(),
        }),
    }
}

/// `POST …/status/{action}`: the answer is the task that was begun, not its outcome.
pub fn power(
    node: &str,
    kind: GuestKind,
    vmid: u32,
    action: Power,
    options: &PowerOptions,
) -> Call<Option<Upid>> {
    let segment = vmid.to_string();
    let rest = format!("/status/{}", action.wire());
    let call = Call::new(Method::Post, template(kind, &rest), &[("node", node), ("vmid", &segment)], task);
    let call = options.wire().fold(call, |call, (name, value)| call.with(name, Some(value)));
    let is_vm = kind == GuestKind::Vm;
    let timed = matches!(action, Power::Shutdown | Power::Reboot)
        || (is_vm && matches!(action, Power::Start | Power::Stop));
    let unknown = [
        (options.timeout.is_some() && !timed, "timeout"),
        (options.force_stop.is_some() && action != Power::Shutdown, "force_stop"),
        (options.overrule_shutdown.is_some() && action != Power::Stop, "overrule_shutdown"),
        (options.to_disk.is_some() && !(is_vm && action == Power::Suspend), "to_disk"),
    ];
    match unknown.iter().find(|(unknown, _)| *unknown) {
        _ if !action.applies_to(kind) => call.refuse(format!("a {kind} has no action “{}”", action.wire())),
        Some((_, name)) => call.refuse(format!("{} of a {kind} knows no option {name}", action.wire())),
        None => call,
    }
}

/// The span of a series of measurements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Timeframe {
    /// The last hour.
    Hour,
    /// The last day.
    Day,
    /// The last week.
    Week,
    /// The last month.
    Month,
    /// The last year.
    Year,
    /// The last ten years. Since 9.
    Decade,
}

impl Timeframe {
    /// The value of the parameter.
    pub fn wire(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
            Self::Decade => "decade",
        }
    }
}

/// How the measurements of one interval become one point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Consolidation {
    /// Their average.
    #[default]
    Average,
    /// Their maximum.
    Maximum,
}

impl Consolidation {
    /// The value of the parameter.
    pub fn wire(self) -> &'static str {
        match self {
            Self::Average => "AVERAGE",
            Self::Maximum => "MAX",
        }
    }
}

/// `GET …/rrddata`: measurements over time; the last point may be empty.
pub fn rrd(
    node: &str,
    kind: GuestKind,
    vmid: u32,
    timeframe: Timeframe,
    consolidation: Consolidation,
) -> Call<Rows<RrdPoint>> {
    let vmid = vmid.to_string();
    Call::new(Method::Get, template(kind, "/rrddata"), &[("node", node), ("vmid", &vmid)], rows)
        .with("timeframe", Some(timeframe.wire()))
        .with("cf", Some(consolidation.wire()))
        .listing()
}
