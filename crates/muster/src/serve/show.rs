//! `muster config show` and `muster config check`: what a server started here would do.

use serde_json::json;

use super::config::{Config, Environment, Origin};
use super::datadir::{self, DataDir};
use super::doors;
use super::settings;
use crate::cli::Output;
use crate::cli::serve::{ConfigCheck, ConfigShow};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::term::table::{Column, Table, Tone};

/// Prints every setting with its value and who said so.
///
/// # Errors
/// The settings are wrong, or the output cannot be written.
pub fn show(wanted: &ConfigShow, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let environment = Environment::of_process();
    let config = Config::read(&wanted.given, &environment)?;
    let rows: Vec<_> = settings::ALL
        .iter()
        .filter_map(|setting| {
            let value = config.value(setting)?;
            let found = match setting.key {
                key if key == settings::DATA_DIR.key => {
                    datadir::place(&config, &environment).ok().map(|path| path.display().to_string())
                }
                _ => None,
            };
            let shown = found.unwrap_or_else(|| value.shown(setting));
            // What is found in its own way has no value here, but a way.
            let words = if shown.is_empty() { setting.default.to_owned() } else { shown.clone() };
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
    Ok(Exit::Done)
}

/// Says whether a server could be started with this.
///
/// # Errors
/// What is wrong.
pub fn check(wanted: &ConfigCheck, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let environment = Environment::of_process();
    let config = Config::read(&wanted.given, &environment)?;
    let path = datadir::place(&config, &environment)?;
    if path.exists() {
        DataDir::existing(&path)?;
    }
    for setting in
        [&settings::TLS_CERTIFICATE, &settings::TLS_KEY, &settings::KEY_FILE, &settings::METRICS_TOKEN_FILE]
    {
        if let Some(file) = config.path(setting) {
            std::fs::File::open(&file).map_err(|e| {
                Failure::usage(format!("{}: {} cannot be read: {e}.", setting.key, file.display()))
            })?;
        }
    }
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
    lines.push(format!("Its data directory is {}.", path.display()));
    context.print_lines(&lines)?;
    Ok(Exit::Done)
}
