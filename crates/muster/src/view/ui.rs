//! What the person is doing at the live table: tab, selection, filter, questions. Pure; see [`Ui::key`].
//!
//! Two rules make it calm. The selection belongs to a thing, not to a line: whatever comes and goes around
//! it, the same guest stays selected, and on the same line of the screen. And nothing that costs is done by
//! one key: stopping asks first, and says what may be lost.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use model::operation::Action;

use super::picture::{GuestLine, Picture, RowId};

/// The three lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tab {
    /// Containers and virtual machines.
    #[default]
    Guests,
    /// Hosts and clusters, with their links.
    Remotes,
    /// What runs and what ran.
    Tasks,
}

impl Tab {
    /// All, in the order of the screen.
    pub const ALL: [Self; 3] = [Self::Guests, Self::Remotes, Self::Tasks];

    /// The word on the tab.
    pub fn title(self) -> &'static str {
        match self {
            Self::Guests => "Guests",
            Self::Remotes => "Remotes",
            Self::Tasks => "Tasks",
        }
    }

    fn index(self) -> usize {
        match self {
            Self::Guests => 0,
            Self::Remotes => 1,
            Self::Tasks => 2,
        }
    }

    fn next(self) -> Self {
        match self {
            Self::Guests => Self::Remotes,
            Self::Remotes => Self::Tasks,
            Self::Tasks => Self::Guests,
        }
    }

    fn previous(self) -> Self {
        self.next().next()
    }
}

/// What the keyboard is for at the moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Mode {
    /// Moving about.
    #[default]
    Browse,
    /// Typing the filter.
    Filter,
    /// Reading the help.
    Help,
    /// Answering whether to do something that costs.
    Confirm(Question),
}

/// Something to be confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What is to be done.
    pub wish: Wish,
    /// The thing, as the question names it.
    pub about: String,
    /// What may be lost, or other words of warning.
    pub warning: Vec<String>,
}

/// What the person wants done; the loop carries it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// An action on a guest.
    Act(RowId, Action),
    /// Try a link now instead of waiting.
    TryNow(RowId),
    /// End a remote's session, or begin one again.
    ToggleLink(RowId),
    /// End a remote's session although operations on it are open.
    DisconnectAnyway(RowId),
    /// Leave; asked about first while something begun here has not ended.
    Quit,
    /// Leave all the same.
    QuitAnyway,
}

/// One list's selection and scroll position.
#[derive(Debug, Clone, Default)]
struct Place {
    /// What the person chose. Before they chose anything it is the first row, whichever that is: the first rows to
    /// arrive must not pull the list along.
    selected: Option<RowId>,
    /// Where the selected row was last: the next one to take when it is gone.
    index: usize,
    top: usize,
    /// Only rows with this text are shown: each list has its own.
    filter: String,
}

/// The state of the screen that is the person's own.
#[derive(Debug, Clone, Default)]
pub struct Ui {
    /// Which list is shown.
    pub tab: Tab,
    /// What the keys mean.
    pub mode: Mode,
    /// Is the panel with details open?
    pub details: bool,
    /// The line above the keys: what the last key led to.
    pub notice: Option<Notice>,
    /// The first line of the help that is shown.
    pub help_top: usize,
    places: [Place; 3],
    /// Lines for rows on the screen, as last drawn.
    height: usize,
}

/// A line for the person about what they just did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The words.
    pub text: String,
    /// Is it bad news?
    pub bad: bool,
}

impl Ui {
    /// The screen as it opens.
    pub fn new() -> Self {
        Self { details: true, height: 20, ..Self::default() }
    }

    /// Asks whether to disconnect a remote on which operations have not ended.
    pub fn ask_to_disconnect(&mut self, id: RowId, name: &str, open: usize) {
        let (noun, has) = if open == 1 { ("operation", "has") } else { ("operations", "have") };
        self.mode = Mode::Confirm(Question {
            wish: Wish::DisconnectAnyway(id),
            about: format!("Disconnect {name}? {open} {noun} on it {has} not ended."),
            warning: vec![
                "What was begun goes on there, but is not followed while disconnected.".to_owned(),
                "It is taken up again on connecting.".to_owned(),
            ],
        });
    }

