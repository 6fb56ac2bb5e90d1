//! Commands that concern the server as a whole: `muster config …`, `muster backup`, `muster restore`.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use api::system::LicencePart;
use serde_json::{Value, json};
use store::{DirLock, Store};

use super::config::{Config, Environment, Given};
use super::datadir::{self, DataDir};
use super::key::KeyRing;
use super::{database, refusal, settings, show};
use crate::cli::serve::{Backup, ConfigCommand, ConfigLicences, Restore};
use crate::cli::{Common, Output};
use crate::client::{self, Client, Method, Patience, find};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::term::table::{Column, Table, Tone};

/// `muster config …`.
///
/// # Errors
/// What the command says.
pub async fn config(command: &ConfigCommand, context: &mut Context<'_>) -> Result<Exit, Failure> {
    match command {
        ConfigCommand::Show(wanted) => show::show(wanted, context).await,
        ConfigCommand::Check(wanted) => show::check(wanted, context).await,
        ConfigCommand::Licences(wanted) => licences(wanted, context),
        ConfigCommand::SetupLink(call) => {
            let link: api::setup::SetupLink =
                server(&call.common)?.post(&client::path(&["setup", "link"]), &json!({})).await?;
            if call.common.json() {
                context.print_json(&link)?;
            } else {
                context.print(&format!("{}\n", link.url.reveal()))?;
                context.note("It works once, within an hour.");
            }
            Ok(Exit::Done)
        }
        ConfigCommand::RotateKey(call) => {
            let done: Value =
                server(&call.common)?.post(&client::path(&["system", "rotate-key"]), &json!({})).await?;
            let unopened = client::part(&done, "unopened").as_u64();
            if call.common.json() {
                context.print_json(&done)?;
            } else {
                let records = client::part(&done, "records").as_u64();
                let records = records.map_or_else(String::new, |n| format!("; {n} records were sealed anew"));
                context.print(&format!("A new sealing key is in use{records}.\n"))?;
                context.note("Make a new copy of the key. Older backups need the older key.");
            }
            match unopened {
                Some(0) => return Ok(Exit::Done),
                Some(n) => context.note(&format!(
                    "Records that open under none of the keys: {n}. They stay as they were, and the older keys stay \
                     where the new one is."
                )),
                None => context.note("The server does not tell whether all records could be sealed anew."),
            }
            Ok(Exit::Partial)
        }
    }
}

fn server(common: &Common) -> Result<Client, Failure> {
    find::find(common, &Environment::of_process(), Patience::default())
}

/// `muster backup FILE`: of a server that runs, or, when none was named, of a data directory whose server does not.
///
/// # Errors
/// Neither can be had, or the file cannot be written. Then there is no file.
pub async fn backup(wanted: &Backup, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let environment = Environment::of_process();
    let client = find::find(&wanted.common, &environment, Patience::default())?;
    let by_directory = find::is_by_directory(&wanted.common, &environment)?;
    let stopped = match client.connect().await {
        Ok(()) => None,
        Err(failure) if by_directory && failure.exit == Exit::Unreachable => {
            Some(stopped(&wanted.common, &environment)?.ok_or(failure)?)
        }
        Err(failure) => return Err(failure),
    };
    let empty = || Failure::new(Exit::Failed, format!("{} sent an empty backup.", client.name()));
    if wanted.file == Path::new("-") {
        if stopped.is_some() {
            return Err(Failure::usage("A backup of a stopped server needs a file.")
                .hint("Give a FILE, or start the server."));
        }
        let mut out = io::stdout();
        return match client.download(Method::POST, &client::path(&["system", "backup"]), &mut out).await? {
            0 => Err(empty()),
            _ => Ok(Exit::Done),
        };
    }
    let target = Target::new(&wanted.file, wanted.force)?;
    match &stopped {
        None => {
            let mut file = target.open()?;
            client.download(Method::POST, &client::path(&["system", "backup"]), &mut file).await?;
            file.sync_all().map_err(|e| target.trouble(&e))?;
        }
        Some(dir) => {
            let lock = DirLock::take(dir.path()).map_err(|e| refusal::of(&e, None))?;
            let written = Store::backup_closed(&dir.database(), &lock, &target.beside).await;
            written.map_err(|e| refusal::of(&e, None))?;
        }
    }
    let looked = Store::look(&store::Place::Sqlite(target.beside.clone())).await;
    let schema = looked.map_err(|e| refusal::of(&e, None))?.ok_or_else(empty)?.schema;
    let bytes = target.keep()?;
    let file = wanted.file.display();
    let from = stopped.map(|dir| dir.path().to_owned());
    if wanted.common.json() {
        context
            .print_json(&json!({"file": wanted.file, "bytes": bytes, "schema": schema, "stopped": from}))?;
    } else {
        let size = crate::term::text::bytes(bytes);
        let from = from
            .map(|dir| format!(", from {}, whose server does not run", dir.display()))
            .unwrap_or_default();
        context.print(&format!("Wrote {file}: {size}, of schema {schema}{from}.\n"))?;
        context.note("The sealing key is not in it: keep a copy of the key apart (docs/backup.md).");
    }
    Ok(Exit::Done)
}

