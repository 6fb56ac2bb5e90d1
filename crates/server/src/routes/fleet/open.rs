//! Where Proxmox VE's own web interface shows a thing.
//!
//! Its place is the part behind the `#`: `v1`, then the view, what is chosen in the tree, the tab below and one
//! each for seven kinds of things, divided by colons. A word of its dictionary is a number (`server` 0, `root` 18,
//! `tasks` 4), any other text stands percent-encoded behind `=`; what is left empty is as the person last had it.

use std::fmt::Write as _;

use fleet::RemoteSnapshot;
use model::{GuestKind, NodeName};

/// What may be chosen in the tree.
#[derive(Debug, Clone, Copy)]
pub(super) enum Thing<'a> {
    /// All of it.
    Root,
    /// A node.
    Node(&'a NodeName),
    /// A guest.
    Guest(GuestKind, model::Vmid),
    /// A storage, as a node has it.
    Storage(&'a NodeName, &'a str),
}

/// Where the web interface of a remote is: where somebody said, else at an endpoint.
pub(super) fn web_url(remote: &RemoteSnapshot) -> Option<String> {
    let endpoint = || remote.link.in_use().or_else(|| remote.link.endpoints.first().map(|one| &one.endpoint));
    remote.web_url.clone().or_else(|| endpoint().map(|endpoint| format!("https://{endpoint}")))
}

/// Where it shows a thing.
pub(super) fn url(remote: &RemoteSnapshot, thing: Thing<'_>) -> Option<String> {
    Some(at(&web_url(remote)?, thing))
}

fn at(base: &str, thing: Thing<'_>) -> String {
    // Somebody may have copied the address with a place in it.
    let base = base.split('#').next().unwrap_or_default().trim_end_matches('/');
    let chosen = match thing {
        Thing::Root => "18".to_owned(),
        Thing::Node(node) => text(&format!("node/{node}")),
        Thing::Guest(GuestKind::Ct, vmid) => text(&format!("lxc/{vmid}")),
        Thing::Guest(GuestKind::Vm, vmid) => text(&format!("qemu/{vmid}")),
        Thing::Storage(node, storage) => text(&format!("storage/{node}/{storage}")),
    };
    format!("{base}/#v1:0:{chosen}:4:::::::")
}

/// A text, encoded as a browser's `encodeURIComponent` does.
fn text(plain: &str) -> String {
    let mut encoded = String::from("=");
    for byte in plain.bytes() {
        match byte {
            b'A'..=b'Z'
            | b'a'..=b'z'
            | b'0'..=b'9'
            | b'-'
            | b'_'
            | b'.'
            | b'!'
            | b'~'
            | b'*'
            | b'\''
            | b'('
            | b')' => {
                encoded.push(char::from(byte));
            }
            // Writing to a string does not fail.
            other => drop(write!(encoded, "%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_written_as_the_web_interface_writes_them() {
        let guest = |kind| Thing::Guest(kind, model::Vmid(101));
        let node = NodeName::from("pve1");
        for (base, thing, url) in [
            ("https://h:8006", Thing::Root, "https://h:8006/#v1:0:18:4:::::::"),
            ("https://h:8006", guest(GuestKind::Ct), "https://h:8006/#v1:0:=lxc%2F101:4:::::::"),
            ("https://h:8006/", guest(GuestKind::Vm), "https://h:8006/#v1:0:=qemu%2F101:4:::::::"),
            ("https://h/pve/#v1:0:18", Thing::Node(&node), "https://h/pve/#v1:0:=node%2Fpve1:4:::::::"),
            (
                "http://h",
                Thing::Storage(&node, "a:b ü"),
                "http://h/#v1:0:=storage%2Fpve1%2Fa%3Ab%20%C3%BC:4:::::::",
            ),
        ] {
            assert_eq!(at(base, thing), url);
        }
    }
}