    /// Asks whether to leave while something that was begun here has not ended.
    pub fn ask_to_quit(&mut self, unsent: usize, open: usize) {
        let count = |n: usize, what: &str| match n {
            1 => format!("1 operation {what}"),
            n => format!("{n} operations {what}"),
        };
        let about = match (unsent, open) {
            (0, open) => format!("{}.", count(open, "still going on")),
            (unsent, 0) => format!("{}.", count(unsent, "not sent yet")),
            (unsent, open) => {
                format!("{}, {}.", count(unsent, "not sent yet"), count(open, "still going on"))
            }
        };
        let mut warning = Vec::new();
        if unsent > 0 {
            warning.push("What is not sent yet will not be, once you leave.".to_owned());
        }
        if open > 0 {
            warning.push("What was sent goes on there; nobody here will see how it ends.".to_owned());
        }
        self.mode =
            Mode::Confirm(Question { wish: Wish::QuitAnyway, about: format!("Leave? {about}"), warning });
    }

    /// The text that the rows of this list have.
    pub fn filter(&self) -> &str {
        &self.place().filter
    }

    /// Shows only rows with this text in this list.
    pub fn set_filter(&mut self, text: &str) {
        text.clone_into(&mut self.place_mut().filter);
    }

    /// The ids of the rows that the filter leaves, in order.
    pub fn rows(&self, picture: &Picture) -> Vec<RowId> {
        let needle = self.filter().to_lowercase();
        let hit = |text: &str| needle.is_empty() || text.contains(&needle);
        match self.tab {
            Tab::Guests => picture.guests.iter().filter(|g| hit(&g.haystack)).map(|g| g.id.clone()).collect(),
            Tab::Remotes => {
                picture.remotes.iter().filter(|r| hit(&r.haystack)).map(|r| r.id.clone()).collect()
            }
            Tab::Tasks => picture.tasks.iter().filter(|t| hit(&t.haystack)).map(|t| t.id.clone()).collect(),
        }
    }

    /// Brings selection and scrolling in line with what is there now. To be called before every drawing, with
    /// the number of lines there are for rows. Returns the first row to draw and the selected one.
    pub fn settle(&mut self, rows: &[RowId], height: usize) -> (usize, Option<usize>) {
        self.height = height.max(1);
        let height = self.height;
        let place = self.place_mut();
        if rows.is_empty() {
            // The selection is kept: when the filter goes, the same guest is selected again.
            return (0, None);
        }
        let before = place.index;
        let now = place.selected.as_ref().and_then(|id| rows.iter().position(|row| row == id));
        let index = match now {
            Some(index) => {
                // Rows that came or went above move the list, not the selected line.
                let shifted = place.top.saturating_add(index);
                place.top = shifted.saturating_sub(before);
                index
            }
            None => before.min(rows.len() - 1),
        };
        place.index = index;
        if index < place.top {
            place.top = index;
        } else if index >= place.top + height {
            place.top = index + 1 - height;
        }
        place.top = place.top.min(rows.len().saturating_sub(height));
        (place.top, Some(index))
    }

    /// The selected row's id, if it is among `rows`.
    pub fn selected(&self, rows: &[RowId]) -> Option<RowId> {
        let place = self.place();
        match &place.selected {
            Some(id) if rows.contains(id) => Some(id.clone()),
            _ => rows.get(place.index.min(rows.len().saturating_sub(1))).cloned(),
        }
    }

    fn place(&self) -> &Place {
        let [guests, remotes, tasks] = &self.places;
        match self.tab.index() {
            0 => guests,
            1 => remotes,
            _ => tasks,
        }
    }

    fn place_mut(&mut self) -> &mut Place {
        let [guests, remotes, tasks] = &mut self.places;
        match self.tab {
            Tab::Guests => guests,
            Tab::Remotes => remotes,
            Tab::Tasks => tasks,
        }
    }

    /// One key. Returns what is to be done, if anything.
    pub fn key(&mut self, key: KeyEvent, picture: &Picture) -> Option<Wish> {
        if key.modifiers.contains(KeyModifiers::CONTROL) && matches!(key.code, KeyCode::Char('c' | 'C')) {
            let asked = matches!(&self.mode, Mode::Confirm(q) if q.wish == Wish::QuitAnyway);
            return Some(if asked { Wish::QuitAnyway } else { Wish::Quit });
        }
        // What was said has been read by whoever goes on.
        self.notice = None;
        match std::mem::take(&mut self.mode) {
            Mode::Browse => self.browse(key, picture),
            Mode::Filter => {
                self.type_filter(key);
                None
            }
            Mode::Help => {
                self.read_help(key);
                None
            }
            Mode::Confirm(question) => match key.code {
                KeyCode::Char('y' | 'Y') => Some(question.wish),
                KeyCode::Char('n' | 'N' | 'q') | KeyCode::Esc | KeyCode::Enter => {
                    self.notice = Some(Notice { text: "Nothing was done.".to_owned(), bad: false });
                    None
                }
                // Any other key is a slip, not an answer.
                _ => {
                    self.mode = Mode::Confirm(question);
                    None
                }
            },
        }
    }

