//! The steps behind the sign-in: version, privileges, and each call that Muster lives on.

use std::future::Future;

use pve::call::guest::{Consolidation, Timeframe};
use pve::call::task::TaskQuery;
use pve::decode::Rows;
use pve::drift::Drift;
use pve::reply::{ClusterStatus, GuestRow, NodeListRow, Permissions, Resource};
use pve::upid::Upid;
use pve::{Answer, Client, Error, ErrorKind, GuestKind};

use super::way::failed;
use super::{Step, Steps, Verdict};
use crate::privileges::{Major, Rights};

/// Ids and names of the steps of this module, in order.
pub(super) const STEPS: [(&str, &str); 25] = [
    ("version", "version"),
    ("privileges", "privileges"),
    ("cluster_status", "GET /cluster/status"),
    ("cluster_resources", "GET /cluster/resources"),
    ("cluster_tasks", "GET /cluster/tasks"),
    ("next_id", "GET /cluster/nextid"),
    ("ha_status", "GET /cluster/ha/status/current"),
    ("nodes", "GET /nodes"),
    ("node_status", "GET /nodes/{node}/status"),
    ("node_certificates", "GET /nodes/{node}/certificates/info"),
    ("node_tasks", "GET /nodes/{node}/tasks"),
    ("task_status", "GET /nodes/{node}/tasks/{upid}/status"),
    ("task_log", "GET /nodes/{node}/tasks/{upid}/log"),
    ("ct_list", "GET /nodes/{node}/lxc"),
    ("ct_status", "GET …/lxc/{vmid}/status/current"),
    ("ct_config", "GET …/lxc/{vmid}/config"),
    ("ct_pending", "GET …/lxc/{vmid}/pending"),
    ("ct_addresses", "GET …/lxc/{vmid}/interfaces"),
    ("ct_rrd", "GET …/lxc/{vmid}/rrddata"),
    ("vm_list", "GET /nodes/{node}/qemu"),
    ("vm_status", "GET …/qemu/{vmid}/status/current"),
    ("vm_config", "GET …/qemu/{vmid}/config"),
    ("vm_pending", "GET …/qemu/{vmid}/pending"),
    ("vm_addresses", "GET …/qemu/{vmid}/agent/network-get-interfaces"),
    ("vm_rrd", "GET …/qemu/{vmid}/rrddata"),
];

/// The ids of the calls about one kind of guest, in the order in which they are made.
struct GuestSteps {
    kind: GuestKind,
    noun: &'static str,
    list: &'static str,
    status: &'static str,
    config: &'static str,
    pending: &'static str,
    addresses: &'static str,
    rrd: &'static str,
}

const CT: GuestSteps = GuestSteps {
    kind: GuestKind::Ct,
    noun: "container",
    list: "ct_list",
    status: "ct_status",
    config: "ct_config",
    pending: "ct_pending",
    addresses: "ct_addresses",
    rrd: "ct_rrd",
};

const VM: GuestSteps = GuestSteps {
    kind: GuestKind::Vm,
    noun: "virtual machine",
    list: "vm_list",
    status: "vm_status",
    config: "vm_config",
    pending: "vm_pending",
    addresses: "vm_addresses",
    rrd: "vm_rrd",
};

/// Odd fields that are listed one by one; the rest are counted.
const LISTED: usize = 8;

/// Makes every call once, as it is made later.
pub(super) async fn each(client: &Client, steps: &mut Steps<'_>) {
    let version = version(client, steps).await;
    privileges(client, version, steps).await;

    try_call(steps, "cluster_status", client.cluster_status(), |rows| quorum(&rows.rows)).await;
    let resources =
        try_call(steps, "cluster_resources", client.cluster_resources(None), resources_text).await;
    try_call(steps, "cluster_tasks", client.cluster_tasks(), rows).await;
    try_call(steps, "next_id", client.next_id(None), |id| format!("{id} is free")).await;
    try_call(steps, "ha_status", client.ha_status(), rows).await;
    let nodes = try_call(steps, "nodes", client.nodes(), |rows| offline(&rows.rows)).await;

    let guests: Vec<GuestRow> = resources
        .map(|r| {
            r.rows
                .into_iter()
                .filter_map(|row| if let Resource::Guest(guest) = row { Some(guest) } else { None })
                .collect()
        })
        .unwrap_or_default();
    // A node that is up: what is down is said by the list, and is not what the calls are tried for.
    let node = nodes.and_then(|n| {
        let up = n.rows.iter().find(|row| row.status.as_deref() == Some("online")).or(n.rows.first());
        up.map(|row| row.node.clone())
    });
    let Some(node) = node else {
        for (id, name) in STEPS {
            if !steps.has(id) {
                steps.add(Step::not_tried(id, name, "no node is known"));
            }
        }
        return;
    };
    try_call(steps, "node_status", client.node_status(&node), |_| format!("of {node}")).await;
    try_call(steps, "node_certificates", client.node_certificates(&node), rows).await;
    tasks(client, &node, steps).await;
    for kind in [&CT, &VM] {
        try_call(steps, kind.list, client.guest_list(&node, kind.kind), rows).await;
        guest(client, kind, &guests, steps).await;
    }
}

