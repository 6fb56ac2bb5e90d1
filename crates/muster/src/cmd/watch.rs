//! Lists that go on: [`run`]. The stream says that something changed, and the list is read again; without a stream
//! it is read again now and then.

use std::future::Future;
use std::time::Duration;

use api::list::MAX_LIMIT;
use api::stream::{ListOf, ListSubscription, StreamMessage, Subscriptions, Topic};
use jiff::Timestamp;
use tokio::time::{Instant, sleep_until};

use super::Interrupt;
use super::list::Got;
use crate::cli::Listing;
use crate::client::stream::Events;
use crate::client::{Client, path, with_query};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::term::table::{Table, Tone};
use crate::term::text::{fit, safe};

/// Between two readings of a list of which nobody tells that it changed, and between two tries of a lost server.
const PAUSE: Duration = Duration::from_secs(2);

/// Changes come in swarms; a list is not read more often than this.
const SETTLE: Duration = Duration::from_millis(400);

/// How often ages are counted anew.
const REFRESH: Duration = Duration::from_secs(5);

/// What of the stream tells that a list changed.
#[derive(Debug, Clone, Default)]
pub(super) struct Watched {
    subscriptions: Subscriptions,
}

impl Watched {
    /// These topics.
    pub(super) fn topics(topics: &[Topic]) -> Self {
        let subscriptions =
            Subscriptions { topics: topics.iter().copied().collect(), ..Subscriptions::default() };
        Self { subscriptions }
    }

    /// A list that the stream itself follows, row by row.
    pub(super) fn list(of: ListOf, listing: &Listing) -> Self {
        let list = ListSubscription {
            of,
            q: listing.text().unwrap_or_default(),
            sort: listing.sort.clone().unwrap_or_default(),
            offset: 0,
            limit: Some(listing.limit.unwrap_or(MAX_LIMIT).clamp(1, MAX_LIMIT)),
        };
        let lists = [("main".to_owned(), list)].into();
        // Beyond the part that is followed, the counts tell.
        Self { subscriptions: Subscriptions { topics: [Topic::Counts].into(), lists, events_after: None } }
    }

    /// The same of what a list shows that was asked for otherwise.
    pub(super) fn showing(&self, listing: &Listing) -> Self {
        let mut subscriptions = self.subscriptions.clone();
        if let Some(list) = subscriptions.lists.get_mut("main") {
            list.q = listing.text().unwrap_or_default();
            list.sort = listing.sort.clone().unwrap_or_default();
        }
        Self { subscriptions }
    }

    async fn open(&self, client: &Client) -> Option<Events> {
        open(client, &self.subscriptions).await
    }
}

/// Opens a stream; without one, one asks now and then.
pub(super) async fn open(client: &Client, subscriptions: &Subscriptions) -> Option<Events> {
    let text = serde_json::to_string(subscriptions).ok()?;
    let path = with_query(&path(&["stream"]), &[("subscribe", Some(text))]);
    match client.stream(&path).await {
        Ok(events) => Some(events),
        Err(failure) => {
            tracing::debug!("no stream: {}", failure.sentence);
            None
        }
    }
}

/// Why the list is to be looked at again.
enum Woken {
    Changed,
    Refresh,
    Lost,
    Interrupted,
}

/// Shows a list as it changes, until Ctrl-C.
///
/// # Errors
/// It cannot be asked for the first time, or nothing can be written.
pub(super) async fn run<F>(
    client: &Client,
    watched: &Watched,
    json: bool,
    ask: &(dyn Fn() -> F + Sync),
    table: &(dyn Fn(&Got, Timestamp) -> Table + Sync),
    context: &mut Context<'_>,
) -> Result<Exit, Failure>
where
    F: Future<Output = Result<Got, Failure>>,
{
    let interrupt = Interrupt::heed();
    let mut got = ask().await?;
    let mut screen = Screen::default();
    let mut stream = watched.open(client).await;
    let mut trouble: Option<Failure> = None;
    let mut shown: Option<Got> = None;
    loop {
        let news = shown.as_ref() != Some(&got);
        if json {
            if news {
                context.print(&format!("{}\n", got.json()))?;
            }
        } else if context.paper.columns.is_some() {
            let mut lines = table(&got, super::now()).lines(context.paper);
            if let Some(failure) = &trouble {
                lines.push(Tone::Warn.paint(&safe(&failure.sentence), context.paper.colour));
            }
            screen.draw(&lines, context)?;
        } else if news {
            context.print_lines(&table(&got, super::now()).lines(context.paper))?;
            context.print("\n")?;
        }
        if news {
            shown = Some(got.clone());
        }
        let woken = wait(stream.as_mut(), &interrupt).await;
        match woken {
            Woken::Interrupted => return Ok(Exit::Done),
            // Without a stream every look is a reading.
            Woken::Refresh if stream.is_some() => continue,
            Woken::Lost => stream = None,
            Woken::Refresh | Woken::Changed => {}
        }
        match ask().await {
            Ok(fresh) => {
                got = fresh;
                trouble = None;
                if stream.is_none() {
                    stream = watched.open(client).await;
                }
            }
            Err(failure) => {
                if trouble.as_ref().map(|f| &f.sentence) != Some(&failure.sentence)
                    && (json || context.paper.columns.is_none())
                {
                    context.complain(&failure);
                }
                trouble = Some(failure);
                stream = None;
            }
        }
    }
}