    /// Arrows move the help, where it is longer than the screen; any other key closes it.
    fn read_help(&mut self, key: KeyEvent) {
        self.help_top = match key.code {
            KeyCode::Down | KeyCode::PageDown | KeyCode::Char('j') => self.help_top + 1,
            KeyCode::Up | KeyCode::PageUp | KeyCode::Char('k') => self.help_top.saturating_sub(1),
            _ => {
                self.help_top = 0;
                return;
            }
        };
        self.mode = Mode::Help;
    }

    fn type_filter(&mut self, key: KeyEvent) {
        match key.code {
            KeyCode::Enter => return,
            KeyCode::Esc => {
                self.place_mut().filter.clear();
                return;
            }
            KeyCode::Backspace => {
                self.place_mut().filter.pop();
            }
            KeyCode::Char('u') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                self.place_mut().filter.clear();
            }
            KeyCode::Char(c) if !key.modifiers.contains(KeyModifiers::CONTROL) && !c.is_control() => {
                self.place_mut().filter.push(c);
            }
            _ => {}
        }
        self.mode = Mode::Filter;
    }

    fn browse(&mut self, key: KeyEvent, picture: &Picture) -> Option<Wish> {
        let rows = self.rows(picture);
        let page = self.height.saturating_sub(1).max(1);
        match key.code {
            KeyCode::Char('q') => return Some(Wish::Quit),
            KeyCode::Char('?') | KeyCode::F(1) => self.mode = Mode::Help,
            KeyCode::Char('/') => self.mode = Mode::Filter,
            KeyCode::Esc => {
                self.place_mut().filter.clear();
            }
            KeyCode::Tab | KeyCode::Right => self.tab = self.tab.next(),
            KeyCode::BackTab | KeyCode::Left => self.tab = self.tab.previous(),
            KeyCode::Char('1') => self.tab = Tab::Guests,
            KeyCode::Char('2') => self.tab = Tab::Remotes,
            KeyCode::Char('3') => self.tab = Tab::Tasks,
            KeyCode::Enter => self.details = !self.details,
            KeyCode::Up | KeyCode::Char('k') => self.step(&rows, |i, _| i.saturating_sub(1)),
            KeyCode::Down | KeyCode::Char('j') => self.step(&rows, |i, _| i + 1),
            KeyCode::PageUp => self.step(&rows, |i, _| i.saturating_sub(page)),
            KeyCode::PageDown => self.step(&rows, |i, _| i + page),
            KeyCode::Home | KeyCode::Char('g') => self.step(&rows, |_, _| 0),
            KeyCode::End | KeyCode::Char('G') => self.step(&rows, |_, last| last),
            KeyCode::Char('s') => return self.act(&rows, picture, Action::Start),
            KeyCode::Char('d') => return self.act(&rows, picture, Action::Shutdown),
            KeyCode::Char('b') => return self.act(&rows, picture, Action::Reboot),
            KeyCode::Char('x') => return self.act(&rows, picture, Action::Stop),
            KeyCode::Char('r') => return self.act(&rows, picture, Action::Resume),
            KeyCode::Char('p') => return self.act(&rows, picture, Action::Suspend),
            KeyCode::Char('t') => return self.on_remote(&rows, picture).map(Wish::TryNow),
            KeyCode::Char('c') => return self.on_remote(&rows, picture).map(Wish::ToggleLink),
            _ => {}
        }
        None
    }

    fn step(&mut self, rows: &[RowId], to: impl FnOnce(usize, usize) -> usize) {
        let Some(last) = rows.len().checked_sub(1) else { return };
        let place = self.place_mut();
        let at = place.selected.as_ref().and_then(|id| rows.iter().position(|row| row == id));
        let at = at.unwrap_or(place.index.min(last));
        let index = to(at, last).min(last);
        place.index = index;
        place.selected = rows.get(index).cloned();
    }

    /// The remote that a key concerns: the selected one, or the one of the selected guest.
    fn on_remote(&mut self, rows: &[RowId], picture: &Picture) -> Option<RowId> {
        let id = self.selected(rows)?;
        let remote = match self.tab {
            Tab::Remotes => Some(id),
            Tab::Guests => picture.guest(&id).map(|g| g.remote_id.clone()),
            Tab::Tasks => None,
        };
        if remote.is_none() {
            self.notice = Some(Notice { text: "Select a remote or a guest first.".to_owned(), bad: true });
        }
        remote
    }

    fn act(&mut self, rows: &[RowId], picture: &Picture, action: Action) -> Option<Wish> {
        let guest = match self.tab {
            Tab::Guests => self.selected(rows).and_then(|id| picture.guest(&id).cloned()),
            Tab::Remotes | Tab::Tasks => None,
        };
        let Some(guest) = guest else {
            self.notice = Some(Notice { text: "Select a guest first (tab 1).".to_owned(), bad: true });
            return None;
        };
        // What was acted on stays selected, also when the filter that brought it up is taken off.
        self.place_mut().selected = Some(guest.id.clone());
        // What is seen here may be old: whether it can be done is not judged by it.
        let wish = Wish::Act(guest.id.clone(), action);
        if action == Action::Stop {
            self.mode =
                Mode::Confirm(Question { about: stop_question(&guest), warning: stop_warning(&guest), wish });
            return None;
        }
        Some(wish)
    }
}

