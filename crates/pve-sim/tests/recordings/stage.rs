//! Sets the stage for a recorded exchange, and sends the request again.
//!
//! Tickets, second factors and task ids are the recorder's own: they are replaced by those of the stage, unless
//! the row says `keep-ticket` or `keep-csrf`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use pve_sim::seam::{Auth, Body, Call, Data, Format, Method, ParamValue, WorldTimings};
use pve_sim::topology::{
    AclSpec, GuestKind, GuestSpec, NodeSpec, RemoteSpec, StorageSpec, TokenSpec, UserSpec,
};
use pve_sim::world::spec::{GuestInput, Kind};
use pve_sim::world::{Health, Run};
use pve_sim::{Remote, Sim, SimTimings, Topology};
use serde_json::Value;

use super::corpus::Exchange;
use super::support::{Response, Tls, encode};

/// Dave's second factor.
const TOTP_SECRET: &str = "JBSWY3DPEHPK3PXP";

const ROOT_PASSWORD: &str = "secret-root";

fn timings() -> SimTimings {
    SimTimings {
        world: WorldTimings { statd_interval: 10, node_forgotten_after: 400, ..WorldTimings::default() },
        ..SimTimings::fast()
    }
}

fn token(name: &str, privsep: bool, expire: u64) -> TokenSpec {
    let secret = format!("secret-{name}");
    TokenSpec { name: name.to_owned(), secret, privsep, expire, ..TokenSpec::default() }
}

/// The users of the recorder. Their passwords and token secrets are our own, except where the exchange sends
/// one: that is the right one then, unless the row says `wrong`.
fn users(parts: &[&str], recorded: &Exchange) -> Vec<UserSpec> {
    let sent = if parts.contains(&"wrong") { None } else { password_sent(recorded) };
    let user = |id: &str| {
        let name = id.split('@').next().unwrap();
        let own = if id == "eve@pve" { String::new() } else { format!("secret-{name}") };
        let sent = sent.as_ref().filter(|(user, _)| user == id).map(|(_, password)| password.clone());
        UserSpec { userid: id.to_owned(), password: sent.unwrap_or(own), ..UserSpec::default() }
    };
    let mut root = user("root@pam");
    root.tokens = vec![token("admin", false, 0)];
    let mut alice = user("alice@pve");
    alice.groups = vec!["devs".to_owned()];
    alice.acl = vec![
        AclSpec { path: "/storage/local".to_owned(), role: "PVEDatastoreUser".to_owned(), propagate: false },
        AclSpec { path: "/vms/100".to_owned(), role: "MyRole".to_owned(), propagate: true },
    ];
    if parts.contains(&"without-role") {
        alice.acl.retain(|line| line.role != "MyRole");
    }
    alice.tokens = vec![
        token("full", false, 0),
        token("full2", false, 0),
        token("old", false, 1_000_000_000),
        token("old2", false, 1_000_000_000),
        token("tok1", true, 0),
        token("tok2", true, 0),
    ];
    if parts.contains(&"without-old") {
        alice.tokens.retain(|token| token.name != "old");
    }
    if parts.contains(&"without-tokens") {
        alice.tokens.clear();
    }
    let mut bob = user("bob@pve");
    bob.disabled = true;
    bob.tokens = vec![token("tb", false, 0)];
    let mut carol = user("carol@pve");
    carol.expire = 1_000_000_000;
    let mut dave = user("dave@pve");
    if !parts.contains(&"plain-dave") {
        dave.totp_secret = Some(TOTP_SECRET.to_owned());
        dave.recovery = vec!["1111-2222-3333-4444".to_owned(), "5555-6666-7777-8888".to_owned()];
    }
    let mut all = vec![root, alice, bob, carol, dave, user("eve@pve")];
    if parts.contains(&"without-users") {
        all.truncate(1);
    } else if !parts.contains(&"without-zed") {
        all.push(user("zed@xyz"));
    }
    if let Some((id, secret)) = secret_sent(recorded).filter(|_| !parts.contains(&"wrong")) {
        let tokens = all.iter_mut().flat_map(|user| {
            let owner = user.userid.clone();
            user.tokens.iter_mut().map(move |token| (format!("{owner}!{}", token.name), token))
        });
        for (_, token) in tokens.filter(|(known, _)| *known == id) {
            token.secret.clone_from(&secret);
        }
    }
    all
}

fn param(body: &str, name: &str) -> Option<String> {
    if let Ok(json) = serde_json::from_str::<Value>(body) {
        return json[name].as_str().map(str::to_owned);
    }
    let value = body.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('='))?;
    Some(percent_encoding::percent_decode_str(&value.replace('+', " ")).decode_utf8_lossy().into_owned())
}

