//! The loop of the live table: keys, changes of the fleet and the passing of time in, pictures and wishes out.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use crossterm::event::{Event, EventStream, KeyEventKind};
use fleet::{Clock, DisconnectError, Fleet, OperateError};
use futures_util::StreamExt;
use model::id::GuestKey;
use model::operation::{Action, Author, OperationState, PowerOptions};
use model::{LinkState, OperationId, RemoteId};
use ratatui::DefaultTerminal;
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};

use super::draw::draw;
use super::lines::picture;
use super::picture::{Picture, RowId};
use super::ui::{Notice, Ui, Wish};
use crate::words;

/// How often ages are drawn anew when nothing else happens.
const TICK: Duration = Duration::from_secs(1);

/// How long a line at the bottom stays.
const NOTICE: Duration = Duration::from_secs(8);

/// No more pictures than this a second, however much changes.
const LEAST_BETWEEN: Duration = Duration::from_millis(50);

/// What is said on the screen beside the fleet.
#[derive(Debug, Clone)]
pub struct Screen {
    /// The words in the top left corner.
    pub title: String,
    /// The first line at the bottom.
    pub greeting: Option<String>,
    /// In whose name actions are taken.
    pub author: Author,
    /// How long an operation waits for a link that is not up.
    pub patience: Duration,
}

/// Shows `fleet` until the person leaves or the process is asked to end. Puts the terminal back as it was.
///
/// # Errors
/// The terminal cannot be read or written.
pub async fn run(fleet: &Fleet, clock: Clock, screen: Screen) -> io::Result<()> {
    let mut terminal = ratatui::try_init()?;
    let mut ui = Ui::new();
    ui.notice = screen.greeting.clone().map(|text| Notice { text, bad: false });
    let (answer, answers) = mpsc::unbounded_channel();
    let table =
        Table { fleet, clock, screen, ui, watched: HashMap::new(), answer, answers, asking: 0, said: None };
    let outcome = table.show(&mut terminal).await;
    ratatui::restore();
    outcome
}

struct Table<'a> {
    fleet: &'a Fleet,
    clock: Clock,
    screen: Screen,
    ui: Ui,
    /// Operations begun here, with the last state that was told.
    watched: HashMap<OperationId, &'static str>,
    /// Wishes that the fleet looks at: it may ask the host first, and the screen does not wait for that.
    answer: mpsc::UnboundedSender<Answer>,
    answers: mpsc::UnboundedReceiver<Answer>,
    asking: usize,
    /// When the line at the bottom was first shown.
    said: Option<(Notice, Instant)>,
}

/// What the fleet said to a wish.
struct Answer {
    key: GuestKey,
    name: String,
    action: Action,
    outcome: Result<OperationId, OperateError>,
}