fn stop_question(guest: &GuestLine) -> String {
    let node =
        if guest.node.is_empty() { "an unknown node".to_owned() } else { format!("node {}", guest.node) };
    format!("Stop {} {} ({}) on {node} at once?", guest.noun, guest.title(), guest.label)
}

fn stop_warning(guest: &GuestLine) -> Vec<String> {
    let mut lines = vec![
        "This is like pulling the plug: what it has not yet written to disk is lost,".to_owned(),
        "and its file systems may need a check. Shutdown (d) asks it to end by itself.".to_owned(),
    ];
    if guest.ha {
        lines.push("High availability manages it: stopping asks the cluster to keep it stopped.".to_owned());
    }
    if let Some(why) = guest.refusal(Action::Stop).or_else(|| guest.may_fail.clone()) {
        lines.push(why);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::table::Tone;
    use model::id::{GuestKey, RemoteId, Vmid};

    fn id(vmid: u32) -> RowId {
        RowId::Guest(GuestKey { remote: RemoteId(1), vmid: Vmid(vmid) })
    }

    fn guest(vmid: u32, name: &str) -> GuestLine {
        GuestLine {
            id: id(vmid),
            remote_id: RowId::Remote(RemoteId(1)),
            label: format!("lab/{vmid}"),
            kind: "ct",
            noun: "container",
            name: name.to_owned(),
            node: "pve1".to_owned(),
            state: "running".to_owned(),
            tone: Tone::Good,
            dim: false,
            cpu: String::new(),
            memory: String::new(),
            uptime: String::new(),
            note: String::new(),
            ha: false,
            may_fail: None,
            refused: Vec::new(),
            facts: Vec::new(),
            operation: None,
            haystack: format!("lab/{vmid} {name} running"),
        }
    }

    fn picture(vmids: impl IntoIterator<Item = u32>) -> Picture {
        Picture {
            guests: vmids.into_iter().map(|v| guest(v, &format!("g{v}"))).collect(),
            ..Picture::default()
        }
    }

    fn press(ui: &mut Ui, picture: &Picture, keys: &str) -> Vec<Wish> {
        keys.chars().filter_map(|c| ui.key(KeyEvent::from(KeyCode::Char(c)), picture)).collect()
    }

    #[test]
    fn the_selection_stays_with_the_guest_and_on_its_line() {
        let mut ui = Ui::new();
        let before = picture(100..200);
        let rows = ui.rows(&before);
        ui.settle(&rows, 10);
        press(&mut ui, &before, &"j".repeat(50));
        let (top, selected) = ui.settle(&rows, 10);
        assert_eq!(selected, Some(50));

        // Five guests turn up above it, three below it go.
        let after = picture((90..95).chain(100..170));
        let rows = ui.rows(&after);
        let (new_top, new_selected) = ui.settle(&rows, 10);
        assert_eq!(ui.selected(&rows), Some(id(150)));
        assert_eq!(new_selected, Some(55));
        assert_eq!(new_top - top, 5, "the selected line does not move on the screen");
    }

    #[test]
    fn what_arrives_first_does_not_pull_the_list_along() {
        let mut ui = Ui::new();
        let early = picture(150..155);
        let rows = ui.rows(&early);
        assert_eq!(ui.settle(&rows, 10), (0, Some(0)));
        let all = picture(100..155);
        let rows = ui.rows(&all);
        assert_eq!(ui.settle(&rows, 10), (0, Some(0)));
        assert_eq!(
            press(&mut ui, &all, "s"),
            [Wish::Act(id(100), Action::Start)],
            "what is marked is what is meant"
        );
        let more = picture(90..155);
        let rows = ui.rows(&more);
        ui.settle(&rows, 10);
        assert_eq!(ui.selected(&rows), Some(id(100)), "and from then on it stays");
    }

    #[test]
    fn a_filter_hides_and_gives_back() {
        let mut ui = Ui::new();
        let all = picture(100..120);
        let rows = ui.rows(&all);
        ui.settle(&rows, 10);
        press(&mut ui, &all, "jjjjj");
        assert_eq!(ui.selected(&ui.rows(&all)), Some(id(105)));

        press(&mut ui, &all, "/g11q?s");
        assert_eq!(ui.mode, Mode::Filter, "letters are text here, not commands");
        assert_eq!(ui.filter(), "g11q?s");
        for _ in 0..3 {
            ui.key(KeyEvent::from(KeyCode::Backspace), &all);
        }
        let rows = ui.rows(&all);
        assert_eq!(rows.len(), 10);
        ui.settle(&rows, 10);
        ui.key(KeyEvent::from(KeyCode::Esc), &all);
        let rows = ui.rows(&all);
        ui.settle(&rows, 10);
        assert_eq!(ui.selected(&rows), Some(id(105)), "the same guest as before the filter");
        press(&mut ui, &all, "/g1");
        ui.key(KeyEvent::from(KeyCode::Enter), &all);
        press(&mut ui, &all, "2");
        assert_eq!(ui.filter(), "", "each list has its own");
        press(&mut ui, &all, "1");
        assert_eq!(ui.filter(), "g1");
    }

    #[test]
    fn stop_asks_first_and_names_what_it_is_about() {
        let mut ui = Ui::new();
        let there = picture([101]);
        let rows = ui.rows(&there);
        ui.settle(&rows, 10);
        assert_eq!(press(&mut ui, &there, "s"), [Wish::Act(id(101), Action::Start)]);
        assert_eq!(press(&mut ui, &there, "x"), []);
        let Mode::Confirm(question) = ui.mode.clone() else { panic!("{:?}", ui.mode) };
        assert_eq!(question.about, "Stop container g101 (lab/101) on node pve1 at once?");
        assert!(question.warning.concat().contains("lost"));
        assert_eq!(press(&mut ui, &there, "sd "), [], "only y is yes");
        assert_eq!(press(&mut ui, &there, "n"), []);
        assert_eq!(press(&mut ui, &there, "xy"), [Wish::Act(id(101), Action::Stop)]);
        assert_eq!(ui.mode, Mode::Browse);
    }

    #[test]
    fn leaving_is_asked_about_once() {
        let mut ui = Ui::new();
        let there = picture([101]);
        assert_eq!(press(&mut ui, &there, "q"), [Wish::Quit]);
        ui.ask_to_quit(1, 2);
        let Mode::Confirm(question) = ui.mode.clone() else { panic!("{:?}", ui.mode) };
        assert_eq!(question.about, "Leave? 1 operation not sent yet, 2 operations still going on.");
        assert_eq!(press(&mut ui, &there, "n"), []);
        ui.ask_to_quit(0, 1);
        assert_eq!(press(&mut ui, &there, "y"), [Wish::QuitAnyway]);
    }

    #[test]
    fn what_cannot_be_done_is_asked_for_all_the_same() {
        let mut ui = Ui::new();
        let mut there = picture([101]);
        there.guests[0].refused = vec![(Action::Start, "it is running already".to_owned())];
        let rows = ui.rows(&there);
        ui.settle(&rows, 10);
        let asked = press(&mut ui, &there, "s");
        assert_eq!(asked, [Wish::Act(id(101), Action::Start)], "what is on the screen refuses nothing");
        assert_eq!(press(&mut ui, &there, "2s"), []);
        assert!(ui.notice.as_ref().unwrap().text.contains("Select a guest"));
    }

    #[test]
    fn an_empty_list_and_a_vanished_row_do_no_harm() {
        let mut ui = Ui::new();
        let nothing = Picture::default();
        assert_eq!(ui.settle(&[], 10), (0, None));
        assert_eq!(press(&mut ui, &nothing, "jkgGsdbxtc"), []);
        let some = picture(100..105);
        let rows = ui.rows(&some);
        ui.settle(&rows, 10);
        press(&mut ui, &some, "G");
        let fewer = picture(100..103);
        let rows = ui.rows(&fewer);
        assert_eq!(ui.settle(&rows, 10), (0, Some(2)));
        assert_eq!(ui.selected(&rows), Some(id(102)));
    }
}
