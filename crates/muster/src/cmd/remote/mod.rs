//! `muster remote`: hosts and clusters that the server looks after.

mod add;
mod change;
mod steps;
mod trust;
mod view;

use api::remote::RemoteRow;
use api::stream::Topic;
use model::query::Vocabulary;
use serde_json::Value;

pub(super) use view::{broken, drift_fact};

use super::list::{self, List};
use super::watch::Watched;
use crate::cli::Common;
use crate::cli::remote::{EndpointCommand, Named, RemoteCommand};
use crate::client::{Client, path};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::privileges::{Account, commands};
use crate::serve::config::Environment;
use crate::words;

/// Carries out `muster remote`.
pub(super) async fn run(
    remote: crate::cli::remote::Remote,
    environment: &Environment,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let common = remote.common;
    if let RemoteCommand::Privileges(wanted) = &remote.command {
        let account = Account { user: &wanted.user, token: &wanted.token };
        return context.print(&commands(wanted.pve, wanted.rights, &account)).map(|()| Exit::Done);
    }
    // What the command line lacks is said before anything is asked of anyone.
    match &remote.command {
        RemoteCommand::Add(wanted) => add::check(&wanted.keep, &wanted.sign_in, context)?,
        RemoteCommand::Reauth(wanted) if !add::only_factor(wanted) => {
            add::check(&wanted.keep, &wanted.sign_in, context)?;
        }
        _ => {}
    }
    let client = super::open(&common, environment).await?;
    let about = named(&remote.command).map(str::to_owned);
    carry_out(&client, remote.command, &common, context).await.map_err(|failure| match &about {
        Some(name) => {
            let failure = super::no_such(failure, "remote", name);
            Failure { hint: failure.hint.map(|hint| words::connect(&hint, name)), ..failure }
        }
        None => failure,
    })
}

/// The remote that a command is about.
fn named(command: &RemoteCommand) -> Option<&str> {
    Some(match command {
        RemoteCommand::Show(named)
        | RemoteCommand::Open(named)
        | RemoteCommand::Coverage(named)
        | RemoteCommand::Drift(named)
        | RemoteCommand::Try(named) => &named.remote,
        RemoteCommand::Reauth(wanted) => &wanted.named.remote,
        RemoteCommand::Edit(wanted) => &wanted.remote,
        RemoteCommand::Rm(wanted) => &wanted.named.remote,
        RemoteCommand::Connect(wanted) => &wanted.named.remote,
        RemoteCommand::Disconnect(wanted) => &wanted.named.remote,
        RemoteCommand::Trust(wanted) => &wanted.named.remote,
        RemoteCommand::Endpoint(endpoint) => match &endpoint.command {
            EndpointCommand::Ls(named) => &named.remote,
            EndpointCommand::Add(wanted) => &wanted.at.named.remote,
            EndpointCommand::Rm(wanted) => &wanted.named.remote,
        },
        RemoteCommand::Ls(_) | RemoteCommand::Add(_) | RemoteCommand::Privileges(_) => return None,
    })
}

async fn carry_out(
    client: &Client,
    command: RemoteCommand,
    common: &Common,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    match command {
        RemoteCommand::Ls(listing) => {
            let list = List {
                path: path(&["remotes"]),
                nouns: ("remote", "remotes"),
                about: Vocabulary::Remotes,
                sort: None,
                table: &view::table,
                watched: Watched::topics(&[Topic::Links, Topic::Counts]),
                of_listings: false,
            };
            // Whether a remote was ever reached is what this list tells: nothing is missing in it.
            list::show::<RemoteRow>(client, &list, &listing, common, context).await
        }
        RemoteCommand::Show(named) => view::show(client, &named, common, context).await,
        RemoteCommand::Open(named) => {
            super::web::print(client, &path(&["remotes", named.remote.trim()]), common, context).await
        }
        RemoteCommand::Coverage(named) => view::coverage(client, &named, common, context).await,
        RemoteCommand::Drift(named) => view::drift(client, &named, common, context).await,
        RemoteCommand::Add(wanted) => add::add(client, *wanted, common, context).await,
        RemoteCommand::Reauth(wanted) => add::reauth(client, *wanted, common, context).await,
        RemoteCommand::Edit(wanted) => change::edit(client, &wanted, common, context).await,
        RemoteCommand::Rm(wanted) => change::remove(client, &wanted, common, context).await,
        RemoteCommand::Connect(wanted) => change::connect(client, &wanted, common, context).await,
        RemoteCommand::Disconnect(wanted) => change::disconnect(client, &wanted, common, context).await,
        RemoteCommand::Try(named) => change::try_now(client, &named, common, context).await,
        RemoteCommand::Trust(wanted) => trust::trust(client, &wanted, common, context).await,
        RemoteCommand::Endpoint(endpoint) => match endpoint.command {
            EndpointCommand::Ls(named) => trust::endpoints(client, &named, common, context).await,
            EndpointCommand::Add(wanted) => trust::add_endpoint(client, &wanted, common, context).await,
            EndpointCommand::Rm(wanted) => trust::remove_endpoint(client, &wanted, common, context).await,
        },
        RemoteCommand::Privileges(_) => Ok(Exit::Done),
    }
}

/// One remote as it came, by name or number.
async fn get(client: &Client, named: &Named) -> Result<Value, Failure> {
    client.get(&path(&["remotes", named.remote.trim()])).await
}

/// A remote's name out of what came.
fn name_of(remote: &Value) -> String {
    remote.get("name").and_then(Value::as_str).unwrap_or_default().to_owned()
}
