//! The way of a call: sign-in, catalogue, token, permission, node, parameters, handler. The order is the real
//! server's, and it shows: a bad parameter of a forbidden call is a 403.

use catalogue::{Catalogue, Match, Method};
use serde_json::{Value, json};

use super::Cluster;
use super::acl::Principal;
use super::failure::{Answer, Failure, Out};
use super::node::Health;
use super::verify::{Args, verify};
use crate::seam::{Auth, Call, Delay, Reply, SimTime};

/// What a handler is told.
pub(crate) struct Cx {
    pub(crate) who: Principal,
    pub(crate) args: Args,
    pub(crate) method: Method,
    pub(crate) template: String,
    /// The path as it came.
    pub(crate) path: String,
    /// The node that answers: the one in the path, or the one that was asked.
    pub(crate) node: usize,
    /// The node that was asked.
    pub(crate) local: usize,
    /// The ticket or token as it came: half a sign-in is finished with the ticket of its first half.
    pub(crate) auth: Auth,
}

impl Cluster {
    /// Answers one call. Advances the world to `now` first.
    pub fn handle(&mut self, now: SimTime, call: &Call) -> Reply {
        self.advance(now);
        let reply = match self.answer(call) {
            Ok(out) => out.into_reply(),
            Err(failure) => failure.into_reply(),
        };
        self.edits.apply(&call.path, reply)
    }

    fn answer(&mut self, call: &Call) -> Answer {
        let path = if call.path.is_empty() { "/" } else { call.path.as_str() };
        let release = self.facts.release;
        let open = is_open(call.method, path);
        let half = call.method == Method::Post && path == "/access/tfa";
        let who = if open { None } else { Some(self.authenticate(call, half)?) };
        if let Some(bad) = &call.bad_body {
            return Err(bad.into());
        }
        if path.split('/').all(str::is_empty) && call.method == Method::Get {
            return Ok(root_index());
        }
        let found = Catalogue::builtin()
            .resolve(release, call.method, path)
            .ok_or_else(|| Failure::not_implemented(call.method, path))?;
        let access =
            found.endpoint.access(release).ok_or_else(|| Failure::not_implemented(call.method, path))?;
        if !access.token_allowed && is_token(&call.auth) {
            let words = format!("URI '{path}' not available with API token, need proper ticket.\n");
            return Err(Failure::permission(&words));
        }
        if let Some(who) = &who {
            let value = |name: &str| found.segment(name).map(str::to_owned).or_else(|| sent_text(call, name));
            self.permit(who, &access.permission, &value)?;
        }
        let local = self.node_place(&call.node).unwrap_or(0);
        let node = if access.proxied { self.way_to(local, found.segment("node"))? } else { local };
        if access.protected && self.nodes.get(node).is_some_and(|node| node.health == Health::DaemonDown) {
            return Err(Failure::Bare { status: 595, reason: "Connection refused", delay: None });
        }
        let args = verify(&found, release, &call.params)?;
        let cx = Cx {
            who: who.unwrap_or_else(|| self.principal("")),
            args,
            method: call.method,
            template: found.endpoint.path.clone(),
            path: path.to_owned(),
            node,
            local,
            auth: call.auth.clone(),
        };
        let changes = call.method != Method::Get;
        let answer = self.dispatch(&cx, &found);
        if changes {
            self.touch();
        }
        answer
    }

    /// The place of the node that answers, if it can be reached from the one that was asked.
    fn way_to(&self, local: usize, name: Option<&str>) -> Result<usize, Failure> {
        let Some(name) = name.filter(|name| *name != "localhost") else { return Ok(local) };
        let Some(place) = self.node_place(name) else {
            let text = format!(
                "hostname lookup '{name}' failed - failed to get address info for: {name}: Name or service not known"
            );
            return Err(Failure::server(text));
        };
        if place == local {
            return Ok(local);
        }
        let bare = |status, reason, delay| Err(Failure::Bare { status, reason, delay });
        match self.nodes.get(place).map(|node| node.health) {
            Some(Health::Down) => bare(595, "No route to host", Some(Delay::NoRoute)),
            Some(Health::Hung) => bare(596, "Connection timed out", Some(Delay::ProxyTimeout)),
            Some(Health::ProxyDown) => bare(595, "Connection refused", None),
            _ => Ok(place),
        }
    }

