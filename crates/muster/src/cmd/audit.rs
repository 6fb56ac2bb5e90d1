//! `muster audit`: who did what; exported with its chain of hashes, and verified, with or without a server.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use api::audit::{AuditExported, AuditExtent, AuditLine, AuditPage, AuditRow, AuditVerified};
use jiff::Timestamp;
use model::{OperationId, RemoteId};
use serde_json::{Value, json};
use store::{AuditChain, BrokenAt};

use super::list::{exit_of, maybe, plain, rows_of, typed};
use crate::cli::Common;
use crate::cli::audit::{AuditCommand, Export, Ls};
use crate::client::{Client, Method, path, with_query};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::serve::config::Environment;
use crate::term::table::{Column, Table, Tone};
use crate::term::text::{moment, safe};

/// Most rows that are asked for at once.
const PAGE: usize = 1000;

/// The longest line of an export that is read: far longer than any row is.
const LONGEST: usize = 16 * 1024 * 1024;

/// Carries out `muster audit`.
pub(super) async fn run(
    audit: crate::cli::audit::Audit,
    environment: &Environment,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let common = audit.common;
    match audit.command {
        AuditCommand::Verify(wanted) if !wanted.files.is_empty() => {
            verify_files(&wanted.files, &common, context)
        }
        AuditCommand::Verify(_) => verify(&super::open(&common, environment).await?, &common, context).await,
        AuditCommand::Ls(wanted) => {
            ls(&super::open(&common, environment).await?, &wanted, &common, context).await
        }
        AuditCommand::Export(wanted) => {
            export(&super::open(&common, environment).await?, &wanted, &common, context).await
        }
    }
}

// === ls ===

async fn ls(
    client: &Client,
    wanted: &Ls,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let mut items: Vec<Value> = Vec::new();
    let mut before = wanted.before;
    while items.len() < wanted.limit {
        let query = [
            ("before", before.map(|row| row.to_string())),
            ("limit", Some(wanted.limit.saturating_sub(items.len()).clamp(1, PAGE).to_string())),
        ];
        let mut page: Value = client.get(&with_query(&path(&["audit"]), &query)).await?;
        items.extend(rows_of(&mut page, "items", client)?);
        before = page.get("next").and_then(Value::as_i64);
        if before.is_none() {
            break;
        }
    }
    let (rows, _) = typed::<AuditRow>(&items);
    let readable = rows.iter().filter(|row| row.unreadable.is_none()).count();
    let unreadable = items.len() - readable;
    let exit = exit_of(readable, unreadable);
    if unreadable > 0 {
        context.note(&format!("{unreadable} of these rows cannot be read; -o json shows them as they are."));
    }
    if common.json() {
        context.print_json(&json!({ "total": items.len(), "items": items, "next": before }))?;
        return Ok(exit);
    }
    if items.is_empty() {
        context.note(match wanted.before {
            Some(_) => "There are no older rows.",
            None => "Nothing was recorded yet.",
        });
        return Ok(exit);
    }
    let mut table = Table::new(vec![
        Column::new("ROW", 3).rank(3),
        Column::new("WHEN", 23),
        Column::new("WHO", 6),
        Column::new("FROM", 6).rank(2),
        Column::new("WHAT", 12),
        Column::new("ON", 6).rank(1),
        Column::new("HOW IT ENDED", 6),
    ]);
    // The newest stands where the eye is: at the end.
    for row in rows.into_iter().rev() {
        let (tone, ended) = match &row.unreadable {
            None => (Tone::Plain, row.outcome),
            Some(_) => (Tone::Bad, "not readable".to_owned()),
        };
        table.row(
            tone,
            vec![
                plain(row.id.to_string()),
                plain(moment(row.at)),
                plain(row.author.name),
                plain(row.author.from),
                plain(row.name),
                maybe(row.target),
                (tone, ended),
            ],
        );
    }
    context.print_table(&table)?;
    if before.is_some() {
        context
            .note(&format!("There are older ones: --limit {} shows more.", wanted.limit.saturating_mul(10)));
    }
    Ok(exit)
}

// === export ===

