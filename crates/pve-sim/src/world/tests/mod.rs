//! Stories, told through calls as the door would bring them.

mod access;
mod charts;
mod config;
mod guests;
mod ha;
mod nodes;
mod resources;
mod robust;
mod sign_in;
mod tasks;

use std::net::{IpAddr, Ipv4Addr};

use serde_json::Value;

use super::spec::{AclInput, ClusterSpec, GuestInput, Kind, NodeInput, TokenInput, UserInput};
use super::{Cluster, Run};
use crate::seam::{Auth, Body, Call, Data, Format, Method, ParamValue, Params, Reply, SimTime, WorldTimings};

const START: SimTime = SimTime(1_795_302_529_000);

/// A cluster, a clock, and root at the keyboard.
struct World {
    cluster: Cluster,
    now: SimTime,
    auth: Auth,
    node: String,
}

/// What a call gave.
#[derive(Debug)]
struct Got {
    status: u16,
    reason: String,
    data: Value,
    errors: Vec<String>,
    message: Option<String>,
    total: Option<u64>,
    bare: bool,
}

fn user(userid: &str, password: &str) -> UserInput {
    UserInput { userid: userid.to_owned(), password: password.to_owned(), ..UserInput::default() }
}

fn acl(path: &str, subject: &str, role: &str) -> AclInput {
    AclInput { path: path.to_owned(), subject: subject.to_owned(), role: role.to_owned(), propagate: true }
}

fn guest(vmid: u32, kind: Kind, node: &str, running: bool) -> GuestInput {
    let name = format!("{}{vmid}", kind.word());
    GuestInput { vmid, kind, name, node: node.to_owned(), running, ..GuestInput::default() }
}

fn spec(version: &str, nodes: u8) -> ClusterSpec {
    let mut alice = user("alice@pve", "secret-alice");
    alice.tokens = vec![
        TokenInput { name: "full".to_owned(), secret: "s-full".to_owned(), privsep: false, expire: 0 },
        TokenInput { name: "own".to_owned(), secret: "s-own".to_owned(), privsep: true, expire: 0 },
        TokenInput {
            name: "old".to_owned(),
            secret: "s-old".to_owned(),
            privsep: false,
            expire: 1_000_000_000,
        },
    ];
    let mut dave = user("dave@pve", "secret-dave");
    dave.totp_secret = Some("JBSWY3DPEHPK3PXP".to_owned());
    let mut bob = user("bob@pve", "secret-bob");
    bob.disabled = true;
    let mut root = user("root@pam", "secret-root");
    root.tokens = vec![TokenInput {
        name: "admin".to_owned(),
        secret: "s-admin".to_owned(),
        privsep: false,
        expire: 0,
    }];
    ClusterSpec {
        cluster_name: (nodes > 1).then(|| "refclu".to_owned()),
        version: version.to_owned(),
        seed: 7,
        nodes: (1..=nodes)
            .map(|n| NodeInput { name: format!("pve{n}"), ip: IpAddr::V4(Ipv4Addr::new(10, 99, 0, n)) })
            .collect(),
        users: vec![root, alice, bob, dave],
        acl: vec![acl("/", "alice@pve", "PVEAuditor")],
        guests: vec![
            guest(100, Kind::Vm, "pve1", true),
            guest(101, Kind::Ct, "pve1", true),
            guest(102, Kind::Ct, "pve1", false),
            guest(103, Kind::Vm, "pve1", false),
        ],
        ..ClusterSpec::default()
    }
}

impl World {
    fn new(version: &str) -> Self {
        Self::of(&spec(version, 1))
    }

    fn cluster(version: &str) -> Self {
        let mut spec = spec(version, 3);
        spec.guests.push(guest(201, Kind::Ct, "pve2", true));
        spec.guests.push(guest(301, Kind::Ct, "pve3", true));
        Self::of(&spec)
    }

    fn of(spec: &ClusterSpec) -> Self {
        let cluster = Cluster::new(spec, WorldTimings::default(), START).unwrap();
        let mut world = Self { cluster, now: START, auth: Auth::None, node: "pve1".to_owned() };
        world.sign_in("root@pam", "secret-root");
        world
    }

    fn sign_in(&mut self, user: &str, password: &str) {
        self.auth = Auth::None;
        let got = self.post("/access/ticket", &[("username", user), ("password", password)]);
        assert_eq!(got.status, 200, "{got:?}");
        self.auth = Auth::Ticket {
            ticket: got.data["ticket"].as_str().unwrap().to_owned(),
            csrf: Some(got.data["CSRFPreventionToken"].as_str().unwrap().to_owned()),
        };
    }

    fn token(&mut self, header: &str) {
        self.auth = Auth::Token { header: format!("PVEAPIToken={header}") };
    }

    fn pass(&mut self, millis: u64) {
        self.now = self.now.plus(millis);
        self.cluster.advance(self.now);
    }

    fn call(&mut self, method: Method, path: &str, params: Params) -> Got {
        let call = Call {
            node: self.node.clone(),
            method,
            path: path.to_owned(),
            params,
            auth: self.auth.clone(),
            format: Format::Json,
            peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
            bad_body: None,
        };
        Got::from(self.cluster.handle(self.now, &call))
    }

