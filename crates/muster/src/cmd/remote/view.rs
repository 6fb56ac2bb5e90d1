//! Remotes looked at: the list, one in full, coverage, drift.

use api::remote::{CoverageRow, Drift, Link, Remote, RemoteRow};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::change::link_of;
use super::{get, name_of};
use crate::cli::Common;
use crate::cli::remote::Named;
use crate::client::Client;
use crate::cmd::list::{maybe, plain, rows_of, understood};
use crate::cmd::sheet::{Facts, Sheet, add, when};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::term::shell;
use crate::term::table::{Column, Paper, Table, Tone};
use crate::term::text::{ago, bytes, span, until};

/// What is said of a remote's figures before there are any.
pub(super) const UNREAD: &str = "first inventory not read yet";

/// A link's state in a word or two, with the tone it deserves.
fn link(link: &Link) -> (Tone, String) {
    let tone = match (link.state.as_str(), link.up) {
        ("connected", _) => Tone::Good,
        ("disconnected", _) => Tone::Dim,
        ("connecting", _) | (_, true) => Tone::Warn,
        _ => Tone::Bad,
    };
    (tone, link.state.replace('_', " "))
}

/// What is wrong, or nothing.
fn why(link: &Link) -> String {
    match (&link.cause, &link.by) {
        (_, Some(by)) => format!("by {by}"),
        (Some(cause), None) => cause.sentence.clone(),
        (None, None) if link.up => String::new(),
        // It says no more than the state itself.
        (None, None) if link.sentence == link.state.replace('_', " ") => String::new(),
        (None, None) => link.sentence.clone(),
    }
}

/// `disconnected by anna`, `backing off: connection refused`: how a link is broken; nothing while it stands.
pub(in crate::cmd) fn broken(link: &Link) -> String {
    let state = link.state.replace('_', " ");
    match link.up {
        true => String::new(),
        false if link.sentence.starts_with(&state) => link.sentence.clone(),
        false => format!("{state}: {}", link.sentence),
    }
}

/// When what is known was last confirmed.
fn heard(link: &Link, now: Timestamp) -> String {
    link.last_success.map_or_else(|| "never".to_owned(), |at| ago(now, at))
}

/// The versions that the endpoints told, without repeats.
fn versions(row: &RemoteRow) -> String {
    let mut versions: Vec<&str> = row.versions.values().map(|v| v.as_str()).collect();
    versions.sort_unstable();
    versions.dedup();
    versions.join(", ")
}

/// The remotes as a table.
pub(super) fn table(remotes: &[RemoteRow], now: Timestamp) -> Table {
    let mut table = Table::new(vec![
        Column::new("REMOTE", 8).whole(),
        Column::new("LINK", 12),
        Column::new("SINCE", 8).rank(3),
        Column::new("HEARD", 8),
        Column::new("NEXT TRY", 8).rank(4),
        Column::new("VERSION", 6).rank(5),
        Column::new("NODES", 5).right().rank(6),
        Column::new("GUESTS", 6).right().rank(2),
        Column::new("WHY", 14).rank(1),
    ]);
    for row in remotes {
        let next = row.link.next_try.filter(|_| !row.link.up).map(|at| until(now, at));
        table.row(
            if row.link.up { Tone::Plain } else { Tone::Dim },
            vec![
                plain(row.name.to_string()),
                link(&row.link),
                plain(ago(now, row.link.since)),
                plain(heard(&row.link, now)),
                maybe(next),
                plain(versions(row)),
                // What was never listed has no figures: not even none.
                maybe(row.counts.nodes),
                maybe(row.counts.guests),
                plain(why(&row.link)),
            ],
        );
    }
    table
}

/// One remote in full.
pub(super) async fn show(
    client: &Client,
    named: &Named,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let value = get(client, named).await?;
    match serde_json::from_value::<Remote>(value.clone()) {
        Ok(remote) if !common.json() => {
            context.print_lines(&lines(&remote, crate::cmd::now(), context.paper))?;
        }
        _ => context.print_json(&value)?,
    }
    Ok(Exit::Done)
}

/// The link in lines: how it stands, why, since when, what will happen, what is to be done.
pub(super) fn link_facts(facts: &mut Facts, view: &Link, now: Timestamp) {
    add(facts, "link", format!("{}, since {}", view.state.replace('_', " "), when(now, view.since)));
    if !view.up || view.cause.is_some() {
        add(facts, "why", why(view));
    }
    if let Some(cause) = &view.cause {
        add(facts, "to do", cause.remedy.clone());
    }
    add(facts, "last heard", view.last_success.map_or_else(|| "never".to_owned(), |at| when(now, at)));
    if let (Some(at), false) = (view.next_try, view.up) {
        add(facts, "next try", until(now, at));
    }
}