/// The data directory of a server that does not run, when there is one with a database in it.
fn stopped(common: &Common, environment: &Environment) -> Result<Option<DataDir>, Failure> {
    let mut given = Given::default();
    given.flags.extend(common.data_dir.as_ref().map(|dir| flag(&settings::DATA_DIR, dir)));
    let config = Config::read(&given, environment)?;
    let path = datadir::place(&config, environment)?;
    // What lies beside the database of another engine is not the server's.
    if !path.exists() || config.text(&settings::DATABASE).is_some() {
        return Ok(None);
    }
    let dir = DataDir::existing(&path)?;
    Ok(dir.database().exists().then_some(dir))
}

/// A path as if it had been given as a flag.
fn flag(setting: &settings::Setting, path: &Path) -> (&'static str, Vec<String>) {
    (setting.key, vec![path.display().to_string()])
}

/// A file that is written beside its place and put there when it is whole.
struct Target {
    file: PathBuf,
    beside: PathBuf,
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.beside);
    }
}

impl Target {
    /// Where a file may be put. What is there and is no ordinary file would be gone: a device, a pipe, a directory. Of a
    /// link it is the file it leads to that is written.
    fn new(file: &Path, force: bool) -> Result<Self, Failure> {
        let shown = file.display();
        let place = match std::fs::symlink_metadata(file) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => file.to_owned(),
            Err(e) => return Err(Failure::usage(format!("{shown} cannot be looked at: {e}."))),
            Ok(_) => match std::fs::canonicalize(file) {
                Ok(place) if place.is_file() => {
                    if !force {
                        return Err(Failure::usage(format!("{shown} is there already."))
                            .hint("Give another name, or --force to write over it."));
                    }
                    place
                }
                _ => {
                    return Err(Failure::usage(format!("{shown} is there, and is no ordinary file.")).hint(
                        "It was left alone. Give the name of a file; \"-\" is standard output, to write into a pipe.",
                    ));
                }
            },
        };
        let name = place.file_name().ok_or_else(|| Failure::usage(format!("{shown} is no file name.")))?;
        let mut beside = name.to_owned();
        beside.push(format!(".part-{}", std::process::id()));
        Ok(Self { beside: place.with_file_name(beside), file: place })
    }

    fn open(&self) -> Result<File, Failure> {
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.beside)
            .map_err(|e| self.trouble(&e))
    }

    fn keep(&self) -> Result<u64, Failure> {
        let about = std::fs::metadata(&self.beside).map_err(|e| self.trouble(&e))?;
        std::fs::rename(&self.beside, &self.file).map_err(|e| self.trouble(&e))?;
        // The name lasts through a power failure as well.
        let dir = self.file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(|e| self.trouble(&e))?;
        Ok(about.len())
    }

    fn trouble(&self, e: &io::Error) -> Failure {
        Failure::new(Exit::Failed, format!("{} cannot be written: {e}.", self.file.display()))
    }
}