/// A file that is not finished: gone again unless it is kept.
struct Unfinished<'a>(Option<&'a Path>);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(path) = self.0 {
            let _ = std::fs::remove_file(path);
        }
    }
}

async fn export(
    client: &Client,
    wanted: &Export,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let page: AuditPage =
        client.get(&with_query(&path(&["audit"]), &[("limit", Some("1".to_owned()))])).await?;
    let after = if wanted.all { 0 } else { page.exported };
    let at = with_query(&path(&["audit", "export"]), &[("after", Some(after.to_string()))]);
    if wanted.file == Path::new("-") {
        client.download(Method::GET, &at, &mut std::io::stdout()).await?;
        return Ok(Exit::Done);
    }
    let shown = wanted.file.display();
    let trouble = |e: &std::io::Error| Failure::new(Exit::Failed, format!("{shown} cannot be written: {e}."));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&wanted.file)
        .map_err(|e| Failure::usage(format!("{shown} cannot be made: {e}.")).hint("Name a new file."))?;
    let mut unfinished = Unfinished(Some(&wanted.file));
    client.download(Method::GET, &at, &mut file).await?;
    file.flush().and_then(|()| file.sync_all()).map_err(|e| trouble(&e))?;
    drop(file);
    // From here on it is what it is; also when the chain in it does not hold, somebody will want to look at it.
    let mut reading = Reading::default();
    let read = reading.take(&wanted.file);
    unfinished.0 = None;
    read?;
    let Some((last, hash)) = reading.last.clone() else {
        let _ = std::fs::remove_file(&wanted.file);
        context.note("There is nothing that was not exported already.");
        return Ok(Exit::Done);
    };
    let extent: Option<AuditExtent> = match wanted.keep {
        true => None,
        false => {
            let done = AuditExported { through: last, hash: hash.clone() };
            Some(client.post(&path(&["audit", "exported"]), &done).await?)
        }
    };
    if common.json() {
        context.print_json(&json!({
            "file": wanted.file, "rows": reading.chain.rows(), "first": reading.first, "last": last,
            "hash": hash, "exported": extent.map(|extent| extent.exported),
        }))?;
        return Ok(Exit::Done);
    }
    context.print(&format!("Wrote {shown}: {}.\n", reading.told()))?;
    context.note(&match extent {
        Some(extent) => format!(
            "Rows up to {} are marked as exported: the server deletes them when they are old enough. Keep the file.",
            extent.exported
        ),
        None => "Nothing was marked as exported.".to_owned(),
    });
    Ok(Exit::Done)
}

// === verify ===

async fn verify(client: &Client, common: &Common, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let verified: AuditVerified = client.get(&path(&["audit", "verify"])).await?;
    if common.json() {
        context.print_json(&verified)?;
    } else if let (true, Some(rows)) = (verified.holds, verified.rows) {
        context.print(&format!("{} The chain holds.\n", told(rows, verified.expired + 1, verified.last)))?;
        if verified.expired > 0 {
            context.note(&format!(
                "Rows up to {} were exported and deleted since; the first row that is there follows from them.",
                verified.expired
            ));
        }
        context.note(&match verified.exported {
            0 => "Nothing was exported yet.".to_owned(),
            row => format!("Exported up to row {row}."),
        });
        if let Some(hash) = &verified.hash {
            context.note(&format!("Its last hash is {}.", safe(hash)));
        }
    }
    match verified.broken {
        None => Ok(Exit::Done),
        Some(broken) if common.json() => {
            context.note(&broken.sentence);
            Ok(Exit::Failed)
        }
        Some(broken) => Err(Failure::new(
            Exit::Failed,
            format!("The audit log is not as it was written: {}.", safe(&broken.sentence)),
        )
        .hint(
            "Somebody has written to the database, or it is damaged. Compare it with an export or a backup.",
        )),
    }
}

fn told(rows: u64, first: i64, last: i64) -> String {
    match rows {
        0 => "No rows.".to_owned(),
        1 => format!("1 row, number {last}."),
        _ => format!("{rows} rows, {first} to {last}."),
    }
}

