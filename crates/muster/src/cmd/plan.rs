//! What would be done, as the server plans it: shown, confirmed, or said in other words. Nothing is sent for it.

use api::guest::Guest;
use api::operation::{MAX_TARGETS, OperationsRequest, Plan, PlanItem, ShowAs};
use jiff::Timestamp;
use model::operation::PowerOptions;
use model::{Action, Availability};
use serde_json::json;

use super::guest::{full_name, label};
use super::list::{counted, maybe, plain};
use crate::cli::Common;
use crate::client::{Client, path};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::term::table::{Column, Table, Tone};
use crate::term::text::safe;
use crate::words;

/// An action on guests, before it is asked for.
pub(super) struct Planned<'a> {
    action: Action,
    guests: &'a [Guest],
    /// One for each guest, in their order.
    items: Vec<PlanItem>,
}

impl<'a> Planned<'a> {
    /// Has the server plan it.
    ///
    /// # Errors
    /// It cannot be asked, or does not understand.
    pub(super) async fn ask(
        client: &Client,
        action: Action,
        options: &PowerOptions,
        guests: &'a [Guest],
    ) -> Result<Self, Failure> {
        let mut items = Vec::with_capacity(guests.len());
        for some in guests.chunks(MAX_TARGETS) {
            let wanted =
                OperationsRequest { targets: super::act::targets(some), action, options: options.clone() };
            let plan: Plan = client.post(&path(&["operations", "plan"]), &wanted).await?;
            items.extend(plan.items);
        }
        Ok(Self { action, guests, items })
    }

    /// Says what would be done.
    pub(super) fn show(&self, common: &Common, context: &mut Context<'_>) -> Result<Exit, Failure> {
        if common.json() {
            return self.json(context);
        }
        context.print_table(&self.table(super::now()))?;
        context.note(&format!("{}. Nothing was done.", self.would_be()));
        Ok(Exit::Done)
    }

    /// Says the same in other words: on the command line, of Proxmox VE, of Muster.
    pub(super) fn show_as(&self, common: &Common, context: &mut Context<'_>) -> Result<Exit, Failure> {
        if common.json() {
            return self.json(context);
        }
        let mut lines = Vec::new();
        for (guest, item) in self.guests.iter().zip(&self.items) {
            lines.push(format!("{} {}", self.action, safe(&full_name(guest))));
            match &item.show_as {
                Some(said) => lines.extend(other_words(said).map(|(_, line)| format!("  {}", safe(&line)))),
                None => lines.push("  nothing to show: it is not there any more".to_owned()),
            }
        }
        context.print_lines(&lines)?;
        context.note("Nothing was done.");
        Ok(Exit::Done)
    }

    fn json(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let total = self.items.len();
        let plan = json!({ "action": self.action, "dry_run": true, "items": self.items, "total": total });
        context.print_json(&plan)?;
        Ok(Exit::Done)
    }

    /// Shows what is about to be done and asks whether that is right.
    pub(super) fn confirm(&self, context: &mut Context<'_>) -> Result<(), Failure> {
        let what = self.would_be();
        if !context.ask.present() {
            return Err(Failure::usage(format!("{what}, and there is nobody to ask whether that is right."))
                .detail(self.guests.iter().take(20).map(full_name))
                .hint("In a script, say --yes; --dry-run shows the plan."));
        }
        for line in self.table(super::now()).lines(context.paper) {
            context.ask.tell(&line);
        }
        if context.ask.confirm(&format!("{what}. Go on?"))? {
            return Ok(());
        }
        Err(Failure::new(Exit::Failed, "Nothing was done."))
    }

    /// How many of these would be what is asked for. What cannot be is said, templates by that name.
    fn would_be(&self) -> String {
        let is_template = |guest: &Guest| guest.row.guest.template == Some(true);
        let templates = self.guests.iter().filter(|guest| is_template(guest)).count();
        let all = self.guests.iter().zip(&self.items);
        let others =
            all.filter(|(guest, item)| !is_template(guest) && !item.availability.is_enabled()).count();
        let can = self.guests.len().saturating_sub(templates + others);
        let mut what = format!("{} would be {}", counted(can, "guest"), participle(self.action));
        match templates {
            0 => {}
            1 => what.push_str("; 1 cannot be, it is a template"),
            n => what.push_str(&format!("; {n} cannot be, they are templates")),
        }
        if others > 0 {
            what.push_str(&format!("; {others} cannot be now"));
        }
        what
    }

    fn table(&self, now: Timestamp) -> Table {
        let mut table = Table::new(vec![
            Column::new("GUEST", 8).whole(),
            Column::new("TYPE", 4).rank(4),
            Column::new("NAME", 14),
            Column::new("NODE", 8).rank(1),
            Column::new("STATE", 8),
            Column::new("SEEN", 8).rank(2),
            Column::new("POSSIBLE", 14),
        ]);
        for (guest, item) in self.guests.iter().zip(&self.items) {
            let (row, facts) = (&guest.row, &guest.row.guest);
            let possible = match &item.availability {
                Availability::Available => (Tone::Good, "yes".to_owned()),
                Availability::MayFail { why } => (Tone::Warn, why.clone()),
                Availability::Disabled { reason, .. } => (Tone::Bad, format!("not now: {reason}")),
            };
            table.row(
                if row.freshness.is_live() { Tone::Plain } else { Tone::Dim },
                vec![
                    plain(label(guest)),
                    plain(facts.kind.to_string()),
                    maybe(facts.name.as_ref()),
                    plain(facts.node.to_string()),
                    (words::state_tone(row), words::state(row)),
                    plain(words::seen(row, now)),
                    possible,
                ],
            );
        }
        table
    }
}

/// An action in other words, each with what speaks so.
pub(super) fn other_words(said: &ShowAs) -> impl Iterator<Item = (&'static str, String)> {
    let command = said.command.clone().map(|command| ("command line", command));
    let call = said.call.as_ref().map(|call| {
        let parameters: Vec<String> = call
            .parameters
            .0
            .iter()
            .map(|(name, value)| {
                format!("{name}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            })
            .collect();
        let line = format!("{} {} {}", call.method, call.path, parameters.join("&"));
        ("Proxmox VE", line.trim_end().to_owned())
    });
    let body = serde_json::to_string(&said.api.body).unwrap_or_default();
    let api = ("Muster", format!("{} {} {body}", said.api.method, said.api.path));
    command.into_iter().chain(call).chain([api])
}

/// `These 3 guests would be stopped`: verbs of all actions.
fn participle(action: Action) -> &'static str {
    match action {
        Action::Start => "started",
        Action::Shutdown => "shut down",
        Action::Stop => "stopped at once",
        Action::Reboot => "rebooted",
        Action::Reset => "reset at once",
        Action::Suspend => "suspended",
        Action::Hibernate => "suspended to disk",
        Action::Resume => "resumed",
    }
}