/// `muster restore FILE`.
///
/// # Errors
/// The backup is none, or there is something where it should go. Nothing has been changed then.
pub async fn restore(wanted: &Restore, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let environment = Environment::of_process();
    let mut given = Given::default();
    given.flags.extend(wanted.data_dir.as_ref().map(|dir| flag(&settings::DATA_DIR, dir)));
    given.flags.extend(wanted.key_file.as_ref().map(|file| flag(&settings::KEY_FILE, file)));
    let config = Config::read(&given, &environment)?;

    let from = store::Place::Sqlite(wanted.file.clone());
    if !wanted.file.exists() {
        return Err(Failure::usage(format!("There is no file {}.", wanted.file.display())));
    }
    let looked = Store::look(&from).await.map_err(|e| refusal::of_backup(&wanted.file, &e))?;
    let Some(looked) = looked else {
        return Err(Failure::new(Exit::Failed, format!("{} is empty.", wanted.file.display())));
    };
    let place = datadir::place(&config, &environment)?;
    let untouched = Untouched::before(&place);
    let lines = restore_into(wanted, &config, &environment, &looked, DataDir::take(&place)?).await;
    if lines.is_err() {
        untouched.again();
    }
    context.print_lines(&lines?)?;
    Ok(Exit::Done)
}

/// What was not there before: a refusal leaves nothing, lest a server that is started on it begins anew.
struct Untouched {
    lock: Option<PathBuf>,
    missing: Vec<PathBuf>,
}

impl Untouched {
    fn before(dir: &Path) -> Self {
        let lock = Some(dir.join("lock")).filter(|lock| !lock.exists());
        let missing = dir.ancestors().take_while(|dir| !dir.exists()).map(Path::to_owned).collect();
        Self { lock, missing }
    }

    fn again(self) {
        if let Some(lock) = self.lock {
            let _ = std::fs::remove_file(lock);
        }
        // Only those that are empty.
        for dir in self.missing {
            let _ = std::fs::remove_dir(dir);
        }
    }
}

/// What a server would find that is started after a refusal.
fn left_as_it_was(into: &store::Place) -> &'static str {
    match into {
        store::Place::Sqlite(file) if !file.exists() => {
            "Nothing has been changed: a server started there now would begin with an empty database."
        }
        _ => "Nothing has been changed: the database that is there is as it was.",
    }
}

async fn restore_into(
    wanted: &Restore,
    config: &Config,
    environment: &Environment,
    looked: &store::Looked,
    dir: DataDir,
) -> Result<Vec<String>, Failure> {
    let into = database::place(config, &dir);
    // The key is looked at first: whoever restores should know at once whether it is the right one.
    let key = match KeyRing::look(config, environment, &dir)? {
        Some(ring) => {
            let keys = ring.keys();
            if let Some(needed) = looked.keys.iter().find(|id| !keys.has(id)) {
                return Err(Failure::new(
                    Exit::Failed,
                    format!(
                        "The sealing key of {} does not fit this backup (it needs key {needed}).",
                        ring.place
                    ),
                )
                .hint(format!(
                    "Put the key in its place that was in use when the backup was made. {}",
                    left_as_it_was(&into)
                )));
            }
            format!("The sealing key of {} fits.", ring.place)
        }
        None => format!(
            "The sealing key is not there yet: put its copy at {} (mode 0600) before the server starts.",
            KeyRing::awaited(config, &dir).display()
        ),
    };
    let restored = Store::restore(&wanted.file, &into, wanted.replace, &store::Timings::default())
        .await
        .map_err(|e| refusal::of_restore(&wanted.file, &e))?;
    let mut lines = vec![format!("Restored {} into {into}.", wanted.file.display())];
    lines.extend(
        restored.replaced.map(|kept| format!("What was there before is kept as {}.", kept.display())),
    );
    lines.push(key);
    lines.push(
        "If the server that the backup was made from still runs, end it before this one starts: both would operate the \
         same hosts."
            .to_owned(),
    );
    Ok(lines)
}
/// What this binary is made of that others wrote. No server is asked.
fn licences(wanted: &ConfigLicences, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let all = server::licences::all(super::console::built_in().is_some());
    if wanted.output == Output::Json {
        context.print_json(&json!({"items": all, "total": all.len()}))?;
        return Ok(Exit::Done);
    }
    let columns = [("NAME", 8), ("VERSION", 7), ("LICENCE", 12), ("PART", 7)];
    let mut table = Table::new(columns.into_iter().map(|(name, least)| Column::new(name, least)).collect());
    for one in all {
        let part = match one.part {
            LicencePart::Binary => "binary",
            LicencePart::Console => "console",
        };
        let cells = [one.name, one.version, one.licence, part.to_owned()];
        table.row(Tone::Plain, cells.into_iter().map(|cell| (Tone::Plain, cell)).collect());
    }
    context.print_lines(&table.lines(context.paper))?;
    Ok(Exit::Done)
}
