//! Certificates and endpoints of remotes.

use api::remote::{Certificate, CertificatePair, NewEndpoint, Proposed, Remote, Trust};
use model::Cause;
use pve::trust::Fingerprint;
use serde_json::{Value, json};

use super::view::endpoints as endpoint_table;
use super::{change, get, name_of};
use crate::cli::Common;
use crate::cli::remote as typed;
use crate::client::problem::failure;
use crate::client::{Client, path};
use crate::cmd::list::{maybe, plain, rows_of, understood};
use crate::cmd::sheet::Sheet;
use crate::cmd::user::whole;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::open::trust::ON_THE_HOST;
use crate::term::table::{Column, Table, Tone};
use crate::term::text::{moment, safe};

/// A certificate's facts, one a line.
pub(super) fn facts(certificate: &Certificate) -> Vec<String> {
    let names = if certificate.names.is_empty() { "none".to_owned() } else { certificate.names.join(", ") };
    let mut lines = vec![
        format!("subject  {}", certificate.subject),
        format!("issuer   {}", certificate.issuer),
        format!("names    {names}"),
    ];
    if let (Some(from), Some(to)) = (certificate.not_before, certificate.not_after) {
        lines.push(format!("valid    {} to {}", moment(from), moment(to)));
    }
    lines.push(format!("SHA-256  {}", certificate.fingerprint));
    lines
}