fn verify_files(files: &[PathBuf], common: &Common, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let mut reading = Reading::default();
    for file in files {
        reading.take(file)?;
    }
    let (last, hash) = reading.last.clone().unzip();
    if common.json() {
        context.print_json(&json!({
            "holds": true, "rows": reading.chain.rows(), "first": reading.first, "last": last, "hash": hash,
        }))?;
        return Ok(Exit::Done);
    }
    context.print(&format!("{} The chain holds.\n", reading.told()))?;
    if let Some(first) = reading.first.filter(|first| *first > 1) {
        context.note(&format!("Its first row follows from row {}, which is not in it.", first - 1));
    }
    if let Some(hash) = hash {
        context.note(&format!(
            "Its last hash is {hash}. Rows cut off at the end show only when that is compared."
        ));
    }
    Ok(Exit::Done)
}

/// What was read of exported files so far.
#[derive(Default)]
struct Reading {
    chain: AuditChain,
    first: Option<i64>,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    last: Option<(i64, String)>,
}

impl Reading {
    /// Reads one more file; the chain goes on from the one before.
    fn take(&mut self, file: &Path) -> Result<(), Failure> {
        let shown = file.display();
        let trouble = |e: &std::io::Error| Failure::usage(format!("The file {shown} cannot be read: {e}."));
        let mut lines = BufReader::new(File::open(file).map_err(|e| trouble(&e))?);
        let mut number = 0_u64;
        loop {
            let mut bytes = Vec::new();
            let longest = u64::try_from(LONGEST).unwrap_or(u64::MAX);
            std::io::Read::take(&mut lines, longest)
                .read_until(b'\n', &mut bytes)
                .map_err(|e| trouble(&e))?;
            if bytes.is_empty() {
                return Ok(());
            }
            number += 1;
            let broken = |what: String| {
                Failure::new(Exit::Failed, format!("{shown}, line {number}: {what}"))
                    .hint("The file is not what Muster wrote. Up to the line before, the chain holds.")
            };
            let row = row(&bytes).map_err(&broken)?;
            match self.chain.take(&row) {
                Ok(()) => {}
                Err(BrokenAt::Missing(wanted)) => {
                    return Err(broken(format!("this is row {}, where row {wanted} should be.", row.seq)));
                }
                Err(error) => return Err(broken(format!("{error}."))),
            }
            self.first.get_or_insert(row.seq);
            self.from.get_or_insert(row.record.at);
            self.until = Some(row.record.at);
            self.last = Some((row.seq, hex(&row.hash)));
        }
    }

    fn told(&self) -> String {
        let rows = match (&self.last, self.first) {
            (Some((last, _)), Some(first)) => told(self.chain.rows(), first, *last),
            _ => told(0, 0, 0),
        };
        match (self.from, self.until) {
            (Some(from), Some(until)) => {
                format!("{} ({} to {})", rows.trim_end_matches('.'), moment(from), moment(until))
            }
            _ => rows,
        }
    }
}

fn hex(hash: &[u8; 32]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    // One spelling only: what is not looked at could be altered unseen.
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// A line of an export as the row that it was.
fn row(line: &[u8]) -> Result<store::AuditRow, String> {
    let line: AuditLine =
        serde_json::from_slice(line).map_err(|e| format!("this is no row of an audit log ({e})."))?;
    let number = |text: Option<String>, what: &str| match text {
        None => Ok(None),
        Some(text) => match text.parse::<u64>() {
            Ok(number) if number.to_string() == text => Ok(Some(number)),
            _ => Err(format!("the audit trail was altered at row {}: its {what} is no number.", line.seq)),
        },
    };
    let hash = |text: &str| {
        unhex(text).ok_or_else(|| format!("the audit trail was altered at row {}: a hash is none.", line.seq))
    };
    if line.at.subsec_nanosecond() % 1_000_000 != 0 {
        return Err(format!("the audit trail was altered at row {}: its time was.", line.seq));
    }
    Ok(store::AuditRow {
        seq: line.seq,
        before: hash(&line.before)?,
        hash: hash(&line.hash)?,
        record: store::AuditRecord {
            at: line.at,
            remote: number(line.remote, "remote")?.map(RemoteId),
            operation: number(line.operation, "operation")?.map(OperationId),
            who: line.who,
            source: line.source,
            action: line.action,
            body: line.body,
        },
    })
}
