//! The program and its control port.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod support;

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};

use pve_sim::{Sim, SimTimings, Topology};
use serde_json::{Value, json};
use support::{Conversation, Response, Tls};
use tokio::net::TcpStream;

async fn control(address: std::net::SocketAddr, method: &str, path: &str, body: &str) -> Response {
    let stream = TcpStream::connect(address).await.unwrap();
    Conversation { stream, buffer: Vec::new() }.ask(method, path, "", body).await
}

#[tokio::test]
async fn faults_over_the_control_port() {
    let sim = Sim::start(Topology::cluster(2, "9.2"), SimTimings::fast()).await.unwrap();
    let remote = sim.first().unwrap();
    let port = sim.serve_control("127.0.0.1:0".parse().unwrap()).await.unwrap();

    let list = control(port, "GET", "/remotes", "").await.json();
    assert_eq!(list[0]["name"], "cluster");
    assert_eq!(list[0]["nodes"][1]["name"], "pve2");
    assert_eq!(list[0]["nodes"][0]["address"], remote.first_address().to_string());
    assert_eq!(list[0]["nodes"][0]["fingerprint"], remote.leaf_fingerprint("pve1").unwrap());
    let one = control(port, "GET", "/remotes/cluster", "").await.json();
    assert_eq!(one["ca_pem"], remote.ca_pem());

    let body = r#"{"fault": "forbidden", "text": "no", "path": "/access/*", "node": "pve1"}"#;
    let placed = control(port, "POST", "/remotes/cluster/faults", body).await;
    assert_eq!(placed.status, 200, "{}", placed.text());
    let id = placed.json()["id"].as_u64().unwrap();
    let status = async |node: &str| {
        let mut conversation = Tls::new().connect(remote.address(node).unwrap()).await.unwrap();
        conversation.get("/api2/json/access/domains").await.status
    };
    assert_eq!((status("pve1").await, status("pve2").await), (403, 200));
    let listed = control(port, "GET", "/remotes/cluster/faults", "").await.json();
    assert_eq!(
        listed,
        json!([{"fault": "forbidden", "text": "no", "path": "/access/*", "node": "pve1", "id": id}])
    );
    assert_eq!(control(port, "DELETE", &format!("/remotes/cluster/faults/{id}"), "").await.status, 200);
    assert_eq!(control(port, "DELETE", &format!("/remotes/cluster/faults/{id}"), "").await.status, 404);
    assert_eq!(status("pve1").await, 200);

    let journal = control(port, "GET", "/remotes/cluster/journal", "").await.json();
    assert_eq!(journal.as_array().unwrap().len(), 3);
    assert_eq!((&journal[0]["status"], &journal[0]["node"]), (&json!(403), &json!("pve1")));
    let connections = control(port, "GET", "/remotes/cluster/connections", "").await.json();
    assert_eq!(connections[0]["handshake"], "full");
    assert_eq!(control(port, "DELETE", "/remotes/cluster/journal", "").await.status, 200);
    assert!(remote.journal().is_empty());
    sim.stop().await;
}