fn name_of(id: &str) -> &'static str {
    STEPS.iter().find(|(step, _)| *step == id).map_or("", |(_, name)| name)
}

/// What is said of an answer, and a remedy if something in it wants one.
struct Said {
    text: String,
    remedy: Option<String>,
}

impl From<String> for Said {
    fn from(text: String) -> Self {
        Self { text, remedy: None }
    }
}

/// Makes a call and notes how it went; gives its value if there is one.
async fn try_call<T, S: Into<Said>>(
    steps: &mut Steps<'_>,
    id: &'static str,
    call: impl Future<Output = Result<Answer<T>, Error>>,
    describe: impl FnOnce(&T) -> S,
) -> Option<T> {
    let began = std::time::Instant::now();
    match call.await {
        Ok(answer) => {
            let said: Said = describe(&answer.value).into();
            let mut step = Step::new(id, name_of(id), Verdict::Ok, said.text).took(answer.took);
            if let Some(remedy) = said.remedy {
                step.verdict = Verdict::Warning;
                step = step.remedy(remedy);
            }
            steps.add(with_drift(step, answer.drift));
            Some(answer.value)
        }
        Err(error) => {
            steps.add(softened(failed(id, name_of(id), &error), &error).took(began.elapsed()));
            None
        }
    }
}

/// What a host simply does not have is worth a note, not a failure.
fn softened(step: Step, error: &Error) -> Step {
    let guest_agent = step.id == "vm_addresses" && matches!(error.kind(), ErrorKind::Server { .. });
    let too_old = matches!(error.kind(), ErrorKind::NotSupported { .. });
    let remedy = if guest_agent {
        "The machine's addresses stay unknown. Install qemu-guest-agent in it and switch it on in its options."
    } else if too_old {
        "Muster does without it on this version."
    } else {
        return step;
    };
    let said = error.words().map_or_else(|| step.found.clone(), |words| words.text);
    Step { verdict: Verdict::Warning, exit: crate::exit::Exit::Done, found: said, ..step }.remedy(remedy)
}