    fn send(&mut self, method: Method, path: &str, params: &[(&str, &str)]) -> Got {
        let params = params.iter().map(|(k, v)| ((*k).to_owned(), ParamValue::Form((*v).to_owned())));
        self.call(method, path, params.collect())
    }

    fn get(&mut self, path: &str) -> Got {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let params: Vec<(&str, &str)> = query.split('&').filter_map(|part| part.split_once('=')).collect();
        self.send(Method::Get, path, &params)
    }

    fn post(&mut self, path: &str, params: &[(&str, &str)]) -> Got {
        self.send(Method::Post, path, params)
    }

    fn put(&mut self, path: &str, params: &[(&str, &str)]) -> Got {
        self.send(Method::Put, path, params)
    }

    fn delete(&mut self, path: &str) -> Got {
        self.send(Method::Delete, path, &[])
    }

    /// Waits for the task of an answer; its exit status.
    fn finish(&mut self, got: &Got) -> String {
        assert_eq!(got.status, 200, "{got:?}");
        let upid = got.data.as_str().unwrap().to_owned();
        let node = upid.split(':').nth(1).unwrap().to_owned();
        for _ in 0..100 {
            self.pass(500);
            let status = self.get(&format!("/nodes/{node}/tasks/{upid}/status"));
            assert_eq!(status.status, 200, "{status:?}");
            if status.data["status"] == "stopped" {
                return status.data["exitstatus"].as_str().unwrap().to_owned();
            }
        }
        panic!("{upid} never ends");
    }

    fn row(&mut self, id: &str) -> Option<Value> {
        let rows = self.get("/cluster/resources").data;
        rows.as_array().unwrap().iter().find(|row| row["id"] == id).cloned()
    }
}

impl From<Reply> for Got {
    fn from(reply: Reply) -> Self {
        let (status, reason) = (reply.status, reply.reason);
        match reply.body {
            Body::Envelope(envelope) => Self {
                status,
                reason,
                data: match envelope.data {
                    Data::Value(value) => value,
                    Data::Raw(text) => serde_json::from_str(&text).unwrap(),
                },
                errors: envelope.errors.iter().flat_map(|e| e.keys().cloned()).collect(),
                message: envelope.message,
                total: envelope.total,
                bare: false,
            },
            Body::None | Body::Plain(_) => Self {
                status,
                reason,
                data: Value::Null,
                errors: Vec::new(),
                message: None,
                total: None,
                bare: true,
            },
        }
    }
}

fn running(world: &World, vmid: u32) -> bool {
    world.cluster.guest(vmid).is_some_and(|guest| guest.run() == Run::Running)
}

#[test]
fn a_description_that_contradicts_itself_is_refused() {
    let build = |change: &dyn Fn(&mut ClusterSpec)| {
        let mut spec = spec("9.2", 1);
        change(&mut spec);
        Cluster::new(&spec, WorldTimings::default(), START).err().map(|error| error.0)
    };
    assert_eq!(build(&|_| ()), None);
    assert!(build(&|spec| spec.nodes.clear()).is_some());
    assert!(build(&|spec| spec.version = "6.4".to_owned()).is_some());
    assert!(build(&|spec| spec.version = "nine".to_owned()).is_some());
    assert!(build(&|spec| spec.guests.push(guest(101, Kind::Vm, "pve1", false))).is_some());
    assert!(build(&|spec| spec.guests.push(guest(900, Kind::Vm, "pve9", false))).is_some());
}

#[test]
fn every_endpoint_of_the_catalogue_has_a_handler() {
    for version in ["7.4", "8.4", "9.2"] {
        let release = version.parse().unwrap();
        for endpoint in catalogue::Catalogue::builtin().endpoints() {
            if !endpoint.exists_in(release) {
                continue;
            }
            // Each call meets a fresh world: some of them are not kind to the next.
            let mut world = World::new(version);
            let path = endpoint
                .path
                .replace("{node}", "pve1")
                .replace("{vmid}", if endpoint.path.contains("/lxc") { "101" } else { "100" })
                .replace("{userid}", "alice@pve")
                .replace("{tokenid}", "own")
                .replace("{roleid}", "PVEAdmin")
                .replace("{sid}", "ct:101")
                .replace("{upid}", "UPID:pve1:00000001:00000001:6B022000:qmstart:100:root@pam:")
                .replace("{id}", "x");
            let needed: Vec<(String, ParamValue)> = endpoint
                .params_in(release)
                .filter(|param| param.required && !endpoint.path.contains(&format!("{{{}}}", param.name)))
                .map(|param| (param.name.clone(), ParamValue::Form(example(param))))
                .collect();
            let got = world.call(endpoint.method, &path, needed.into_iter().collect());
            assert_ne!(got.status, 501, "{version} {} {path}: {}", endpoint.method, got.reason);
        }
    }
}

fn example(param: &catalogue::Param) -> String {
    if let Some(value) = param.values.first() {
        return value.clone();
    }
    match (param.name.as_str(), param.format.as_deref()) {
        (_, Some("pve-vmid")) => "500".to_owned(),
        (_, Some("pve-node")) => "pve1".to_owned(),
        (_, Some("pve-userid")) => "zed@pve".to_owned(),
        ("sid", _) => "ct:102".to_owned(),
        ("path", _) => "/".to_owned(),
        ("nodes", _) => "pve1".to_owned(),
        _ => "abc".to_owned(),
    }
}