/// Are these the same fingerprint, however written?
fn same(a: &str, b: &str) -> bool {
    match (a.parse::<Fingerprint>(), b.parse::<Fingerprint>()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

fn checked(text: &str) -> Result<(), Failure> {
    text.parse::<Fingerprint>()
        .map(drop)
        .map_err(|e| Failure::usage(format!("“{text}” is {e}.")).hint(ON_THE_HOST))
}

/// `muster remote trust`.
pub(super) async fn trust(
    client: &Client,
    wanted: &typed::Trust,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    if let Some(text) = &wanted.fingerprint {
        checked(text)?;
    }
    let value = get(client, &wanted.named).await?;
    let name = name_of(&value);
    let id = value.get("id").map_or_else(|| name.clone(), Value::to_string);
    let endpoint = match &wanted.endpoint {
        Some(endpoint) => endpoint.clone(),
        None => match changed(&value).as_slice() {
            [one] => one.clone(),
            [] => {
                context.note(&safe(&format!("{name}: no certificate waits to be trusted. Nothing to do.")));
                if common.json() {
                    context.print_json(&value)?;
                }
                return Ok(Exit::Done);
            }
            several => {
                return Err(Failure::usage(format!(
                    "The certificates of several endpoints of {name} have changed."
                ))
                .detail(several.iter().cloned())
                .hint("Say which: --endpoint HOST:PORT"));
            }
        },
    };
    let pair: CertificatePair =
        client.get(&path(&["remotes", &id, "endpoints", &endpoint, "certificate"])).await?;
    if pair.is_trusted {
        context.note(&safe(&format!("The certificate of {endpoint} is trusted already. Nothing to do.")));
        if common.json() {
            context.print_json(&value)?;
        }
        return Ok(Exit::Done);
    }
    let shown = &pair.presented;
    let trusted = pair.trusted.as_ref().map(|t| format!("trusted  {t}"));
    match &wanted.fingerprint {
        Some(given) if same(given, &shown.fingerprint) => {}
        Some(given) => {
            return Err(Failure::new(
                Exit::Certificate,
                format!("{endpoint} shows another certificate than the one given with --fingerprint."),
            )
            .cause("certificate_changed")
            .detail(facts(shown))
            .detail([format!("given    {given}")])
            .hint("Compare it on the host. Nothing was changed."));
        }
        None if !context.ask.present() => {
            return Err(Failure::new(
                Exit::Certificate,
                format!("The certificate of {endpoint} is not trusted."),
            )
            .cause("certificate_changed")
            .detail(facts(shown))
            .detail(trusted)
            .hint(format!("If that is the right one:  --fingerprint {}\n{ON_THE_HOST}", shown.fingerprint)));
        }
        None => {
            context
                .ask
                .tell(&safe(&format!("{endpoint} of {name} shows a certificate that is not trusted:")));
            for line in facts(shown).into_iter().chain(trusted) {
                context.ask.tell(&format!("  {}", safe(&line)));
            }
            context
                .ask
                .tell("Compare the SHA-256 with the one on the host (its node → System → Certificates).");
            if !context.ask.confirm("Trust it from now on?")? {
                return Err(Failure::new(
                    Exit::Certificate,
                    "The certificate was not confirmed. Nothing was changed.",
                ));
            }
        }
    }
    let body = Trust { endpoint: endpoint.as_str().into(), fingerprint: shown.fingerprint.clone() };
    let value: Value = client.post(&path(&["remotes", &id, "trust"]), &body).await?;
    let value = change::wait_for_link(client, &id, value, context).await?;
    change::stands(&value, common, context)
}

/// Endpoints that were stopped on account of their certificate.
fn changed(value: &Value) -> Vec<String> {
    let Ok(remote) = serde_json::from_value::<Remote>(value.clone()) else { return Vec::new() };
    let about = |code: &str| matches!(code, "certificate_changed" | "untrusted_certificate");
    let endpoints = remote.row.link.endpoints.iter();
    endpoints.filter(|e| e.cause.as_ref().is_some_and(|c| about(&c.code))).map(|e| e.id.to_string()).collect()
}

/// `muster remote endpoint ls`.
pub(super) async fn endpoints(
    client: &Client,
    named: &typed::Named,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let mut value = get(client, named).await?;
    let id = value.get("id").map_or_else(|| named.remote.clone(), Value::to_string);
    let (name, link) = (name_of(&value), change::link_of(&value));
    let in_use = rows_of(value.get_mut("link").unwrap_or(&mut Value::Null), "endpoints", client)?;
    // What membership proposes can only be asked for while the link stands.
    let proposed = whole(client, &path(&["remotes", &id, "proposed"])).await;
    let (rows, mut exit) = match &proposed {
        Ok(items) => understood::<Proposed>(items, context),
        Err(_) => (Vec::new(), Exit::Done),
    };
    if link.is_none() {
        context.note(
            "How its link stands is not understood by this muster; -o json shows its endpoints as they came.",
        );
        exit = Exit::Partial;
    }
    if common.json() {
        let error = proposed.as_ref().err().map(|failure| {
            context
                .note(&safe(&format!("What the cluster proposes cannot be told now: {}", failure.sentence)));
            json!({ "exit_code": failure.exit.code(), "text": failure.sentence, "remedy": failure.hint })
        });
        context.print_json(&json!({
            "total": in_use.len(),
            "items": in_use,
            "proposed": proposed.as_ref().ok(),
            "proposed_error": error,
        }))?;
        return Ok(exit);
    }
    let mut sheet = Sheet::new(&format!("endpoints of {name}"), context.paper);
    if let Some(link) = &link {
        sheet.table(&endpoint_table(link, crate::cmd::now()));
    }
    match &proposed {
        Ok(_) if rows.is_empty() => {}
        Ok(_) => {
            sheet.head("Proposed by the cluster", Some("\"muster remote endpoint add\" takes one"));
            sheet.table(&proposed_table(&rows));
        }
        Err(failure) => {
            sheet.head("Proposed by the cluster", None);
            sheet.warn(&format!("cannot be told now: {}", failure.sentence));
        }
    }
    context.print_lines(&sheet.lines())?;
    Ok(exit)
}

fn proposed_table(rows: &[Proposed]) -> Table {
    let mut table = Table::new(vec![
        Column::new("ENDPOINT", 12),
        Column::new("NODE", 6),
        Column::new("VERDICT", 12),
        Column::new("CERTIFICATE", 12).rank(1),
    ]);
    for row in rows {
        let (tone, verdict) = match (&row.cause, row.reachable, row.vouched_for) {
            (Some(cause), _, _) => (Tone::Bad, cause.sentence.clone()),
            (None, true, true) => (Tone::Good, "reachable, the cluster vouches for it".to_owned()),
            (None, true, false) => (Tone::Warn, "reachable, its certificate has to be confirmed".to_owned()),
            (None, false, _) => (Tone::Bad, "not reachable".to_owned()),
        };
        table.row(
            Tone::Plain,
            vec![
                plain(row.id.to_string()),
                plain(row.name.to_string()),
                (tone, verdict),
                maybe(row.certificate.as_ref().map(|c| c.fingerprint.clone())),
            ],
        );
    }
    table
}

/// `muster remote endpoint add`.
pub(super) async fn add_endpoint(
    client: &Client,
    wanted: &typed::EndpointAdd,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    if let Some(text) = &wanted.fingerprint {
        checked(text)?;
    }
    let (remote, address) = (&wanted.at.named.remote, &wanted.at.address);
    let value = join(client, remote, address, wanted.fingerprint.clone(), context).await?;
    change::told(&value, &format!("{address} is used as well"), common, context)
}

/// Adds an address to a remote; a certificate that the cluster does not vouch for is shown and confirmed.
pub(super) async fn join(
    client: &Client,
    remote: &str,
    address: &str,
    fingerprint: Option<String>,
    context: &mut Context<'_>,
) -> Result<Value, Failure> {
    let at = path(&["remotes", remote, "endpoints"]);
    let body = NewEndpoint { address: address.to_owned(), fingerprint };
    let problem = match client.try_post(&at, &body).await? {
        Ok(value) => return Ok(value),
        Err(problem) => problem,
    };
    let facts = problem.cause.as_ref().and_then(|cause| cause.facts.as_ref());
    let (Some(Cause::UntrustedCertificate { presented, why }), None) = (facts, &body.fingerprint) else {
        return Err(failure(&problem, None));
    };
    if !context.ask.present() {
        return Err(failure(&problem, None)
            .hint(format!("If that is the right one:  --fingerprint {presented}\n{ON_THE_HOST}")));
    }
    context.ask.tell(&safe(&format!("The cluster does not vouch for the certificate of {address}: {why}.")));
    context.ask.tell(&safe(&format!("  SHA-256  {presented}")));
    if !context.ask.confirm("Trust it there?")? {
        return Err(Failure::new(
            Exit::Certificate,
            "The certificate was not confirmed. Nothing was changed.",
        ));
    }
    client.post(&at, &NewEndpoint { fingerprint: Some(presented.clone()), ..body }).await
}

/// `muster remote endpoint rm`.
pub(super) async fn remove_endpoint(
    client: &Client,
    wanted: &typed::EndpointAt,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let read = pve::address::Address::read(&wanted.address).map_err(|e| Failure::usage(format!("{e}.")))?;
    let endpoint = read.address.to_string();
    let value: Value =
        client.delete(&path(&["remotes", &wanted.named.remote, "endpoints", &endpoint])).await?;
    change::told(&value, &format!("{endpoint} is not used any more"), common, context)
}