/// The user whose password an exchange sends, and the password.
fn password_sent(recorded: &Exchange) -> Option<(String, String)> {
    let password = param(&recorded.body, "password")?;
    let user = match recorded.path() {
        "/access/ticket" => match (param(&recorded.body, "username")?, param(&recorded.body, "realm")) {
            (name, Some(realm)) => format!("{name}@{realm}"),
            (name, None) => name,
        },
        path => path.strip_prefix("/access/tfa/")?.to_owned(),
    };
    let answers = param(&recorded.body, "tfa-challenge").is_some() || password.starts_with("PVE:");
    (!answers && !password.is_empty() && user != "eve@pve").then_some((user, password))
}

/// The token whose secret an exchange sends, and the secret.
fn secret_sent(recorded: &Exchange) -> Option<(String, String)> {
    let header = recorded.headers.iter().find(|(name, _)| name == "Authorization")?;
    let (id, secret) = header.1.strip_prefix("PVEAPIToken=")?.split_once('=')?;
    Some((id.to_owned(), secret.to_owned()))
}

fn guest(vmid: u32, kind: GuestKind, name: &str, node: &str, config: &[(&str, &str)]) -> GuestSpec {
    GuestSpec {
        vmid,
        kind,
        name: name.to_owned(),
        node: node.to_owned(),
        config: config.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        ..GuestSpec::default()
    }
}

fn guests(parts: &[&str]) -> Vec<GuestSpec> {
    use GuestKind::{Ct, Vm};
    let mut web = guest(
        101,
        Ct,
        "web1",
        "pve1",
        &[("lock", "backup"), ("protection", "1"), ("description", "web container"), ("onboot", "1")],
    );
    web.tags = vec!["prod".to_owned(), "web".to_owned()];
    let mut one = guest(100, Vm, "vm-one", "pve1", &[("agent", "1"), ("onboot", "1")]);
    one.tags = vec!["x".to_owned()];
    let win = [("balloon", "512"), ("serial0", "socket"), ("memory", "4096"), ("vga", "qxl,memory=32")];
    let runner = [("serial0", "socket"), ("vga", "serial0"), ("agent", "1")];
    let mut all = vec![
        one,
        web,
        guest(103, Ct, "web1", "pve1", &[("tags", "prod;web")]),
        guest(110, Vm, "win", "pve1", &win),
        GuestSpec { running: true, ..guest(120, Vm, "runner", "pve1", &runner) },
        GuestSpec { running: true, ..guest(133, Ct, "box1", "pve1", &[]) },
        GuestSpec { template: true, tags: vec!["x".to_owned()], ..guest(140, Vm, "cl", "pve1", &[]) },
    ];
    if parts.contains(&"ct-130") {
        all.push(guest(130, Ct, "tmpl", "pve1", &[]));
    }
    if parts.contains(&"ct-150") {
        all.push(guest(150, Ct, "box1", "pve1", &[]));
    }
    if parts.contains(&"three") {
        all.push(guest(200, Vm, "db1", "pve2", &[("tags", "db;prod")]));
        all.push(guest(201, Ct, "cache1", "pve2", &[]));
        all.push(GuestSpec { template: true, ..guest(300, Vm, "tmpl", "pve3", &[]) });
        all.push(guest(301, Ct, "onoffline", "pve3", &[("lock", "migrate")]));
        for guest in all.iter_mut().take(2) {
            guest.pool = Some("dev".to_owned());
        }
    }
    all.retain(|guest| !(parts.contains(&"without-120") && guest.vmid == 120));
    if parts.contains(&"empty") {
        all.clear();
    }
    all
}

fn topology(parts: &[&str], recorded: &Exchange) -> Topology {
    let three = parts.contains(&"three");
    let nodes = if three { 3 } else { 1 };
    let mut roles = BTreeMap::new();
    if !parts.contains(&"without-role") {
        roles.insert("MyRole".to_owned(), vec!["VM.Audit".to_owned(), "VM.PowerMgmt".to_owned()]);
    }
    let storage = |name: &str| StorageSpec {
        name: name.to_owned(),
        kind: "dir".to_owned(),
        content: "images,backup,iso,rootdir,vztmpl".to_owned(),
        shared: false,
        total: 270_553_174_016,
        used: 15_654_805_504,
    };
    Topology {
        seed: 5,
        remotes: vec![RemoteSpec {
            name: "recorded".to_owned(),
            version: "9.2".to_owned(),
            cluster: three.then(|| "refclu".to_owned()),
            nodes: (1..=nodes).map(|n| NodeSpec { name: format!("pve{n}"), ..NodeSpec::default() }).collect(),
            users: users(parts, recorded),
            roles,
            guests: guests(parts),
            storages: vec![storage("data")],
            ..RemoteSpec::default()
        }],
    }
}

