//! Actions as calls of the Proxmox VE API: what is sent, and what is shown to whoever wants to send it themselves. One
//! place for both, so that what is shown is what is sent.

use model::{Action, GuestKind, NodeName, PowerOptions, Vmid};
use pve::call::{Call, guest};
use pve::upid::Upid;

use crate::rows::pve_kind;

/// A call as it is sent: `POST /api2/json/nodes/pve1/lxc/101/status/shutdown`, with its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireCall {
    /// The method.
    pub method: &'static str,
    /// The path on the host.
    pub path: String,
    /// The parameters, as they are written in a form.
    pub parameters: Vec<(&'static str, String)>,
}

/// An action in the client's words.
fn power(action: Action, options: &PowerOptions) -> (pve::Power, pve::PowerOptions) {
    let power = match action {
        Action::Start => pve::Power::Start,
        Action::Shutdown => pve::Power::Shutdown,
        Action::Stop => pve::Power::Stop,
        Action::Reboot => pve::Power::Reboot,
        Action::Reset => pve::Power::Reset,
        Action::Suspend | Action::Hibernate => pve::Power::Suspend,
        Action::Resume => pve::Power::Resume,
    };
    let options = pve::PowerOptions {
        timeout: options.timeout.map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX)),
        force_stop: options.force_stop,
        to_disk: (action == Action::Hibernate).then_some(true),
        ..pve::PowerOptions::default()
    };
    (power, options)
}

/// The call that an action on a guest is.
pub(crate) fn call(
    action: Action,
    options: &PowerOptions,
    kind: GuestKind,
    node: &NodeName,
    vmid: Vmid,
) -> Call<Option<Upid>> {
    let (power, options) = power(action, options);
    guest::power(node.as_str(), pve_kind(kind), vmid.0, power, &options)
}

/// What is sent for an action on a guest; `None` when there is no such call, or the guest's node is not known.
#[must_use]
pub fn shown(
    action: Action,
    options: &PowerOptions,
    kind: GuestKind,
    node: &NodeName,
    vmid: Vmid,
) -> Option<WireCall> {
    let call = call(action, options, kind, node, vmid);
    let (_, options) = power(action, options);
    call.is_valid().then(|| WireCall {
        method: "POST",
        path: format!("/api2/json{}", call.path()),
        parameters: options.wire().collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_what_is_sent() {
        for action in Action::ALL {
            for kind in [GuestKind::Ct, GuestKind::Vm] {
                let timed = PowerOptions { timeout: Some(60), force_stop: Some(true) };
                for options in [PowerOptions::default(), timed] {
                    let node = NodeName::from("pve 1");
                    let sent = call(action, &options, kind, &node, Vmid(101));
                    let shown = shown(action, &options, kind, &node, Vmid(101));
                    assert_eq!(shown.is_some(), sent.is_valid());
                    let Some(shown) = shown else { continue };
                    assert_eq!((shown.method, sent.method()), ("POST", pve::Method::Post));
                    assert_eq!(shown.path.strip_prefix("/api2/json"), Some(sent.path()));
                    let names: Vec<&str> = shown.parameters.iter().map(|(name, _)| *name).collect();
                    assert_eq!(names, sent.parameters().collect::<Vec<_>>());
                }
            }
        }
        let options = PowerOptions { timeout: Some(60), force_stop: Some(true) };
        let shown = shown(Action::Shutdown, &options, GuestKind::Ct, &"pve1".into(), Vmid(101)).unwrap();
        assert_eq!(shown.path, "/api2/json/nodes/pve1/lxc/101/status/shutdown");
        assert_eq!(shown.parameters, [("timeout", "60".to_owned()), ("forceStop", "1".to_owned())]);
    }

    #[test]
    fn what_cannot_be_sent_is_not_shown() {
        let none = PowerOptions::default();
        let of = |action, kind, node: &str| shown(action, &none, kind, &node.into(), Vmid(101));
        assert_eq!(of(Action::Reset, GuestKind::Ct, "pve1"), None);
        assert_eq!(of(Action::Hibernate, GuestKind::Ct, "pve1"), None);
        assert_eq!(of(Action::Start, GuestKind::Vm, ""), None, "its node is not known");
        let hibernate = of(Action::Hibernate, GuestKind::Vm, "pve1").unwrap();
        assert_eq!(hibernate.parameters, [("todisk", "1".to_owned())]);
    }
}