fn lines(remote: &Remote, now: Timestamp, paper: Paper) -> Vec<String> {
    let row = &remote.row;
    let mut sheet = Sheet::new(&format!("remote {}", row.name), paper);
    let mut facts: Facts = Vec::new();
    link_facts(&mut facts, &row.link, now);
    if let Some(by) = &row.run_by {
        let at = by.address.as_ref().map(|at| format!(" ({at})")).unwrap_or_default();
        add(&mut facts, "looked after by", format!("the server {}{at}", by.process));
    }
    if let Some(cluster) = &row.cluster {
        let quorum = match (cluster.value.quorate, row.link.up) {
            (Some(true), true) => ", has quorum",
            (Some(false), true) => ", has no quorum",
            (Some(true), false) => ", had quorum when last seen",
            (Some(false), false) => ", had no quorum when last seen",
            (None, _) => "",
        };
        let name =
            cluster.value.name.as_ref().map_or_else(|| "a stand-alone host".to_owned(), ToString::to_string);
        add(&mut facts, "cluster", format!("{name}{quorum}"));
    }
    add(&mut facts, "version", versions(row));
    let counts = &row.counts;
    if let (Some(nodes), Some(guests)) = (counts.nodes, counts.guests) {
        let online = match counts.nodes_online {
            Some(online) => format!("{online} online of {nodes}"),
            None => format!("{nodes}, those online not known"),
        };
        add(&mut facts, "nodes", online);
        let unknown = match counts.guests_unknown {
            None | Some(0) => String::new(),
            Some(n) => format!(", {n} of unknown state"),
        };
        let running = match counts.guests_running {
            Some(running) => format!("{running} running of {guests}{unknown}"),
            None => format!("{guests}, running ones not known"),
        };
        add(&mut facts, "guests", running);
    } else {
        add(&mut facts, "inventory", UNREAD.to_owned());
    }
    if let Some(credential) = &remote.credential {
        let rights = credential
            .rights
            .map(|r| format!(", rights: {}", r.to_string().replace('_', " ")))
            .unwrap_or_default();
        let made = if credential.minted.is_some() { ", made by Muster" } else { "" };
        add(&mut facts, "signs in as", format!("{} ({}{made}{rights})", credential.user, credential.kind));
    }
    if let Some(seconds) = remote.interval_seconds {
        add(&mut facts, "asked every", format!("{seconds} s at most"));
    }
    let traffic = &row.traffic;
    add(
        &mut facts,
        "traffic",
        format!("{} requests and {} a minute", traffic.requests_per_minute, bytes(traffic.bytes_per_minute)),
    );
    add(&mut facts, "its console", row.web_url.clone().unwrap_or_default());
    add(&mut facts, "added", row.created.map(|at| when(now, at)).unwrap_or_default());
    add(&mut facts, "identity", remote.identity.as_ref().map(ToString::to_string).unwrap_or_default());
    add(&mut facts, "same as", row.same_as.as_ref().map(ToString::to_string).unwrap_or_default());
    add(
        &mut facts,
        "faults of Muster",
        match (remote.faults, &remote.last_fault) {
            (0, _) => String::new(),
            (n, Some(fault)) => format!("{n}, last: {fault}"),
            (n, None) => n.to_string(),
        },
    );
    add(&mut facts, "number", row.id.to_string());
    sheet.facts(&facts);

    sheet.head("Endpoints", None);
    sheet.table(&endpoints(&row.link, now));
    if remote.proposed > 0 {
        sheet.line(&format!(
            "The cluster proposes {} more: muster remote endpoint ls {}",
            remote.proposed,
            shell::word(row.name.as_str())
        ));
    }
    sheet.head("Coverage", None);
    sheet.table(&coverage_table(&remote.coverage, now));
    if !remote.drift.is_empty() {
        sheet.head("Did not fit", None);
        sheet.facts(&remote.drift.iter().map(drift_fact).collect());
    }
    if !remote.unreadable.is_empty() {
        sheet.head("Rows that could not be read", None);
        sheet.facts(
            &remote
                .unreadable
                .iter()
                .map(|r| (r.facet.to_string(), format!("{}\n{}", r.why, r.raw)))
                .collect(),
        );
    }
    sheet.lines()
}

/// The endpoints of a link.
pub(super) fn endpoints(view: &Link, now: Timestamp) -> Table {
    let mut table = Table::new(vec![
        Column::new("ENDPOINT", 12).whole(),
        Column::new("HEALTH", 7),
        Column::new("IN USE", 6).rank(3),
        Column::new("HEARD", 6),
        Column::new("NEXT TRY", 8).rank(2),
        Column::new("WHY", 8).rank(1),
    ]);
    for endpoint in &view.endpoints {
        let tone = match endpoint.health.as_str() {
            "good" => Tone::Good,
            "untried" => Tone::Dim,
            _ => Tone::Bad,
        };
        table.row(
            Tone::Plain,
            vec![
                plain(endpoint.id.to_string()),
                (tone, endpoint.health.clone()),
                plain(if endpoint.in_use { "yes" } else { "" }),
                plain(endpoint.last_success.map_or_else(|| "never".to_owned(), |at| ago(now, at))),
                maybe(endpoint.next_try.map(|at| until(now, at))),
                maybe(endpoint.cause.as_ref().map(|c| c.sentence.clone())),
            ],
        );
    }
    table
}