#[tokio::test]
async fn edits_over_the_control_port() {
    let sim = Sim::start(Topology::cluster(2, "9.2"), SimTimings::fast()).await.unwrap();
    let remote = sim.first().unwrap();
    let port = sim.serve_control("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let edit = async |body: Value| control(port, "POST", "/remotes/cluster/world", &body.to_string()).await;
    assert_eq!(edit(json!({"do": "kill-node", "node": "pve2"})).await.status, 200);
    assert!(!remote.with_world(|world, _| world.node_is_up("pve2")));
    assert_eq!(edit(json!({"do": "revive-node", "node": "pve2"})).await.status, 200);
    assert!(remote.with_world(|world, _| world.node_is_up("pve2")));
    for (body, words) in [
        (json!({"do": "dance"}), "unknown variant `dance`"),
        (json!({"do": "kill-node", "node": "pve9"}), "pve9"),
        (json!({"do": "kill-node"}), "missing field `node`"),
        (json!(["kill-node"]), "not a JSON object"),
        (json!({"do": "fail-next-task", "type": "vzstrat", "text": "x"}), "vzstart"),
        (json!({"do": "warn-next-task", "type": "vzstart", "count": 4_000_000_000_u32}), "at most 10000"),
        (json!({"do": "hold-ha", "vmid": 100, "held": true}), "guest 100 is not under HA"),
        (json!({"do": "grant", "path": "/", "subject": "alice@pve", "role": "x"}), "no role \"x\""),
        (json!({"do": "set-user", "userid": "nobody@pve"}), "no user \"nobody@pve\""),
        (json!({"do": "remove-field", "path": "*", "pointer": "cpu"}), "begin with a slash"),
        (json!({"do": "add-guest", "guest": {"vmid": 9, "kind": "ct", "name": "a"}}), "from 100"),
    ] {
        let response = edit(body).await;
        assert_eq!(response.status, 400);
        assert!(response.json()["error"].as_str().unwrap().contains(words), "{}", response.text());
    }
    sim.stop().await;
}

#[tokio::test]
async fn the_control_port_says_what_is_wrong() {
    let sim = Sim::start(Topology::single("9.2"), SimTimings::fast()).await.unwrap();
    let port = sim.serve_control("127.0.0.1:0".parse().unwrap()).await.unwrap();
    assert!(control(port, "GET", "/", "").await.text().contains("/remotes/NAME/faults"));
    for (method, path, body, status, words) in [
        ("GET", "/nope", "", 404, "nothing here"),
        ("GET", "/remotes/nope", "", 404, "no remote"),
        ("PUT", "/remotes/single/faults", "", 405, "this method"),
        ("POST", "/remotes/single/faults", "{", 400, "EOF"),
        ("POST", "/remotes/single/faults", r#"{"fault": "refuse", "path": "/x"}"#, 400, "single calls"),
        (
            "POST",
            "/remotes/single/faults",
            r#"{"fault": "node-down", "node": "x"}"#,
            400,
            "not one of its nodes",
        ),
    ] {
        let response = control(port, method, path, body).await;
        assert_eq!(response.status, status, "{method} {path}");
        assert!(response.json()["error"].as_str().unwrap().contains(words), "{}", response.text());
    }
    let stream = TcpStream::connect(port).await.unwrap();
    let mut page = Conversation { stream, buffer: Vec::new() };
    let response = page.ask("GET", "/remotes", "Origin: https://evil.example\r\n", "").await;
    assert_eq!(response.status, 403);
    let error = sim.serve_control("192.0.2.1:0".parse().unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("loopback"));
    sim.stop().await;
}

#[tokio::test]
async fn addresses_are_as_asked_for() {
    let mut topology = Topology::cluster(2, "9.2");
    topology.remotes[0].nodes[1].listen = Some("127.0.0.2:0".parse().unwrap());
    let sim = Sim::start(topology.clone(), SimTimings::fast()).await.unwrap();
    let remote = sim.first().unwrap();
    let address = remote.address("pve2").unwrap();
    assert_eq!(address.ip().to_string(), "127.0.0.2");
    assert_eq!((remote.nodes(), remote.address("pve3")), (vec!["pve1".to_owned(), "pve2".to_owned()], None));
    // Its certificate is good for its own address.
    Tls::trusting(&remote).connect(address).await.unwrap();

    topology.remotes[0].nodes[1].listen = Some(address);
    let error = Sim::start(topology, SimTimings::fast()).await.unwrap_err().to_string();
    let words = format!("remote \"cluster\", node \"pve2\": cannot listen on {address}: ");
    assert!(error.starts_with(&words), "{error}");
    drop(sim);
    for _ in 0..500 {
        if TcpStream::connect(address).await.is_err() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("a simulator that was dropped goes on");
}

struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn pve_sim(arguments: &[&str]) -> Program {
    let child = Command::new(env!("CARGO_BIN_EXE_pve-sim"))
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    Program(child)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_starts_answers_and_ends_on_a_signal() {
    let mut program = pve_sim(&["--demo", "--control", "127.0.0.1:0", "--print-json", "--fast"]);
    let mut line = String::new();
    BufReader::new(program.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let said: Value = serde_json::from_str(&line).unwrap();
    let names: Vec<&str> =
        said["remotes"].as_array().unwrap().iter().map(|remote| remote["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["rack", "attic", "cellar", "field", "oddball"]);
    for remote in said["remotes"].as_array().unwrap() {
        let user = &remote["users"][0];
        for node in remote["nodes"].as_array().unwrap() {
            let address = node["address"].as_str().unwrap().parse().unwrap();
            let tls = Tls::new();
            let mut conversation = tls.connect(address).await.unwrap();
            assert_eq!(node["fingerprint"], tls.fingerprint());
            let token = &user["tokens"][0];
            let header = format!(
                "Authorization: PVEAPIToken={}={}\r\n",
                token["id"].as_str().unwrap(),
                token["secret"].as_str().unwrap()
            );
            let path = "/api2/json/cluster/resources?type=vm";
            let response = conversation.ask("GET", path, &header, "").await;
            assert_eq!(response.status, 200, "{} {}", remote["name"], response.reason);
            let guests = response.data().as_array().unwrap().len();
            assert_eq!(remote["name"] == "rack", guests >= 50, "{} has {guests}", remote["name"]);
        }
    }
    let port = said["control"].as_str().unwrap().strip_prefix("http://").unwrap().parse().unwrap();
    assert_eq!(control(port, "GET", "/remotes", "").await.json().as_array().unwrap().len(), 5);
    let pid = program.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(program.0.wait().unwrap().success());
}

#[test]
fn addresses_and_sign_ins_are_printed_for_people() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("one.toml");
    let text = "[[remotes]]\nname = \"home\"\nversion = \"8.4\"\nnodes = [{ name = \"pve\" }]\n";
    std::fs::write(&file, text).unwrap();
    let mut program = pve_sim(&["--topology", file.to_str().unwrap(), "--seed", "3"]);
    let mut lines = BufReader::new(program.0.stdout.take().unwrap()).lines();
    let said: Vec<String> =
        lines.by_ref().map(Result::unwrap).take_while(|line| !line.contains("Ctrl-C")).collect();
    let said = said.join("\n");
    for words in
        ["home (Proxmox VE 8.4)", "pve  https://127.0.0.1:", "SHA-256 ", "root@pam  password secret-root"]
    {
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn mistakes_are_named() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text, words) in [
        ("no.toml", "", "cannot read"),
        ("broken.toml", "[[remotes]\n", "line 1"),
        ("field.toml", "[[remotes]]\nname = \"a\"\nversion = \"9.2\"\nnodes = []\ncolour = 1\n", "colour"),
        (
            "version.toml",
            "[[remotes]]\nname = \"a\"\nversion = \"5.0\"\nnodes = [{ name = \"n\" }]\n",
            "7.4, 8.4, 9.2",
        ),
        ("nodes.toml", "[[remotes]]\nname = \"a\"\nversion = \"9.2\"\nnodes = []\n", "at least one node"),
    ] {
        let file = folder.path().join(name);
        if !text.is_empty() {
            std::fs::write(&file, text).unwrap();
        }
        let mut program = pve_sim(&["--topology", file.to_str().unwrap()]);
        assert_eq!(program.0.wait().unwrap().code(), Some(1), "{name}");
        let mut said = String::new();
        program.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(said.starts_with("pve-sim: ") && said.contains(words), "{name}: {said}");
    }
    let mut program = pve_sim(&[]);
    assert_eq!(program.0.wait().unwrap().code(), Some(2));
    let help = Command::new(env!("CARGO_BIN_EXE_pve-sim")).arg("--help").output().unwrap();
    assert!(String::from_utf8(help.stdout).unwrap().contains("Examples:"));
}

#[tokio::test]
async fn kept_certificates_outlast_the_program() {
    let directory = tempfile::tempdir().unwrap();
    let prints = async |topology: Topology| {
        let sim = Sim::start_in(directory.path(), topology, SimTimings::fast()).await.unwrap();
        let remote = sim.first().unwrap();
        let prints: Vec<String> =
            remote.nodes().iter().map(|node| remote.leaf_fingerprint(node).unwrap()).collect();
        let tls = Tls::trusting(&remote);
        let mut conversation = tls.connect(remote.address("pve2").unwrap()).await.unwrap();
        assert_eq!(conversation.get("/api2/json/access/domains").await.status, 200);
        let ca = remote.ca_pem();
        sim.stop().await;
        (ca, prints)
    };
    let first = prints(Topology::cluster(2, "9.2")).await;
    assert_eq!(prints(Topology::cluster(2, "9.2")).await, first);
    let mut moved = Topology::cluster(2, "9.2");
    moved.remotes[0].nodes[1].ip = Some("192.0.2.7".parse().unwrap());
    let second = prints(moved).await;
    assert_eq!((&second.0, &second.1[0]), (&first.0, &first.1[0]));
    assert_ne!(second.1[1], first.1[1], "another address, another certificate");

    let key = directory.path().join("cluster/nodes/pve1/pve-ssl.key");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&key).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let start = || Sim::start_in(directory.path(), Topology::cluster(2, "9.2"), SimTimings::fast());
    std::fs::copy(directory.path().join("cluster/nodes/pve2/pve-ssl.key"), &key).unwrap();
    assert!(start().await.unwrap_err().to_string().contains("is not its key; remove both"));
    std::fs::write(&key, "nonsense").unwrap();
    assert!(start().await.unwrap_err().to_string().contains("pve-ssl.key: "));
    std::fs::remove_file(&key).unwrap();
    assert!(start().await.unwrap_err().to_string().contains("without the other half"));
}
