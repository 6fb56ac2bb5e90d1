//! `muster config show` and `muster config check`: what a server started here would do, and what is said beside it of one
//! that runs.

use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::json;

use super::config::{Config, Environment, Origin};
use super::datadir::{self, DataDir};
use super::key::KeyRing;
use super::settings::{self, Setting};
use super::tls::Shown;
use super::{doors, running};
use crate::cli::serve::{ConfigCheck, ConfigShow};
use crate::cli::{Common, Output};
use crate::client::contexts::Contexts;
use crate::client::{Patience, find, path};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::term::table::{Column, Table, Tone};
use crate::term::text::{moment, safe, span};

/// How long a server that may run here is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// Prints every setting with its value and who said so.
///
/// # Errors
/// The settings are wrong, or the output cannot be written.
pub async fn show(wanted: &ConfigShow, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let environment = Environment::of_process();
    let config = Config::read(&wanted.given, &environment)?;
    let place = datadir::place(&config, &environment).ok().map(|path| path.display().to_string());
    let rows: Vec<_> = settings::ALL
        .iter()
        .filter_map(|setting| {
            let value = config.value(setting)?;
            let shown = match setting.key {
                key if key == settings::DATA_DIR.key => place.clone().unwrap_or_default(),
                _ => value.shown(setting),
            };
            // What is found in its own way has no value here, but a way.
            let words = match shown.is_empty() {
                true => found(setting, &config, &environment, place.as_deref()),
                false => shown.clone(),
            };
            Some((*setting, value, shown, words))
        })
        .collect();
    if wanted.output == Output::Json {
        let items: Vec<_> = rows
            .iter()
            .map(|(setting, value, shown, words)| {
                let (from, name) = match &value.origin {
                    Origin::Flag(flag) => ("flag", format!("--{flag}")),
                    Origin::Variable(name) => ("environment", (*name).to_owned()),
                    Origin::File(path) => ("file", path.display().to_string()),
                    Origin::Default => ("default", String::new()),
                };
                json!({
                    "id": setting.key,
                    "name": setting.key,
                    "value": if shown.is_empty() { None } else { Some(shown) },
                    "shown": words,
                    "from": from,
                    "source": if name.is_empty() { None } else { Some(name) },
                    "flag": setting.flag.map(|flag| format!("--{flag}")),
                    "variable": setting.variable,
                    "help": setting.help,
                })
            })
            .collect();
        context.print_json(&json!({"items": items, "total": items.len(), "file": config.file}))?;
        return Ok(Exit::Done);
    }
    let mut table =
        Table::new(vec![Column::new("SETTING", 12), Column::new("VALUE", 20), Column::new("FROM", 8)]);
    for (setting, value, shown, words) in rows {
        let tone = if value.origin == Origin::Default { Tone::Dim } else { Tone::Plain };
        let words = if shown.is_empty() && !words.is_empty() { format!("({words})") } else { words };
        table
            .row(tone, vec![(tone, setting.key.to_owned()), (tone, words), (tone, value.origin.to_string())]);
    }
    context.print_table(&table)?;
    let file = match &config.file {
        Some(path) => format!("file: {}", path.display()),
        None => "file: none".to_owned(),
    };
    context.note(&file);
    context.note("This is what a server would do that is started here now, with this file and environment.");
    for line in told(place.as_deref(), &environment).await {
        context.note(&safe(&line));
    }
    Ok(Exit::Done)
}

/// What a setting comes to that holds no value of its own, as far as that can be told from here.
fn found(setting: &Setting, config: &Config, environment: &Environment, place: Option<&str>) -> String {
    let in_dir = |name: &str| place.map(|place| format!("{place}/{name}"));
    let way = match setting.key {
        key if key == settings::DATABASE.key => in_dir("muster.db"),
        key if key == settings::KEY_FILE.key => environment
            .path("CREDENTIALS_DIRECTORY")
            .map(|dir| dir.join(super::key::CREDENTIAL))
            .filter(|path| path.exists())
            .map(|path| path.display().to_string())
            .or_else(|| in_dir("key")),
        key if key == settings::KEY.key => Some("none of its own: it is in the key file".to_owned()),
        key if key == settings::SOCKET.key => Some(match doors::known_place(environment) {
            Some((path, _)) => path.display().to_string(),
            None => "none beside the one in the data directory".to_owned(),
        }),
        key if key == settings::PUBLIC_URL.key => None,
        key if key == settings::TLS_CERTIFICATE.key || key == settings::TLS_KEY.key => {
            let tls = config.addresses(&settings::LISTEN).into_iter();
            let mut tls = tls.map(|address| doors::speech(config, address));
            (!tls.any(|speech| speech == doors::Speech::Tls))
                .then(|| "none: nothing listens with TLS".to_owned())
        }
        _ => None,
    };
    way.unwrap_or_else(|| setting.default.to_owned())
}