/// A call straight to the world, past the door.
fn ask(remote: &Remote, auth: Auth, method: Method, path: &str, params: &[(&str, &str)]) -> Value {
    let params = params.iter().map(|(k, v)| ((*k).to_owned(), ParamValue::Form((*v).to_owned())));
    let call = Call {
        node: "pve1".to_owned(),
        method,
        path: path.to_owned(),
        params: params.collect(),
        auth,
        format: Format::Json,
        peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
        bad_body: None,
    };
    let reply = remote.with_world(|world, now| world.handle(now, &call));
    assert_eq!(reply.status, 200, "{path}: {}", reply.reason);
    let Body::Envelope(envelope) = reply.body else { panic!("{path}: no envelope") };
    match envelope.data {
        Data::Value(value) => value,
        Data::Raw(text) => serde_json::from_str(&text).unwrap(),
    }
}

fn sign_in(remote: &Remote, params: &[(&str, &str)]) -> (String, String) {
    let data = ask(remote, Auth::None, Method::Post, "/access/ticket", params);
    let text = |key: &str| data[key].as_str().unwrap_or_else(|| panic!("no {key}: {data}")).to_owned();
    (text("ticket"), text("CSRFPreventionToken"))
}

/// A ticket and a CSRF token for a user. Root's ticket is everybody's password: so nobody's second factor
/// stands in the way.
fn session(remote: &Remote, user: &str) -> (String, String) {
    remote.with_world(|world, _| world.set_user("root@pam", Some(ROOT_PASSWORD), true));
    let (root, csrf) = sign_in(remote, &[("username", "root@pam"), ("password", ROOT_PASSWORD)]);
    if user == "root@pam" {
        (root, csrf)
    } else {
        sign_in(remote, &[("username", user), ("password", &root)])
    }
}

/// Something that root did before.
fn act(remote: &Remote, method: Method, path: &str, params: &[(&str, &str)]) -> Value {
    let (ticket, csrf) = session(remote, "root@pam");
    ask(remote, Auth::Ticket { ticket, csrf: Some(csrf) }, method, path, params)
}

fn vmid_of(recorded: &Exchange) -> u32 {
    recorded.path().split('/').nth(4).and_then(|vmid| vmid.parse().ok()).unwrap_or(0)
}

/// Gives the guest of the path the configuration that was recorded.
fn take_over_config(remote: &Remote, recorded: &Exchange) {
    let vmid = vmid_of(recorded);
    let body: Value = serde_json::from_str(&recorded.answer).unwrap();
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut waiting: Vec<(String, String)> = Vec::new();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if let Some(rows) = body["data"].as_array() {
        for row in rows {
            pairs.push((text(&row["key"]), text(&row["value"])));
            if let Some(pending) = row.get("pending") {
                waiting.push((text(&row["key"]), text(pending)));
            }
        }
    }
    for (key, value) in body["data"].as_object().into_iter().flatten() {
        match value {
            Value::Array(raw) => {
                pairs.extend(raw.iter().map(|pair| (text(&pair[0]), text(&pair[1]))));
            }
            _ => pairs.push((key.clone(), text(value))),
        }
    }
    pairs.retain(|(key, _)| !matches!(key.as_str(), "digest" | "snaptime"));
    let snapshot = recorded.target.split_once("snapshot=").map(|(_, name)| name.to_owned());
    remote.with_world(|world, _| {
        world.guest_mut(vmid).unwrap().replace_config(pairs);
        if let Some(name) = snapshot {
            world.add_snapshot(vmid, &name, "snap description", 1_700_000_000);
        }
    });
    let path = format!("/nodes/pve1/qemu/{vmid}/config");
    for (key, value) in waiting {
        act(remote, Method::Put, &path, &[(&key, &value)]);
    }
}

