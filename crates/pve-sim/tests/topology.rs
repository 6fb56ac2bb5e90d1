//! Topology files: what they say, and what is said about their mistakes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use pve_sim::topology::{GuestKind, VERSIONS};
use pve_sim::{Fault, Sim, SimTimings, Topology};

const EXAMPLE: &str = r#"
seed = 42

[[remotes]]
name = "rack"
version = "9.2"
fill = { count = 40, ha = 4 }
nodes = [
  { name = "pve1", listen = "127.0.0.1:0" },
  { name = "pve2", ip = "192.0.2.12" },
]
faults = [{ fault = "delay", ms = 20, path = "/nodes/*", times = 3, node = "pve1" }]

[[remotes.users]]
userid = "root@pam"
password = "secret"
tokens = [{ name = "muster", secret = "abc", privsep = false }]

[[remotes.users]]
userid = "alice@pve"
password = "secret"
totp_secret = "JBSWY3DPEHPK3PXP"
acl = [{ path = "/vms/101", role = "PVEVMUser" }]

[[remotes.guests]]
vmid = 101
kind = "ct"
name = "dns"
node = "pve2"
running = true
tags = ["infra"]
config = { memory = "512" }

[remotes.script]
steps = [
  { ms = 30000 },
  { ms = 10000, faults = [{ fault = "black-hole", at = "syn" }] },
]
"#;

#[test]
fn an_example_with_everything() {
    let topology = Topology::from_toml(EXAMPLE).unwrap();
    let remote = &topology.remotes[0];
    assert_eq!(topology.seed, 42);
    assert_eq!(remote.faults, [Fault::Delay { ms: 20 }.on("/nodes/*").times(3).at_node("pve1")]);
    assert_eq!(remote.guests[0].kind, GuestKind::Ct);
    assert!(!remote.users[0].tokens[0].privsep);
    assert!(remote.users[1].acl[0].propagate, "as on a real server");
    assert!(remote.script.as_ref().unwrap().repeat);
    assert!(!format!("{topology:?}").contains("secret\""), "no password in a log");
}

#[test]
fn what_the_library_offers_is_sound() {
    for version in VERSIONS {
        Topology::single(version).check().unwrap();
        Topology::cluster(3, version).check().unwrap();
    }
    Topology::demo().check().unwrap();
}

#[test]
fn mistakes_are_named_with_their_place() {
    let with = |from: &str, to: &str| {
        let text = EXAMPLE.replacen(from, to, 1);
        assert_ne!(text, EXAMPLE, "{from}");
        Topology::from_toml(&text).unwrap_err().to_string()
    };
    for (from, to, words) in [
        ("seed = 42", "seed = \"x\"", "line 2"),
        ("running = true", "runs = true", "unknown field `runs`"),
        ("name = \"dns\"\n", "", "missing field `name`"),
        ("kind = \"ct\"", "kind = \"lxc\"", "`ct` or `vm`"),
        ("version = \"9.2\"", "version = \"9\"", "remote \"rack\": version \"9\""),
        ("node = \"pve2\"", "node = \"pve3\"", "guest 101: \"pve3\" is not one of its nodes (pve1, pve2)"),
        ("count = 40", "count = 4000000", "fill: count must be at most 1000000"),
        ("vmid = 101", "vmid = 11", "numbers go from 100"),
        ("name = \"pve2\", ip", "name = \"pve2\", listen = \"127.0.0.1\", ip", "line 10"),
        ("node = \"pve1\" }]", "node = \"pve9\" }]", "(pve1, pve2)"),
        ("alice@pve", "alice", "lacks a realm"),
        ("name = \"pve2\"", "name = \"pve1\"", "node \"pve1\" is given twice"),
        ("name = \"pve2\"", "name = \"pve 2\"", "not a node name"),
        ("name = \"rack\"", "name = \"a/b\"", "a name is needed"),
        ("name = \"rack\"", "name = \"..\"", "a name is needed"),
        ("node = \"pve1\" }]", "node = \"pve9\" }]", "fault delay: \"pve9\""),
        ("ms = 20,", "", "missing field `ms`"),
        ("at = \"syn\"", "at = \"dns\"", "unknown variant `dns`"),
        ("{ ms = 30000 },\n  { ms = 10000,", "{ ms = 0,", "at least one step must last"),
    ] {
        let said = with(from, to);
        assert!(said.contains(words), "{said}");
    }
    for nothing in ["", "# nothing", "seed = 1"] {
        assert!(Topology::from_toml(nothing).unwrap_err().to_string().contains("add a [[remotes]] table"));
    }
    let port = EXAMPLE.replace("127.0.0.1:0", "127.0.0.1:8006").replace("alice@pve", "bob@pve");
    let other = port.replace("seed = 42", "").replace("\"rack\"", "\"other\"");
    let said = Topology::from_toml(&format!("{port}\n{other}")).unwrap_err().to_string();
    assert_eq!(
        said,
        "remote \"other\": node \"pve1\" listens on 127.0.0.1:8006, as node \"pve1\" of remote \"rack\" does"
    );
    let twice = format!("{EXAMPLE}\n{}", EXAMPLE.replace("seed = 42", ""));
    assert!(Topology::from_toml(&twice).unwrap_err().to_string().contains("given twice"));
}

#[test]
fn the_document_tells_the_truth() {
    let document =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/simulator.md")).unwrap();
    let (_, rest) = document.split_once("```toml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    Topology::from_toml(example).unwrap();
    let error = Topology::from_toml(
        "[[remotes]]\nname = \"a\"\nversion = \"9.2\"\nnodes = [{ name = \"n\" }]\nfaults = [{ fault = \"x\" }]",
    );
    // The error lists every fault that there is.
    let error = error.unwrap_err().to_string();
    let (_, names) = error.split_once("expected one of ").unwrap();
    let names: Vec<&str> = names.split('`').skip(1).step_by(2).collect();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        assert!(document.contains(&format!("| `{name}`")), "{name} is not in the table");
    }
}

#[tokio::test]
async fn what_would_mean_nothing_is_refused() {
    for (from, to, words) in [
        ("JBSWY3DPEHPK3PXP", "018", "user \"alice@pve\": totp_secret is not base32"),
        ("JBSWY3DPEHPK3PXP", "", "user \"alice@pve\": totp_secret is not base32"),
        ("PVEVMUser", "PVEVMUsr", "alice@pve on /vms/101: there is no role \"PVEVMUsr\""),
        (
            "[[remotes.guests]]",
            "[remotes.roles]\nMine = [\"VM.Audit\", \"VM.Adit\"]\n[[remotes.guests]]",
            "role \"Mine\": there is no privilege \"VM.Adit\"",
        ),
        (
            "fault = \"delay\", ms = 20, path = \"/nodes/*\", times = 3, node = \"pve1\"",
            "fault = \"hide-rows\", user = \"alic@pve\", path = \"/vms\"",
            "there is no user \"alic@pve\"",
        ),
    ] {
        let text = EXAMPLE.replacen(from, to, 1);
        assert_ne!(text, EXAMPLE, "{from}");
        let topology = Topology::from_toml(&text).unwrap();
        let error = Sim::start(topology, SimTimings::fast()).await.unwrap_err().to_string();
        assert_eq!(error, format!("remote \"rack\": {words}"));
    }
}