/// What is to be said of servers that run: their own word counts, not what they would be started with.
async fn told(place: Option<&str>, environment: &Environment) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(dir) = place {
        let patience = Patience { connect: PATIENCE, answer: PATIENCE, ..Patience::default() };
        let common = Common { data_dir: Some(dir.into()), ..Common::default() };
        let client = find::find(&common, environment, patience).ok();
        if let Some(client) = client
            && let Ok(system) = client.get::<api::system::System>(&path(&["system"])).await
        {
            lines.push(format!(
                "A server runs on {dir} since {}: Muster {}, reached at {}. What it was started with may differ.",
                moment(system.started),
                system.version,
                system.reached_at
            ));
        }
    }
    let current = Contexts::read(environment).ok();
    if let Some(known) = current.as_ref().and_then(Contexts::current) {
        lines.push(format!(
            "Other commands go to {} ({}), the server in use; this is not about it.",
            known.name, known.url
        ));
    }
    lines
}

/// Reads what a server reads before it serves, as it does.
fn files(config: &Config, environment: &Environment, dir: &DataDir) -> Result<(), Failure> {
    let mut addresses = config.addresses(&settings::LISTEN).into_iter();
    if addresses.any(|address| doors::speech(config, address) == doors::Speech::Tls) {
        let own = Some(dir.certificate()).filter(|(chain, _)| chain.exists());
        if let Some((chain, key)) = running::given_certificate(config).or(own) {
            Shown::read(&chain, &key)?;
        }
    }
    if let Some(file) = config.path(&settings::METRICS_TOKEN_FILE) {
        running::metrics_token(&file)?;
    }
    // Whether it fits the database is found out where that is opened.
    let sealed = config.text(&settings::DATABASE).is_none() && dir.database().exists();
    KeyRing::needed(config, environment, dir, sealed).map(drop)
}

/// Says whether a server could be started with this.
///
/// # Errors
/// What is wrong.
pub async fn check(wanted: &ConfigCheck, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let environment = Environment::of_process();
    let config = Config::read(&wanted.given, &environment)?;
    let path = datadir::place(&config, &environment)?;
    let dir = match path.exists() {
        true => DataDir::existing(&path)?,
        false => DataDir::would_be(path.clone()),
    };
    files(&config, &environment, &dir)?;
    // The server that this is about has its addresses by right.
    let runs = UnixStream::connect(dir.socket()).is_ok();
    let mut held = doors::free(&config, &settings::LISTEN, "--listen IP:PORT", runs).await?;
    held.extend(doors::free(&config, &settings::METRICS_LISTEN, "--metrics-listen IP:PORT", runs).await?);
    drop(held);
    let mut lines = vec![match &config.file {
        Some(file) => format!("{} is right.", file.display()),
        None => "There is no configuration file; the settings are right.".to_owned(),
    }];
    for address in config.addresses(&settings::LISTEN) {
        let speech = doors::speech(&config, address);
        let more = match speech {
            doors::Speech::Insecure => " (others can read passwords and sessions on the way)",
            doors::Speech::Tls if config.path(&settings::TLS_CERTIFICATE).is_none() => {
                " (with a certificate of its own making)"
            }
            _ => "",
        };
        lines.push(format!("It would listen on {}://{address}{more}.", speech.scheme()));
    }
    let (idle, longest) = (config.span(&settings::SESSION_IDLE), config.span(&settings::SESSION_LONGEST));
    if idle > longest {
        lines.push(format!(
            "sessions.idle ({}) comes to nothing: a session ends after sessions.longest ({}), used or not.",
            span(idle.as_secs()),
            span(longest.as_secs())
        ));
    }
    lines.push(format!("Its data directory is {}.", path.display()));
    if runs {
        lines.push("A server runs there now; another one is refused until it ends.".to_owned());
    }
    if config.text(&settings::DATABASE).is_some() {
        lines.push("Whether its database can be reached was not tried.".to_owned());
    }
    context.print_lines(&lines)?;
    Ok(Exit::Done)
}
