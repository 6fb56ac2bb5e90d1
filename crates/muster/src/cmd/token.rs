//! `muster token`: API tokens for scripts. A secret is shown once, or goes into a file that only its owner can read.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use api::session::Session;
use api::token::{NewToken, Token, TokenRequest};
use serde_json::{Value, json};

use super::list::{maybe, plain, understood};
use super::session::{Given, Signed, needs_user, unkept};
use super::user::{remote_names, spelt, whole};
use crate::cli::Common;
use crate::cli::token::{Add, TokenCommand};
use crate::client::{Client, Method, path};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::serve::config::Environment;
use crate::term::table::{Column, Table, Tone};
use crate::term::text::{ago, safe, until};

/// Carries out `muster token`.
pub(super) async fn run(
    token: crate::cli::token::Token,
    environment: &Environment,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let common = token.common;
    let given = match &token.command {
        TokenCommand::Add(add) => Given::read(&add.proof.sign_in())?,
        _ => Given::default(),
    };
    let client = super::open(&common, environment).await?;
    match token.command {
        TokenCommand::Ls => ls(&client, &common, context).await,
        TokenCommand::Add(wanted) => add(&client, &wanted, given, &common, context).await,
        TokenCommand::Rm(rm) => {
            let at = path(&["tokens", &rm.id]);
            client.delete::<Value>(&at).await.map_err(|f| super::no_such(f, "token", &rm.id))?;
            if common.json() {
                context.print_json(&json!({ "id": rm.id, "name": null, "removed": true }))?;
            } else {
                context.print(&format!("{}: taken back\n", safe(&rm.id)))?;
            }
            Ok(Exit::Done)
        }
    }
}

async fn ls(client: &Client, common: &Common, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let items = whole(client, &path(&["tokens"])).await?;
    let (tokens, exit) = understood::<Token>(&items, context);
    if common.json() {
        context.print_json(&json!({ "total": items.len(), "items": items }))?;
        return Ok(exit);
    }
    if items.is_empty() {
        context.note("No tokens. \"muster token add NAME\" makes one.");
        return Ok(Exit::Done);
    }
    let names = remote_names(client).await;
    let now = super::now();
    let mut table = Table::new(vec![
        Column::new("ID", 8),
        Column::new("NAME", 8),
        Column::new("USER", 6).rank(1),
        Column::new("MAY", 8).rank(2),
        Column::new("MADE", 8).rank(4),
        Column::new("USED", 8),
        Column::new("ENDS", 8).rank(3),
    ]);
    for token in tokens {
        table.row(
            Tone::Plain,
            vec![
                plain(token.id.clone()),
                plain(token.name.clone()),
                plain(token.user.clone()),
                plain(spelt(&token.grants, &names)),
                plain(ago(now, token.created)),
                maybe(Some(token.last_used.map_or_else(|| "never".to_owned(), |at| ago(now, at)))),
                maybe(Some(token.expires.map_or_else(|| "never".to_owned(), |at| until(now, at)))),
            ],
        );
    }
    context.print_table(&table)?;
    Ok(exit)
}

/// Opens a file for a secret: new, and for its owner alone.
fn private(file: &Path) -> Result<std::fs::File, Failure> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(|e| {
        Failure::usage(format!("{} cannot be made: {e}. No token was made.", file.display()))
            .hint("Name a file that does not exist yet.")
    })
}

/// Makes it, in a session of its owner.
async fn make(
    client: &Client,
    request: &TokenRequest,
    given: Given,
    context: &mut Context<'_>,
) -> Result<NewToken, Failure> {
    let session: Session = client.get(&path(&["session"])).await?;
    let nobody = given.password.is_none() && !context.ask.present();
    let opened = Signed::open(client.anonymous(), Some(&session.user), given, context).await;
    let signed = opened.map_err(|failure| match failure.exit {
        // Whoever asks is signed in, by a token; that one may not make others.
        Exit::Credentials if nobody => Failure {
            sentence: format!(
                "Making a token takes the password of {} at {}, and none was given.",
                session.user,
                client.name()
            ),
            ..failure
        },
        _ => failure,
    })?;
    let made = signed.call(Method::POST, &path(&["tokens"]), request).await;
    signed.close().await;
    made
}

async fn add(
    client: &Client,
    wanted: &Add,
    given: Given,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    needs_user(client, "A token belongs to a user").await?;
    let expires = match wanted.expires {
        Some(span) => Some(
            super::now()
                .checked_add(span)
                .map_err(|e| Failure::usage(format!("That end cannot be reckoned: {e}.")))?,
        ),
        None => None,
    };
    // The file comes first: a secret that cannot be written down would be lost.
    let file = wanted.file.as_deref().map(private).transpose()?;
    let request = TokenRequest { name: wanted.name.clone(), grants: None, expires };
    let made = make(client, &request, given, context).await;
    let made = match (made, &wanted.file) {
        (Ok(made), _) => made,
        (Err(failure), Some(path)) => {
            let _ = std::fs::remove_file(path);
            return Err(failure);
        }
        (Err(failure), None) => return Err(failure),
    };
    if let Err(failure) = hand_over(&made, file, wanted.file.as_deref(), common, context) {
        if let Some(file) = &wanted.file {
            let _ = std::fs::remove_file(file);
        }
        let id = &made.token.id;
        let gone = client.delete::<Value>(&path(&["tokens", id])).await.map(drop);
        return Err(unkept(failure, id, gone));
    }
    Ok(Exit::Done)
}

/// Writes the secret into its file, or shows it.
fn hand_over(
    made: &NewToken,
    file: Option<std::fs::File>,
    path: Option<&Path>,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    if let (Some(mut file), Some(path)) = (file, path) {
        writeln!(file, "{}", made.secret.reveal())
            .and_then(|()| file.sync_all())
            .map_err(|e| Failure::new(Exit::Failed, format!("{} cannot be written: {e}.", path.display())))?;
        return match common.json() {
            true => context.print_json(
                &json!({ "token": made.token, "id": made.token.id, "name": made.token.name, "file": path }),
            ),
            false => context.print(&format!(
                "{}: made; its secret is in {}\n",
                safe(&made.token.id),
                path.display()
            )),
        };
    }
    if common.json() {
        return context.print_json(&json!({
            "id": made.token.id,
            "name": made.token.name,
            "token": made.token,
            "secret": made.secret.reveal(),
        }));
    }
    context.note("This is the secret; it is not shown again:");
    context.print(&format!("{}\n", made.secret.reveal()))
}