fn with_drift(mut step: Step, drift: Drift) -> Step {
    if drift.is_empty() {
        return step;
    }
    step.verdict = Verdict::Warning;
    let records = drift.records.iter().take(LISTED).map(|r| {
        let times = if r.count > 1 { format!(", {} times", r.count) } else { String::new() };
        format!("{}: {} expected, {} found{times}: {}", r.field, r.expected, r.found, r.sample)
    });
    let more = drift.records.len().saturating_sub(LISTED);
    match drift.unreadable.len() {
        0 => {}
        n => step.found = format!("{}; {} could not be read", step.found, count(n, "row")),
    }
    let unreadable = drift
        .unreadable
        .iter()
        .take(LISTED)
        .map(|u| format!("row {} cannot be read ({}): {}", u.row, u.why, u.raw));
    step.detail.extend(records);
    if more > 0 {
        step.detail.push(format!("and {more} more odd fields (-o json lists them)"));
    }
    step.detail.extend(unreadable);
    step.remedy = Some(if drift.unreadable.is_empty() {
        "These fields are taken as unknown; all the rest was read. Please report them.".to_owned()
    } else {
        "Rows that cannot be read are shown raw and counted; all the rest was read. Please report them."
            .to_owned()
    });
    step.drift = Some(drift);
    step
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn rows<T>(rows: &Rows<T>) -> String {
    count(rows.rows.len(), "row")
}

/// Whether the cluster has quorum.
fn quorum(rows: &[ClusterStatus]) -> Said {
    let cluster = rows.iter().find_map(|row| match row {
        ClusterStatus::Cluster(cluster) => Some(cluster),
        _ => None,
    });
    match cluster {
        None => Said::from("a stand-alone host".to_owned()),
        Some(cluster) => {
            let name = cluster.name.clone().unwrap_or_default();
            match cluster.quorate {
                Some(false) => Said {
                    text: format!("cluster {name} has NO QUORUM"),
                    remedy: Some(
                        "Reading goes on; nothing can be changed until enough of its nodes are back."
                            .to_owned(),
                    ),
                },
                Some(true) => Said::from(format!("cluster {name} has quorum")),
                None => Said::from(format!("cluster {name}, quorum not told")),
            }
        }
    }
}

/// Which nodes are not online.
fn offline(rows: &[NodeListRow]) -> Said {
    let text = count(rows.len(), "node");
    let down: Vec<&str> =
        rows.iter().filter(|n| n.status.as_deref() != Some("online")).map(|n| n.node.as_str()).collect();
    if down.is_empty() {
        return Said::from(text);
    }
    Said {
        text: format!("{text}, not online: {}", down.join(", ")),
        remedy: Some(
            "Guests on a node that is down are shown as last seen. Bring it back, or look at its network."
                .to_owned(),
        ),
    }
}

fn resources_text(resources: &Rows<Resource>) -> String {
    let (mut guests, mut nodes, mut storages) = (0, 0, 0);
    for row in &resources.rows {
        match row {
            Resource::Guest(_) => guests += 1,
            Resource::Node(_) => nodes += 1,
            Resource::Storage(_) => storages += 1,
            _ => {}
        }
    }
    format!("{}, {}, {}", count(guests, "guest"), count(nodes, "node"), count(storages, "storage"))
}

async fn version(client: &Client, steps: &mut Steps<'_>) -> Option<u16> {
    let describe = |v: &pve::reply::Version| {
        let text = v.version.clone().or_else(|| v.release.clone()).unwrap_or_else(|| "not told".to_owned());
        format!("Proxmox VE {text}")
    };
    let version = try_call(steps, "version", client.version(), describe).await?;
    let text = version.release.or(version.version)?;
    text.split(['.', '-']).next()?.parse().ok()
}

async fn privileges(client: &Client, major: Option<u16>, steps: &mut Steps<'_>) {
    let began = std::time::Instant::now();
    let answer = match client.permissions().await {
        Ok(answer) => answer,
        Err(error) => {
            steps.add(failed("privileges", "privileges", &error).took(began.elapsed()));
            return;
        }
    };
    let step = judged(&answer.value, major).took(answer.took);
    steps.add(with_drift(step, answer.drift));
}

/// Whether the account may do what Muster does, by the roles of `muster remote privileges`.
fn judged(held: &Permissions, major: Option<u16>) -> Step {
    let version = match major {
        Some(..=7) => Major::Seven,
        Some(8) => Major::Eight,
        _ => Major::Nine,
    };
    let on = |path: &str, rights: Rights| -> Vec<&'static str> {
        rights.privileges(version).into_iter().filter(|p| !held.holds(path, p)).collect()
    };
    let step = |verdict, found: String| Step::new("privileges", "privileges", verdict, found);
    let advice = format!(
        "muster remote privileges --pve {} prints the commands for an account that has them.",
        version.number()
    );
    if held.paths.is_empty() {
        return step(Verdict::Warning, "none at all: every list will be empty".to_owned()).remedy(advice);
    }
    let operate = on("/", Rights::Operate);
    let look = on("/", Rights::Look);
    let elsewhere = held.paths.len().saturating_sub(usize::from(held.paths.contains_key("/")));
    let note = if elsewhere > 0 {
        format!(" (and grants on {} below)", count(elsewhere, "path"))
    } else {
        String::new()
    };
    if operate.is_empty() {
        return step(Verdict::Ok, "all that is needed to look and to operate".to_owned());
    }
    let found = if look.is_empty() {
        format!("enough to look; to operate, / lacks {}{note}", operate.join(", "))
    } else {
        format!("/ lacks {}{note}", operate.join(", "))
    };
    step(Verdict::Warning, found)
        .remedy(format!("What they are granted for works, the rest is not seen or is refused. {advice}"))
}