    fn dispatch(&mut self, cx: &Cx, found: &Match<'_>) -> Answer {
        use Method::{Delete, Get, Post, Put};
        match (cx.method, found.endpoint.path.as_str()) {
            (Get, "/version" | "/nodes/{node}/version") => self.version(cx),

            (Get, "/access") => Ok(subdirs(&[
                "users", "groups", "roles", "acl", "domains", "openid", "tfa", "ticket", "password",
            ])),
            (Get, "/access/ticket") => Ok(Value::Null.into()),
            (Post, "/access/ticket") => self.sign_in(cx),
            (Post, "/access/tfa") => self.finish_half(cx),
            (Get, "/access/tfa") => self.tfa_list(cx),
            (Get, "/access/tfa/{userid}") => self.tfa_of(cx),
            (Get, "/access/tfa/{userid}/{id}") => self.tfa_get(cx),
            (Post, "/access/tfa/{userid}") => self.tfa_add(cx),
            (Put, "/access/tfa/{userid}/{id}") => self.tfa_update(cx),
            (Delete, "/access/tfa/{userid}/{id}") => self.tfa_delete(cx),
            (Put, "/access/tfa") => Err(Failure::server("changing second factors this way is not supported")),
            (Get, "/access/domains") => Ok(self.domains()),
            (Post, "/access/domains") => self.domain_create(cx),
            (Put, "/access/password") => self.change_password(cx),
            (Get, "/access/permissions") => self.permissions(cx),
            (Get, "/access/roles") => self.role_list(),
            (Post, "/access/roles") => self.role_create(cx),
            (Get, "/access/roles/{roleid}") => self.role_get(cx),
            (Put, "/access/roles/{roleid}") => self.role_update(cx),
            (Delete, "/access/roles/{roleid}") => self.role_delete(cx),
            (Get, "/access/acl") => self.acl_list(cx),
            (Put, "/access/acl") => self.acl_update(cx),
            (Get, "/access/users") => self.user_list(cx),
            (Post, "/access/users") => self.user_create(cx),
            (Get, "/access/users/{userid}") => self.user_get(cx),
            (Put, "/access/users/{userid}") => self.user_update(cx),
            (Delete, "/access/users/{userid}") => self.user_delete(cx),
            (Get, "/access/users/{userid}/token") => self.token_list(cx),
            (Get, "/access/users/{userid}/token/{tokenid}") => self.token_get(cx),
            (Post, "/access/users/{userid}/token/{tokenid}") => self.token_create(cx),
            (Put, "/access/users/{userid}/token/{tokenid}") => self.token_update(cx),
            (Delete, "/access/users/{userid}/token/{tokenid}") => self.token_delete(cx),

            (Get, "/cluster") => Ok(self.cluster_index()),
            (Get, "/cluster/status") => self.cluster_status(cx),
            (Get, "/cluster/resources") => self.resources(cx),
            (Get, "/cluster/tasks") => self.cluster_tasks(cx),
            (Get, "/cluster/nextid") => self.next_id(cx),
            (Get, "/cluster/options") => self.options_get(cx),
            (Put, "/cluster/options") => self.options_set(cx),
            (Get, "/cluster/ha") => Ok(names(&["status", "resources", "groups", "rules"])),
            (Get, "/cluster/ha/status") => Ok(self.ha_status_index()),
            (Get, "/cluster/ha/status/current") => self.ha_status(cx),
            (Get, "/cluster/ha/status/manager_status") => self.ha_manager_status(cx),
            (Get, "/cluster/ha/resources") => self.ha_list(),
            (Post, "/cluster/ha/resources") => self.ha_create(cx),
            (Get, "/cluster/ha/resources/{sid}") => self.ha_get(cx),
            (Put, "/cluster/ha/resources/{sid}") => self.ha_update(cx),
            (Delete, "/cluster/ha/resources/{sid}") => self.ha_delete(cx),
            (Get | Post, "/cluster/ha/groups") => self.ha_groups(cx),
            (Get | Post, "/cluster/ha/rules") => self.ha_rules(cx),

            (Get, "/nodes") => self.node_list(cx),
            (Get, "/nodes/{node}") => Ok(node_index(self.facts.since(9))),
            (Get, "/nodes/{node}/status") => self.node_status(cx),
            (Post, "/nodes/{node}/status") => self.node_command(cx),
            (Get, "/nodes/{node}/certificates") => Ok(names(&["acme", "info", "custom"])),
            (Get, "/nodes/{node}/certificates/info") => self.certificates(cx),
            (Get, "/nodes/{node}/rrddata") => self.node_rrd(cx),
            (Get, "/nodes/{node}/storage") => self.node_storage(cx),
            (Get, "/nodes/{node}/storage/{storage}/content") => self.storage_content(cx),
            (Get, "/nodes/{node}/storage/{storage}/rrddata") => self.storage_rrd(cx),
            (Get, "/nodes/{node}/storage/{storage}/status") => self.storage_status(cx),
            (Get, "/nodes/{node}/tasks") => self.task_list(cx),
            (Get, "/nodes/{node}/tasks/{upid}") => Ok(names(&["log", "status"])),
            (Delete, "/nodes/{node}/tasks/{upid}") => self.task_stop(cx),
            (Get, "/nodes/{node}/tasks/{upid}/log") => self.task_log(cx),
            (Get, "/nodes/{node}/tasks/{upid}/status") => self.task_status(cx),
            (_, path) if path.starts_with("/nodes/{node}/lxc") || path.starts_with("/nodes/{node}/qemu") => {
                self.guest_call(cx)
            }
            _ => Err(Failure::not_implemented(cx.method, &cx.path)),
        }
    }
}