fn coverage_table(rows: &[CoverageRow], now: Timestamp) -> Table {
    let mut table = Table::new(vec![
        Column::new("WHAT", 10),
        Column::new("AGE", 6),
        Column::new("EVERY", 6).right().rank(3),
        Column::new("KNOWN", 6).right().rank(2),
        Column::new("DRIFT", 5).right().rank(4),
        Column::new("LACKS", 8).rank(1),
        Column::new("LAST ERROR", 10),
    ]);
    for row in rows {
        let coverage = &row.coverage;
        let error = row.cause.as_ref().map(|c| match c.at {
            Some(at) => format!("{} ({})", c.sentence, ago(now, at)),
            None => c.sentence.clone(),
        });
        let tone = match (&coverage.last_success, &error) {
            (Some(_), None) => Tone::Plain,
            (Some(_), Some(_)) => Tone::Warn,
            (None, Some(_)) => Tone::Bad,
            (None, None) => Tone::Dim,
        };
        table.row(
            tone,
            vec![
                plain(coverage.facet.as_str().replace('_', " ")),
                plain(coverage.last_success.map_or_else(|| "never".to_owned(), |at| ago(now, at))),
                plain(span(coverage.interval.as_secs())),
                maybe(coverage.parts.map(|p| format!("{}/{}", p.known, p.due))),
                plain(if coverage.drift > 0 { coverage.drift.to_string() } else { String::new() }),
                maybe(coverage.missing_privilege.as_ref()),
                maybe(error),
            ],
        );
    }
    table
}

/// What is known of a remote.
pub(super) async fn coverage(
    client: &Client,
    named: &Named,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let mut value = get(client, named).await?;
    let rows = rows_of(&mut value, "coverage", client)?;
    let (known, exit) = understood::<CoverageRow>(&rows, context);
    if common.json() {
        // Rows have an id and a name, as everywhere.
        let items: Vec<Value> = rows
            .into_iter()
            .map(|mut row| {
                let facet = row.get("facet").cloned().unwrap_or_default();
                if let Some(map) = row.as_object_mut() {
                    map.insert("id".to_owned(), facet.clone());
                    map.insert("name".to_owned(), facet);
                }
                row
            })
            .collect();
        context.print_json(&json!({ "remote": name_of(&value), "total": items.len(), "items": items }))?;
        return Ok(exit);
    }
    let now = crate::cmd::now();
    let mut sheet = Sheet::new(&format!("coverage of {}", name_of(&value)), context.paper);
    if let Some(link) = link_of(&value) {
        let mut facts: Facts = Vec::new();
        link_facts(&mut facts, &link, now);
        sheet.facts(&facts);
    }
    sheet.head("Coverage", None);
    sheet.table(&coverage_table(&known, now));
    context.print_lines(&sheet.lines())?;
    Ok(exit)
}

/// A field that did not fit, as a fact.
pub(in crate::cmd) fn drift_fact(drift: &Drift) -> (String, String) {
    let often = if drift.count > 1 { format!(", {} times", drift.count) } else { String::new() };
    (
        drift.field.clone(),
        format!(
            "{} expected, {} found{often}: {}  ({})",
            drift.expected, drift.found, drift.sample, drift.call
        ),
    )
}

/// Answers of a remote that were not as documented.
pub(super) async fn drift(
    client: &Client,
    named: &Named,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let mut value = get(client, named).await?;
    let items = rows_of(&mut value, "drift", client)?;
    let unreadable = value.get("unreadable").cloned().unwrap_or_else(|| json!([]));
    let (rows, exit) = understood::<Drift>(&items, context);
    if common.json() {
        context.print_json(&json!({
            "remote": name_of(&value),
            "total": items.len(),
            "items": items,
            "unreadable": unreadable,
        }))?;
        return Ok(exit);
    }
    let lost = unreadable.as_array().map_or(0, Vec::len);
    if items.is_empty() && lost == 0 {
        context.note(&format!("Everything that {} answered was as documented.", name_of(&value)));
        return Ok(Exit::Done);
    }
    let mut sheet = Sheet::new(&format!("drift of {}", name_of(&value)), context.paper);
    sheet.facts(&rows.iter().map(drift_fact).collect());
    if lost > 0 {
        sheet.warn(&format!("{lost} rows could not be read: \"muster remote show\" shows them raw."));
    }
    context.print_lines(&sheet.lines())?;
    Ok(exit)
}