async fn tasks(client: &Client, node: &str, steps: &mut Steps<'_>) {
    let query = TaskQuery { limit: Some(50), ..TaskQuery::default() };
    let listed = try_call(steps, "node_tasks", client.node_tasks(node, &query), rows).await;
    let upid = listed
        .and_then(|l| l.rows.first().map(|row| row.upid.to_string()))
        .and_then(|text| text.parse::<Upid>().ok());
    match upid {
        Some(upid) => {
            let about = format!("of {} {}", upid.task_type(), upid.id());
            try_call(steps, "task_status", client.task_status(node, &upid), |_| about.trim_end().to_owned())
                .await;
            try_call(steps, "task_log", client.task_log(node, &upid, 0, 50), |l| count(l.rows.len(), "line"))
                .await;
        }
        None => {
            for id in ["task_status", "task_log"] {
                steps.add(Step::not_tried(id, name_of(id), format!("{node} has no task to ask about")));
            }
        }
    }
}

/// The calls about one guest, a running one if there is one.
async fn guest(client: &Client, ids: &GuestSteps, guests: &[GuestRow], steps: &mut Steps<'_>) {
    let known = |g: &&GuestRow| g.kind == ids.kind && g.node.is_some();
    let running = |g: &&GuestRow| g.status.as_deref() == Some("running");
    let chosen = guests.iter().filter(known).find(running).or_else(|| guests.iter().find(known));
    let Some((guest, node)) = chosen.and_then(|g| g.node.as_deref().map(|node| (g, node))) else {
        for id in [ids.status, ids.config, ids.pending, ids.addresses, ids.rrd] {
            steps.add(Step::not_tried(id, name_of(id), format!("there is no {} to ask about", ids.noun)));
        }
        return;
    };
    let (kind, vmid) = (ids.kind, guest.vmid);
    let about = || format!("of {vmid}");
    try_call(steps, ids.status, client.guest_status(node, kind, vmid), |_| about()).await;
    try_call(steps, ids.config, client.guest_config(node, kind, vmid, false), |_| about()).await;
    try_call(steps, ids.pending, client.guest_pending(node, kind, vmid), rows).await;
    if running(&guest) {
        let found = |a: &pve::call::guest::Addresses| match &a.agent_error {
            Some(error) => {
                format!("the guest agent says: {}", error.desc.as_deref().unwrap_or("it cannot tell"))
            }
            None => count(a.interfaces.rows.len(), "interface"),
        };
        try_call(steps, ids.addresses, client.guest_addresses(node, kind, vmid), found).await;
    } else {
        steps.add(Step::not_tried(
            ids.addresses,
            name_of(ids.addresses),
            format!("no {} is running", ids.noun),
        ));
    }
    let rrd = client.guest_rrd(node, kind, vmid, Timeframe::Hour, Consolidation::Average);
    try_call(steps, ids.rrd, rrd, |points| count(points.rows.len(), "point")).await;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn held(grants: &[(&str, &[&str])]) -> Permissions {
        let paths = grants
            .iter()
            .map(|(path, privileges)| {
                ((*path).to_owned(), privileges.iter().map(|p| ((*p).to_owned(), true)).collect())
            })
            .collect::<BTreeMap<String, BTreeMap<String, bool>>>();
        Permissions { paths }
    }

    #[test]
    fn privileges_are_judged_by_version() {
        let nine =
            ["Datastore.Audit", "Pool.Audit", "Sys.Audit", "VM.Audit", "VM.GuestAgent.Audit", "VM.PowerMgmt"];
        assert_eq!(judged(&held(&[("/", &nine)]), Some(9)).verdict, Verdict::Ok);
        let step = judged(&held(&[("/", &nine)]), Some(8));
        assert!(step.found.contains("VM.Monitor"), "{}", step.found);
        let step = judged(&held(&[("/", &nine[..5]), ("/vms/101", &["VM.PowerMgmt"])]), Some(9));
        assert_eq!(step.verdict, Verdict::Warning);
        assert!(
            step.found.contains("enough to look") && step.found.contains("VM.PowerMgmt"),
            "{}",
            step.found
        );
        assert!(judged(&held(&[]), Some(9)).found.contains("none at all"));
    }
}
