//! An action in other words: on the command line, as a call of Proxmox VE's own API, as a request to Muster.

use api::guest::Fields;
use api::operation::{Operation, OperationRequest, ShowAs, ShownCall, ShownRequest};
use fleet::wire;
use model::{Action, GuestKind, NodeName, PowerOptions, Text, Vmid};
use serde_json::Value;

/// What is asked of which guest.
pub(crate) struct Wish<'a> {
    /// Its remote's name.
    pub(crate) remote: &'a Text,
    pub(crate) vmid: Vmid,
    pub(crate) kind: GuestKind,
    pub(crate) node: &'a NodeName,
    pub(crate) action: Action,
    pub(crate) options: &'a PowerOptions,
}

impl Wish<'_> {
    /// The same in other words.
    pub(crate) fn show_as(&self) -> ShowAs {
        let Self { remote, vmid, kind, node, action, options } = *self;
        let request = OperationRequest { remote: remote.to_string(), vmid, action, options: options.clone() };
        let mut body = object(serde_json::to_value(request).unwrap_or_default());
        if *options == PowerOptions::default() {
            body.0.remove("options");
        }
        let call = wire::shown(action, options, kind, node, vmid).map(|call| ShownCall {
            method: call.method.to_owned(),
            path: call.path,
            parameters: Fields(
                call.parameters.into_iter().map(|(name, value)| (name.to_owned(), value_of(value))).collect(),
            ),
        });
        let api = ShownRequest { method: "POST".to_owned(), path: format!("{}/operations", api::BASE), body };
        ShowAs { command: self.command(), call, api }
    }

    /// On the command line; `None` where that has no such option.
    fn command(&self) -> Option<String> {
        let timed = matches!(self.action, Action::Shutdown | Action::Reboot);
        let forced = self.options.force_stop == Some(true);
        if (self.options.timeout.is_some() && !timed) || (forced && self.action != Action::Shutdown) {
            return None;
        }
        let (verb, to_disk) = match self.action {
            Action::Hibernate => ("suspend", " --to-disk"),
            other => (other.as_str(), ""),
        };
        let guest = word(&format!("{}/{}", self.remote, self.vmid));
        let timeout =
            self.options.timeout.map(|seconds| format!(" --timeout {seconds}s")).unwrap_or_default();
        let force = if forced { " --force-stop" } else { "" };
        Some(format!("muster guest {verb} {guest}{to_disk}{timeout}{force}"))
    }
}

/// An operation as the API tells it, in other words too.
pub(crate) fn operation(of: &model::Operation, remote: &Text) -> Operation {
    let wish = Wish {
        remote,
        vmid: of.guest.vmid,
        kind: of.kind,
        node: &of.node,
        action: of.action,
        options: &of.options,
    };
    Operation { show_as: Some(wish.show_as()), ..Operation::of(of, remote) }
}

/// `text` as one word of a shell command.
fn word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '/' | '_' | '-');
    match !text.starts_with('-') && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// Figures as figures.
fn value_of(text: String) -> Value {
    text.parse::<u64>().map_or(Value::String(text), Value::from)
}

fn object(value: Value) -> Fields {
    match value {
        Value::Object(fields) => Fields(fields),
        _ => Fields::default(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(remote: &str, action: Action, timeout: Option<u64>, force: Option<bool>) -> ShowAs {
        let options = PowerOptions { timeout, force_stop: force };
        let (remote, node) = (Text::from(remote), NodeName::from("pve1"));
        let wish = Wish {
            remote: &remote,
            vmid: Vmid(101),
            kind: GuestKind::Vm,
            node: &node,
            action,
            options: &options,
        };
        wish.show_as()
    }

    #[test]
    fn a_wish_is_said_in_three_ways() {
        let all = shown("home", Action::Shutdown, Some(60), Some(true));
        assert_eq!(
            serde_json::to_value(&all).unwrap(),
            json!({
                "command": "muster guest shutdown home/101 --timeout 60s --force-stop",
                "call": {
                    "method": "POST",
                    "path": "/api2/json/nodes/pve1/qemu/101/status/shutdown",
                    "parameters": {"timeout": 60, "forceStop": 1},
                },
                "api": {
                    "method": "POST",
                    "path": "/api/v1/operations",
                    "body": {
                        "remote": "home",
                        "vmid": 101,
                        "action": "shutdown",
                        "options": {"timeout_seconds": 60, "force_stop": true},
                    },
                },
            })
        );
        let start = shown("home", Action::Start, None, None);
        assert_eq!(start.command.as_deref(), Some("muster guest start home/101"));
        assert_eq!(
            Value::Object(start.api.body.0),
            json!({"remote": "home", "vmid": 101, "action": "start"})
        );
    }

    #[test]
    fn what_the_command_line_cannot_say_is_not_said_otherwise() {
        assert_eq!(shown("home", Action::Start, Some(9), None).command, None);
        assert_eq!(shown("home", Action::Reboot, None, Some(true)).command, None);
        let to_disk = shown("home", Action::Hibernate, None, None);
        assert_eq!(to_disk.command.as_deref(), Some("muster guest suspend home/101 --to-disk"));
    }

    #[test]
    fn a_name_that_a_shell_reads_something_into_is_quoted() {
        for (name, word) in [
            ("at tic", "'at tic/101'"),
            ("$(reboot)", "'$(reboot)/101'"),
            ("it's", r"'it'\''s/101'"),
            ("-rf", "'-rf/101'"),
            ("höhle", "höhle/101"),
        ] {
            let command = shown(name, Action::Stop, None, None).command.unwrap();
            assert_eq!(command, format!("muster guest stop {word}"));
        }
    }
}