/// Waits for the next reason to look.
async fn wait(stream: Option<&mut Events>, interrupt: &Interrupt) -> Woken {
    let Some(stream) = stream else {
        return tokio::select! {
            () = tokio::time::sleep(PAUSE) => Woken::Changed,
            () = interrupt.wait() => Woken::Interrupted,
        };
    };
    let mut due = Instant::now() + REFRESH;
    let mut changed = false;
    loop {
        tokio::select! {
            message = stream.next() => match message {
                None | Some(StreamMessage::Bye(_)) => return Woken::Lost,
                Some(StreamMessage::Hello(_) | StreamMessage::Heartbeat(_)) => {}
                Some(_) if !changed => {
                    changed = true;
                    due = Instant::now() + SETTLE;
                }
                Some(_) => {}
            },
            () = sleep_until(due) => return if changed { Woken::Changed } else { Woken::Refresh },
            () = interrupt.wait() => return Woken::Interrupted,
        }
    }
}

/// Lines on a terminal that are written over.
#[derive(Debug, Default)]
struct Screen {
    /// How many lines stand there.
    height: usize,
}

impl Screen {
    fn draw(&mut self, lines: &[String], context: &mut Context<'_>) -> Result<(), Failure> {
        let (columns, rows) =
            crossterm::terminal::size().map_or((80, 24), |(c, r)| (usize::from(c), usize::from(r)));
        let room = rows.saturating_sub(1).max(2);
        let mut text = String::new();
        if self.height > 0 {
            text.push_str(&format!("\r\u{1b}[{}A", self.height));
        }
        let hidden = lines.len().saturating_sub(room);
        let kept = if hidden > 0 { room - 1 } else { lines.len() };
        for line in lines.iter().take(kept) {
            text.push_str(line);
            text.push_str("\u{1b}[K\n");
        }
        if hidden > 0 {
            let more =
                format!("{} more below; a query, --sort or --limit brings up others.", lines.len() - kept);
            text.push_str(&fit(&more, columns));
            text.push_str("\u{1b}[K\n");
        }
        text.push_str("\u{1b}[J");
        self.height = kept + usize::from(hidden > 0);
        context.print(&text)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::ask::Scripted;
    use crate::term::table::Paper;

    #[test]
    fn a_table_is_written_over_the_one_before() {
        let (mut out, mut err, mut ask) = (Vec::new(), Vec::new(), Scripted::nobody());
        let mut context = Context {
            timings: fleet::Timings::shrunk(),
            ask: &mut ask,
            out: &mut out,
            err: &mut err,
            paper: Paper { columns: Some(80), colour: false },
            progress: false,
        };
        let mut screen = Screen::default();
        let lines = |n: usize| (0..n).map(|i| format!("line {i}")).collect::<Vec<_>>();
        screen.draw(&lines(3), &mut context).unwrap();
        screen.draw(&lines(1), &mut context).unwrap();
        screen.draw(&lines(5_000), &mut context).unwrap();
        let shown = String::from_utf8(out).unwrap();
        let second = "\r\u{1b}[3Aline 0\u{1b}[K\n\u{1b}[J";
        assert!(shown.starts_with("line 0\u{1b}[K\n"), "{shown:?}");
        assert!(shown.contains(&format!("{second}\r\u{1b}[1A")), "{shown:?}");
        assert!(shown.contains("more below") && shown.lines().count() < 1_000, "it stays on the screen");
    }
}