/// Calls that need no sign-in.
fn is_open(method: Method, path: &str) -> bool {
    match path {
        "/access/domains" => method == Method::Get,
        "/access/ticket" => matches!(method, Method::Get | Method::Post),
        _ => false,
    }
}

fn is_token(auth: &Auth) -> bool {
    matches!(auth, Auth::Token { header } if header.starts_with("PVEAPIToken="))
}

/// A parameter as it was sent, before any check: permissions are looked at first.
fn sent_text(call: &Call, name: &str) -> Option<String> {
    match call.params.get(name)? {
        crate::seam::ParamValue::Form(text) => Some(text.clone()),
        crate::seam::ParamValue::Json(Value::String(text)) => Some(text.clone()),
        crate::seam::ParamValue::Json(value) => Some(value.to_string()),
        crate::seam::ParamValue::Bare => None,
    }
}

fn rows(key: &str, words: &[&str]) -> Out {
    Value::Array(words.iter().map(|word| json!({ key: word })).collect()).into()
}

/// An index whose rows have `subdir`.
pub(crate) fn subdirs(words: &[&str]) -> Out {
    rows("subdir", words)
}

/// An index whose rows have `name`.
pub(crate) fn names(words: &[&str]) -> Out {
    rows("name", words)
}

fn root_index() -> Out {
    subdirs(&["version", "cluster", "nodes", "storage", "access", "pools"])
}

fn node_index(nine: bool) -> Out {
    let mut words = vec![
        "aplinfo",
        "apt",
        "capabilities",
        "ceph",
        "certificates",
        "config",
        "disks",
        "dns",
        "firewall",
        "hardware",
        "hosts",
        "journal",
        "lxc",
        "migrateall",
        "netstat",
        "network",
        "qemu",
        "query-url-metadata",
        "replication",
        "report",
        "rrd",
        "rrddata",
        "scan",
        "sdn",
        "services",
        "spiceshell",
        "startall",
        "status",
        "stopall",
        "storage",
        "subscription",
        "syslog",
        "tasks",
        "termproxy",
        "time",
        "version",
        "vncshell",
        "vzdump",
        "wakeonlan",
    ];
    if nine {
        words.extend(["query-oci-repo-tags", "suspendall"]);
        words.sort_unstable();
    }
    names(&words)
}