impl Table<'_> {
    async fn show(mut self, terminal: &mut DefaultTerminal) -> io::Result<()> {
        let mut keys = EventStream::new();
        let mut changed = self.fleet.changed();
        let mut tick: Interval = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut calm: Interval = interval(LEAST_BETWEEN);
        calm.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ended = std::pin::pin!(asked_to_end());
        loop {
            let now = self.clock.now();
            let picture = picture(&self.fleet.snapshot(), now, self.screen.patience);
            self.tell_news();
            self.let_go_of_notice();
            terminal.draw(|frame| draw(frame, &picture, &mut self.ui, &self.screen.title))?;
            tokio::select! {
                key = keys.next() => match key {
                    Some(Ok(Event::Key(key))) if key.kind != KeyEventKind::Release => {
                        if let Some(wish) = self.ui.key(key, &picture) {
                            if wish == Wish::QuitAnyway || (wish == Wish::Quit && self.may_leave()) {
                                return Ok(());
                            }
                            self.carry_out(wish, &picture).await;
                        }
                    }
                    Some(Ok(_)) => {}
                    Some(Err(e)) => return Err(e),
                    None => return Ok(()),
                },
                outcome = changed.changed() => {
                    if outcome.is_err() {
                        return Ok(());
                    }
                    calm.tick().await;
                }
                answer = self.answers.recv() => if let Some(answer) = answer {
                    self.asking = self.asking.saturating_sub(1);
                    self.told(answer);
                },
                _ = tick.tick() => {}
                () = &mut ended => return Ok(()),
            }
        }
    }

    async fn carry_out(&mut self, wish: Wish, picture: &Picture) {
        let notice = match wish {
            Wish::Act(id, action) => {
                let RowId::Guest(key) = &id else { return };
                let name =
                    picture.guest(&id).map(|g| format!("{} ({})", g.title(), g.label)).unwrap_or_default();
                let (fleet, author, answer) =
                    (self.fleet.clone(), self.screen.author.clone(), self.answer.clone());
                let (key, asked) = (*key, format!("{action} {name}: asked for"));
                self.asking += 1;
                tokio::spawn(async move {
                    let outcome =
                        fleet.operate(key.remote, key.vmid, action, PowerOptions::default(), author).await;
                    let _ = answer.send(Answer { key, name, action, outcome });
                });
                Notice { text: asked, bad: false }
            }
            Wish::TryNow(id) => match remote_of(&id) {
                Some(remote) => {
                    told(name_of(&id, picture), self.fleet.try_now(remote).await.map(|()| "trying now"))
                }
                None => return,
            },
            Wish::ToggleLink(id) => match self.toggle(&id, name_of(&id, picture), false).await {
                Some(notice) => notice,
                None => return,
            },
            Wish::DisconnectAnyway(id) => match self.toggle(&id, name_of(&id, picture), true).await {
                Some(notice) => notice,
                None => return,
            },
            Wish::Quit | Wish::QuitAnyway => return,
        };
        self.ui.notice = Some(notice);
    }

    /// Says what came of a wish.
    fn told(&mut self, answer: Answer) {
        let Answer { key, name, action, outcome } = answer;
        let error = match outcome {
            Ok(operation) => {
                self.watched.insert(operation, "");
                return;
            }
            Err(error) => error,
        };
        let remote = self.fleet.remote(key.remote);
        let row = remote.as_ref().and_then(|r| r.guest(key.vmid).map(|row| (&**r, row)));
        let notice = match (&error, row) {
            (OperateError::Disabled { reason, .. }, Some((_, row)))
                if words::fulfilled(action, row.guest.kind, reason) =>
            {
                Notice { text: format!("{action} {name}: {reason}. Nothing to do."), bad: false }
            }
            (OperateError::Disabled { reason, remedy }, Some((remote, row))) => {
                let reason = words::refusal(remote, row, reason);
                let text = format!("Cannot {} {name}: {reason}. {remedy}", words::verb(action));
                Notice { text, bad: true }
            }
            _ => Notice { text: format!("Cannot {} {name}: {error}.", words::verb(action)), bad: true },
        };
        self.ui.notice = Some(notice);
    }

    /// Whether nothing that was begun here is open; if something is, that is asked about.
    fn may_leave(&mut self) -> bool {
        let snapshot = self.fleet.snapshot();
        let states = snapshot.remotes.iter().flat_map(|r| r.operations.iter());
        let (mut unsent, mut open) = (self.asking, 0);
        for operation in states.filter(|o| self.watched.contains_key(&o.id) && !o.state.is_final()) {
            match operation.state {
                OperationState::Pending => unsent += 1,
                _ => open += 1,
            }
        }
        if unsent + open == 0 {
            return true;
        }
        self.ui.ask_to_quit(unsent, open);
        false
    }

    /// Takes the line at the bottom away once it has been there for a while.
    fn let_go_of_notice(&mut self) {
        match (&self.ui.notice, &self.said) {
            (None, _) => self.said = None,
            (Some(notice), Some((said, since))) if notice == said => {
                if since.elapsed() >= NOTICE {
                    self.ui.notice = None;
                    self.said = None;
                }
            }
            (Some(notice), _) => self.said = Some((notice.clone(), Instant::now())),
        }
    }

    /// Disconnects a remote, or connects it again. Open operations are asked about first, unless they have been.
    async fn toggle(&mut self, id: &RowId, name: String, even_with_open: bool) -> Option<Notice> {
        let remote = remote_of(id)?;
        let state = self.fleet.remote(remote).map(|r| r.link.state.clone());
        if matches!(state, Some(LinkState::Disconnected { .. })) {
            return Some(told(
                name,
                self.fleet.connect(remote, &self.screen.author).await.map(|()| "connecting"),
            ));
        }
        match self.fleet.disconnect(remote, &self.screen.author, even_with_open).await {
            Err(DisconnectError::OpenOperations(open)) => {
                self.ui.ask_to_disconnect(id.clone(), &name, open.len());
                None
            }
            outcome => Some(told(name, outcome.map(|()| "disconnected; c connects it again"))),
        }
    }

    /// Puts the news of operations begun here on the line at the bottom.
    fn tell_news(&mut self) {
        let snapshot = self.fleet.snapshot();
        let all = snapshot.remotes.iter().flat_map(|r| r.operations.iter().map(move |o| (r, o)));
        for (remote, operation) in all {
            let Some(told) = self.watched.get_mut(&operation.id) else { continue };
            let word = operation.state.word();
            if *told == word {
                continue;
            }
            *told = word;
            let name =
                operation.name.as_ref().map_or_else(|| operation.guest.vmid.to_string(), ToString::to_string);
            let bad = operation.state.is_final() && !operation.state.is_success();
            self.ui.notice = Some(Notice {
                text: format!(
                    "{} {name}: {}",
                    operation.action,
                    words::operation(operation, remote.link.state.is_up(), self.screen.patience)
                ),
                bad,
            });
            if operation.state.is_final() {
                self.watched.remove(&operation.id);
            }
        }
    }
}

fn remote_of(id: &RowId) -> Option<RemoteId> {
    match id {
        RowId::Remote(remote) => Some(*remote),
        RowId::Guest(_) | RowId::Task(..) => None,
    }
}

fn name_of(id: &RowId, picture: &Picture) -> String {
    picture.remote(id).map(|r| r.name.clone()).unwrap_or_default()
}

fn told<E: std::fmt::Display>(name: String, outcome: Result<&'static str, E>) -> Notice {
    match outcome {
        Ok(said) => Notice { text: format!("{name}: {said}"), bad: false },
        Err(error) => Notice { text: format!("{name}: {error}"), bad: true },
    }
}

/// Completes when the process is asked to end.
async fn asked_to_end() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let (Ok(mut term), Ok(mut hup)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup())) {
            tokio::select! { _ = term.recv() => {}, _ = hup.recv() => {} }
            return;
        }
    }
    std::future::pending::<()>().await;
}