/// The task that the path asks for, in the state in which it was recorded.
fn put_task(remote: &Remote, recorded: &Exchange, state: &str) -> (String, String) {
    let asked = recorded.path().split('/').nth(4).unwrap().to_owned();
    let upid = percent_encoding::percent_decode_str(&asked).decode_utf8_lossy().into_owned();
    let parts: Vec<&str> = upid.split(':').collect();
    let (kind, id, user) = (parts[5], parts[6], parts[7]);
    let made = if state == "running" {
        remote.with_world(|world, _| world.hang_next_task("vzstop"));
        let upid = act(remote, Method::Post, "/nodes/pve1/lxc/133/status/stop", &[]);
        upid.as_str().unwrap().to_owned()
    } else {
        remote.with_world(|world, _| world.add_finished_task("pve1", kind, id, user, 60, state)).unwrap()
    };
    (asked, made)
}

async fn prepare(remote: &Remote, recorded: &Exchange, parts: &[&str]) {
    remote.with_world(|world, _| {
        world.add_group("devs");
        world.grant("/", "@devs", "PVEAuditor");
        world.set_ha_manager(false);
        if parts.contains(&"three") {
            world.add_pool("dev");
            world.add_pool("dev/sub");
            let _ = world.add_snapshot(100, "good", "d1", 1_795_303_782);
        }
        let _ = world.add_snapshot(110, "s1", "", 1_700_000_000);
        let _ = world.add_snapshot(110, "s2", "second snapshot", 1_700_000_500);
        let _ = world.add_snapshot(101, "snap1", "snap description", 1_700_000_000);
    });
    if !parts.contains(&"without-users") {
        let about = [("comment", "fromquery"), ("email", "alice@example.test"), ("firstname", "Alice")];
        act(remote, Method::Put, "/access/users/alice@pve", &about);
        act(remote, Method::Put, "/access/users/dave@pve", &[("email", "")]);
        if !parts.contains(&"without-tokens") {
            act(remote, Method::Put, "/access/users/alice@pve/token/tok1", &[("comment", "upd")]);
        }
    }
    for part in parts {
        let health =
            |node: &str, health: Health| remote.with_world(|world, _| world.set_health(node, health));
        match *part {
            "no-quorum" => remote.with_world(|world, _| world.set_quorum(false)),
            "pve3-down" => health("pve3", Health::Down),
            "pve3-gone" => {
                health("pve3", Health::Down);
                tokio::time::sleep(Duration::from_millis(450)).await;
            }
            "pve3-silent" => remote.with_world(|world, _| world.set_statd("pve3", false)),
            "pve2-refused" => health("pve2", Health::ProxyDown),
            "pve2-hung" => health("pve2", Health::Hung),
            "daemon-down" => health("pve1", Health::DaemonDown),
            "ha-100" => {
                let about = [("sid", "vm:100"), ("state", "stopped"), ("max_restart", "2")];
                act(remote, Method::Post, "/cluster/ha/resources", &about);
            }
            "paused-120" => remote.with_world(|world, now| {
                world.guest_mut(120).unwrap().set_run(Run::Paused, now);
            }),
            "stopped-133" => remote.with_world(|world, now| {
                world.guest_mut(133).unwrap().set_run(Run::Stopped, now);
            }),
            "some-ended" => remote.with_world(|world, _| {
                for exit in ["OK", "disk 'scsi9' does not exist", "shrinking disks is not supported", "OK"] {
                    let _ = world.add_finished_task("pve1", "resize", "100", "root@pam!admin", 60, exit);
                }
            }),
            "one-runs" => {
                remote.with_world(|world, _| world.hang_next_task("vzstop"));
                act(remote, Method::Post, "/nodes/pve1/lxc/133/status/stop", &[]);
            }
            "fresh" => remote.with_world(|world, _| {
                // Made since the last report of the status daemon.
                world.set_statd("pve1", false);
                for (vmid, kind) in [(901, Kind::Ct), (902, Kind::Vm)] {
                    let node = "pve1".to_owned();
                    world.add_guest(&GuestInput { vmid, kind, node, ..GuestInput::default() }).unwrap();
                }
            }),
            "console" => {
                act(remote, Method::Put, "/cluster/options", &[("console", "html5")]);
            }
            "realm-ld" => {
                let about = [
                    ("realm", "ld"),
                    ("type", "ldap"),
                    ("default", "1"),
                    ("base_dn", "dc=example,dc=test"),
                    ("user_attr", "uid"),
                    ("server1", "10.99.0.9"),
                ];
                act(remote, Method::Post, "/access/domains", &about);
            }
            "config" => take_over_config(remote, recorded),
            _ => {}
        }
    }
}

fn totp(remote: &Remote) -> String {
    let secret = totp_rs::Secret::Encoded(TOTP_SECRET.to_owned()).to_bytes().unwrap();
    totp_rs::TOTP::new_unchecked(totp_rs::Algorithm::SHA1, 6, 0, 30, secret).generate(remote.now().seconds())
}

/// Replaces what stands for a parameter in a form.
fn replace_param(body: &str, name: &str, value: &str) -> String {
    let parts = body.split('&').map(|part| match part.split_once('=') {
        Some((key, _)) if key == name => format!("{key}={}", encode(value)),
        _ => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("&")
}

/// The second half of a sign-in needs the first.
fn answer_challenge(remote: &Remote, body: &str, parts: &[&str]) -> String {
    let (challenge, _) = sign_in(remote, &[("username", "dave@pve"), ("password", "secret-dave")]);
    let mut body = replace_param(body, "tfa-challenge", &challenge);
    if parts.contains(&"totp") {
        let code = format!("totp:{}", totp(remote));
        if parts.contains(&"used") {
            let answer = [("username", "dave@pve"), ("password", &code), ("tfa-challenge", &challenge)];
            sign_in(remote, &answer);
        }
        body = replace_param(&body, "password", &code);
    }
    body
}

/// Sets the stage, sends the request, takes the answer.
pub async fn play(recorded: &Exchange, parts: &[&str]) -> Response {
    let sim = Sim::start(topology(parts, recorded), timings()).await.unwrap();
    let remote = sim.first().unwrap();
    prepare(&remote, recorded, parts).await;
    let mut target = recorded.target.clone();
    if let Some(state) = parts.iter().find_map(|part| part.strip_prefix("task=")) {
        let (asked, made) = put_task(&remote, recorded, state);
        // As the recorder spelled it: encoded or not.
        let spelled = if asked.contains('%') { encode(&made) } else { made };
        target = target.replace(&asked, &spelled);
    }
    let mut body = recorded.body.clone();
    if parts.contains(&"challenge") {
        body = answer_challenge(&remote, &body, parts);
    }
    if let Some(user) = body.split_once("password=PVE%3A").and_then(|(_, rest)| rest.split("%3A").next()) {
        let user = percent_encoding::percent_decode_str(user).decode_utf8_lossy().into_owned();
        body = replace_param(&body, "password", &session(&remote, &user).0);
    }
    if body.contains("type=totp") {
        body = replace_param(&body, "value", &totp(&remote));
    }
    let mut request = format!("{} {target} {}\r\n", recorded.method, recorded.protocol);
    for (name, value) in &recorded.headers {
        let value = match name.as_str() {
            "Cookie" if !parts.contains(&"keep-ticket") => with_fresh_ticket(&remote, value),
            "CSRFPreventionToken" if !parts.contains(&"keep-csrf") => {
                let cookie = recorded.headers.iter().find(|(name, _)| name == "Cookie");
                cookie
                    .and_then(|(_, cookie)| ticket_user(cookie))
                    .map_or_else(|| value.clone(), |user| session(&remote, &user).1)
            }
            "Content-Length" if value != "0" => body.len().to_string(),
            _ => value.clone(),
        };
        request += &format!("{name}: {value}\r\n");
    }
    request += "\r\n";
    request += &body;
    if let Some((_, password)) = password_sent(recorded).filter(|(user, _)| user == "root@pam")
        && !parts.contains(&"wrong")
    {
        // The stage was set with root's own password.
        remote.with_world(|world, _| world.set_user("root@pam", Some(&password), true));
    }
    let mut conversation = Tls::new().connect(remote.first_address()).await.unwrap();
    conversation.send(&request).await;
    let answer = conversation.response().await;
    sim.stop().await;
    answer
}

/// The user of the last ticket in a cookie header.
fn ticket_user(cookie: &str) -> Option<String> {
    let decoded = percent_encoding::percent_decode_str(cookie).decode_utf8_lossy().into_owned();
    let ticket =
        decoded.rsplit("PVEAuthCookie=PVE:").next().filter(|_| decoded.contains("PVEAuthCookie=PVE:"))?;
    let user = ticket.split(':').next()?;
    user.contains('@').then(|| user.to_owned())
}

fn with_fresh_ticket(remote: &Remote, cookie: &str) -> String {
    let Some(user) = ticket_user(cookie) else { return cookie.to_owned() };
    let (ticket, _) = session(remote, &user);
    let encoded = cookie.contains("PVE%3A");
    let parts = cookie.split("; ").map(|part| match part.strip_prefix("PVEAuthCookie=") {
        Some(old) if old.starts_with("PVE") => {
            format!("PVEAuthCookie={}", if encoded { encode(&ticket) } else { ticket.clone() })
        }
        _ => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("; ")
}
