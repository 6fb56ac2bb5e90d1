//! Draws a [`Picture`] and the person's [`Ui`] into a frame. Decides nothing.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Borders, Cell, Clear, Padding, Paragraph, Row, Table, Wrap};

use model::operation::Action;

use super::picture::{Fact, GuestLine, Picture, RemoteLine, RowId, TaskLine};
use super::ui::{Mode, Question, Tab, Ui};
use crate::term::table::Tone;
use crate::term::text::{fit, pad_right, safe, width, wrap};

/// Columns from which the panel stands beside the list and not below it.
const WIDE: u16 = 150;

/// Below this nothing can be read.
const LEAST: (u16, u16) = (40, 10);

const HELP: [(&str, &str); 24] = [
    ("↑ ↓ j k", "one row"),
    ("PgUp PgDn", "one page"),
    ("g G", "first, last"),
    ("Tab 1 2 3", "guests, remotes, tasks"),
    ("/", "filter: name, number, node, state, #tag, remote"),
    ("Esc", "filter off"),
    ("Enter", "details on and off"),
    ("", ""),
    ("s", "start the guest"),
    ("d", "shut it down: it ends by itself"),
    ("b", "reboot it"),
    ("x", "stop it at once (asks first)"),
    ("p", "pause it, keeping its memory"),
    ("r", "resume it"),
    ("", ""),
    ("t", "try the remote's link now"),
    ("c", "disconnect the remote, or connect it again"),
    ("", ""),
    ("2/3", "nodes online, guests running, of all there are"),
    ("~2/3", "the same as last seen: not all of it is live"),
    ("?/3", "not known how many of them"),
    ("", ""),
    ("?", "this help"),
    ("q", "quit; what was begun goes on there"),
];

fn style(tone: Tone) -> Style {
    match tone {
        Tone::Plain => Style::new(),
        Tone::Dim => Style::new().add_modifier(Modifier::DIM),
        Tone::Good => Style::new().fg(Color::Green),
        Tone::Warn => Style::new().fg(Color::Yellow),
        Tone::Bad => Style::new().fg(Color::Red),
        Tone::Bold => Style::new().add_modifier(Modifier::BOLD),
    }
}

/// Draws everything. Corrects the person's scroll position for the room there is.
pub fn draw(frame: &mut Frame<'_>, picture: &Picture, ui: &mut Ui, title: &str) {
    let area = frame.area();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let text = format!("Too small: {} × {} at least.", LEAST.0, LEAST.1);
        frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: true }), area);
        return;
    }
    let [top, body, notice, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Min(3),
        Constraint::Length(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());

    head(frame, top, picture, ui, title);
    let rows = ui.rows(picture);
    let (list, panel) = split(body, ui);
    list_of(frame, list, picture, ui, &rows);
    if let Some(panel) = panel {
        details(frame, panel, picture, ui, &rows);
    }
    let guest = ui.selected(&rows).and_then(|id| picture.guest(&id).cloned());
    bottom(frame, notice, keys, ui, guest.as_ref());
    match &ui.mode {
        Mode::Help => help(frame, &mut ui.help_top),
        Mode::Confirm(question) => confirm(frame, question),
        Mode::Browse | Mode::Filter => {}
    }
}

fn split(body: Rect, ui: &Ui) -> (Rect, Option<Rect>) {
    if !ui.details || body.height < 12 {
        return (body, None);
    }
    if body.width >= WIDE {
        let [list, panel] = Layout::horizontal([Constraint::Min(90), Constraint::Length(58)]).areas(body);
        (list, Some(panel))
    } else {
        // What is wrong with a link, and what to do about it, takes more lines than a guest does.
        let height = match ui.tab {
            Tab::Remotes => (body.height * 3 / 5).clamp(6, 20),
            Tab::Guests | Tab::Tasks => (body.height * 2 / 5).clamp(6, 14),
        };
        let [list, panel] = Layout::vertical([Constraint::Min(5), Constraint::Length(height)]).areas(body);
        (list, Some(panel))
    }
}

fn head(frame: &mut Frame<'_>, area: Rect, picture: &Picture, ui: &Ui, title: &str) {
    let mut spans =
        vec![Span::styled(format!(" {title} "), style(Tone::Bold).fg(Color::Cyan)), Span::raw(" ")];
    for tab in Tab::ALL {
        let count = match tab {
            Tab::Guests => picture.guests.len(),
            Tab::Remotes => picture.remotes.len(),
            Tab::Tasks => picture.tasks.len(),
        };
        let text = format!(" {} {count} ", tab.title());
        let look = if tab == ui.tab { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new() };
        spans.push(Span::styled(text, look));
        spans.push(Span::raw(" "));
    }
    let stale = picture.guests.iter().filter(|g| g.dim).count();
    if stale > 0 {
        spans
            .push(Span::styled(format!(" {stale} of {} not live ", picture.guests.len()), style(Tone::Warn)));
    }
    if !ui.filter().is_empty() || ui.mode == Mode::Filter {
        let cursor = if ui.mode == Mode::Filter { "▏" } else { "" };
        spans.push(Span::styled(format!(" /{}{cursor}", safe(ui.filter())), style(Tone::Bold)));
    }
    frame.render_widget(Line::from(spans), area);
}

fn list_of(frame: &mut Frame<'_>, area: Rect, picture: &Picture, ui: &mut Ui, rows: &[RowId]) {
    let height = usize::from(area.height.saturating_sub(1));
    let (top, selected) = ui.settle(rows, height);
    if rows.is_empty() {
        let text = match (ui.tab, ui.filter().is_empty()) {
            (_, false) => format!("Nothing here contains “{}”. Esc takes the filter off.", safe(ui.filter())),
            (Tab::Guests, true) if picture.remotes.iter().all(|r| r.tone == Tone::Good) => {
                "No guests, or none that this account may see.".to_owned()
            }
            (Tab::Guests, true) => "No guests seen yet. Tab 2 says how the links stand.".to_owned(),
            (Tab::Remotes, true) => "No remotes.".to_owned(),
            (Tab::Tasks, true) if picture.remotes.iter().all(|r| r.tone == Tone::Good) => {
                "No tasks.".to_owned()
            }
            (Tab::Tasks, true) => "No tasks seen yet.".to_owned(),
        };
        frame.render_widget(
            Paragraph::new(text).style(style(Tone::Dim)).block(Block::new().padding(Padding::uniform(1))),
            area,
        );
        return;
    }
    let columns = match ui.tab {
        Tab::Guests => guest_columns(picture, area.width),
        Tab::Remotes => remote_columns(picture, area.width),
        Tab::Tasks => task_columns(picture),
    };
    let places = Layout::horizontal(columns.iter().map(|c| c.width)).spacing(1).split(area);
    let shown = rows.iter().enumerate().skip(top).take(height).filter_map(|(i, id)| {
        let texts = match ui.tab {
            Tab::Guests => guest_texts(picture.guest(id)?),
            Tab::Remotes => remote_texts(picture.remote(id)?),
            Tab::Tasks => task_texts(picture.task(id)?),
        };
        let cells = columns.iter().zip(places.iter()).filter_map(|(column, place)| {
            let (text, look) = texts.get(column.text)?;
            // Cut by us and not by the table: what is missing is then marked.
            let line = Line::from(fit(text, usize::from(place.width)));
            Some(Cell::from(if column.right { line.right_aligned() } else { line }).style(*look))
        });
        let row = Row::new(cells.collect::<Vec<_>>());
        Some(if Some(i) == selected { row.style(Style::new().add_modifier(Modifier::REVERSED)) } else { row })
    });
    let heads = columns.iter().map(|c| {
        let line = Line::from(c.head);
        Cell::from(if c.right { line.right_aligned() } else { line })
    });
    let widths: Vec<Constraint> = columns.iter().map(|c| c.width).collect();
    let table = Table::new(shown.collect::<Vec<_>>(), widths)
        .column_spacing(1)
        .header(Row::new(heads.collect::<Vec<_>>()).style(style(Tone::Bold)));
    frame.render_widget(table, area);
}

/// A column of a list: its head, its width, and which of a row's texts it shows.
struct Column {
    head: &'static str,
    width: Constraint,
    text: usize,
    right: bool,
}

fn column(head: &'static str, width: Constraint, text: usize) -> Column {
    Column { head, width, text, right: false }
}

fn figures(head: &'static str, width: u16, text: usize) -> Column {
    Column { head, width: Constraint::Length(width), text, right: true }
}

fn guest_columns(picture: &Picture, room: u16) -> Vec<Column> {
    /// Room that a note needs to say anything.
    const NOTE: u16 = 10;
    let label = width_of(picture.guests.iter().map(|g| g.label.as_str()), 8, 18);
    let node = width_of(picture.guests.iter().map(|g| g.node.as_str()), 4, 10);
    let name = width_of(picture.guests.iter().map(|g| g.name.as_str()), 6, 24);
    // What a narrow terminal can do without; all of it is in the panel too.
    let mut left = room.saturating_sub(label + 1 + 2 + 1 + 11 + 1);
    let least = name.min(10) + 1 + NOTE;
    let mut take = |needs: u16, spare: u16| {
        let fits = left >= least + needs + spare;
        left -= if fits { needs } else { 0 };
        fits
    };
    let (with_node, with_figures) = (take(node + 1, 0), take(6 + 1 + 8 + 1, 0));
    let with_uptime = take(11 + 1, 30);
    // A note tells more than the end of a long name.
    let name = name.min(left.saturating_sub(1 + 2 * NOTE).max(12).min(left.saturating_sub(1 + NOTE))).max(6);

    let mut columns = vec![
        column("GUEST", Constraint::Length(label), 0),
        column("", Constraint::Length(2), 1),
        column("NAME", Constraint::Length(name), 2),
    ];
    if with_node {
        columns.push(column("NODE", Constraint::Length(node), 3));
    }
    columns.push(column("STATE", Constraint::Length(11), 4));
    if with_figures {
        columns.push(figures("CPU", 6, 5));
        columns.push(figures("MEMORY", 8, 6));
    }
    if with_uptime {
        columns.push(figures("UP", 11, 7));
    }
    columns.push(column("NOTE", Constraint::Fill(1), 8));
    columns
}

fn guest_texts(guest: &GuestLine) -> Vec<(&str, Style)> {
    let base = if guest.dim { style(Tone::Dim) } else { Style::new() };
    let state = if guest.dim { base } else { style(guest.tone) };
    vec![
        (&guest.label, base),
        (guest.kind, base),
        (&guest.name, base),
        (&guest.node, base),
        (&guest.state, state),
        (&guest.cpu, base),
        (&guest.memory, base),
        (&guest.uptime, base),
        (&guest.note, base),
    ]
}

fn remote_columns(picture: &Picture, room: u16) -> Vec<Column> {
    let name = width_of(picture.remotes.iter().map(|r| r.name.as_str()), 6, 22);
    // Wide enough for every state where there is room: nothing moves when a link changes.
    let link = match room {
        100.. => 20,
        _ => width_of(picture.remotes.iter().map(|r| r.link.as_str()), 12, 20),
    };
    let mut columns = vec![
        column("REMOTE", Constraint::Length(name), 0),
        column("LINK", Constraint::Length(link), 1),
        figures("NODES", 6, 2),
        figures("GUESTS", 7, 3),
    ];
    if room >= 70 {
        columns.push(column("LAST ANSWER", Constraint::Length(12), 4));
    }
    columns.push(column("ABOUT", Constraint::Fill(1), 5));
    columns
}

fn remote_texts(remote: &RemoteLine) -> Vec<(&str, Style)> {
    let plain = Style::new();
    vec![
        (&remote.name, plain),
        (&remote.link, style(remote.tone)),
        (&remote.nodes, plain),
        (&remote.guests, plain),
        (&remote.seen, plain),
        (&remote.about, plain),
    ]
}

fn task_columns(picture: &Picture) -> Vec<Column> {
    let remote = width_of(picture.tasks.iter().map(|t| t.remote.as_str()), 6, 16);
    let node = width_of(picture.tasks.iter().map(|t| t.node.as_str()), 4, 10);
    let what = width_of(picture.tasks.iter().map(|t| t.what.as_str()), 12, 24);
    let user = width_of(picture.tasks.iter().map(|t| t.user.as_str()), 8, 20);
    vec![
        column("STARTED", Constraint::Length(12), 0),
        figures("TOOK", 8, 1),
        column("REMOTE", Constraint::Length(remote), 2),
        column("NODE", Constraint::Length(node), 3),
        column("TASK", Constraint::Length(what), 4),
        column("USER", Constraint::Length(user), 5),
        column("OUTCOME", Constraint::Fill(1), 6),
    ]
}

fn task_texts(task: &TaskLine) -> Vec<(&str, Style)> {
    let plain = Style::new();
    vec![
        (&task.started, plain),
        (&task.took, plain),
        (&task.remote, plain),
        (&task.node, plain),
        (&task.what, plain),
        (&task.user, plain),
        (&task.outcome, style(task.tone)),
    ]
}

/// The width of the widest of these texts, within bounds.
fn width_of<'a>(texts: impl Iterator<Item = &'a str>, least: u16, most: u16) -> u16 {
    let widest = texts.map(width).max().unwrap_or(0);
    u16::try_from(widest).unwrap_or(most).clamp(least, most)
}

fn details(frame: &mut Frame<'_>, area: Rect, picture: &Picture, ui: &Ui, rows: &[RowId]) {
    let block = Block::new()
        .borders(if area.width < WIDE && area.y > 1 && area.x == 0 { Borders::TOP } else { Borders::LEFT })
        .border_style(style(Tone::Dim))
        .padding(Padding::horizontal(1));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let room = usize::from(inner.width);
    let mut lines = Vec::new();
    let selected = ui.selected(rows);
    match selected.as_ref() {
        Some(id @ RowId::Guest(_)) => {
            if let Some(guest) = picture.guest(id) {
                let head = format!("{} {} ({})", guest.noun, guest.title(), guest.label);
                lines.push(Line::styled(fit(&head, room), style(Tone::Bold)));
                if let Some(operation) = &guest.operation {
                    wrapped(&mut lines, &operation.headline, room, style(operation.tone));
                    for line in &operation.log {
                        lines.push(Line::styled(fit(&format!("  {line}"), room), style(Tone::Dim)));
                    }
                }
                if let Some(why) = &guest.may_fail {
                    wrapped(&mut lines, why, room, style(Tone::Warn));
                }
                facts(&mut lines, &guest.facts, room);
            }
        }
        Some(id @ RowId::Remote(_)) => {
            if let Some(remote) = picture.remote(id) {
                lines.push(Line::styled(
                    fit(&format!("{}: {}", remote.name, remote.link), room),
                    style(remote.tone),
                ));
                facts(&mut lines, &remote.facts, room);
            }
        }
        Some(id @ RowId::Task(..)) => {
            if let Some(task) = picture.task(id) {
                lines.push(Line::styled(
                    fit(&format!("{} on {}", task.what, task.node), room),
                    style(Tone::Bold),
                ));
                wrapped(&mut lines, &task.outcome, room, style(task.tone));
                facts(
                    &mut lines,
                    &[("upid".to_owned(), task.upid.clone()), ("by".to_owned(), task.user.clone())],
                    room,
                );
            }
        }
        None => lines.push(Line::styled("Nothing selected.", style(Tone::Dim))),
    }
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), inner);
}

fn facts(lines: &mut Vec<Line<'static>>, facts: &[Fact], room: usize) {
    let label = facts.iter().map(|(name, _)| width(name)).max().unwrap_or(0).min(room / 3);
    for (name, value) in facts {
        let left = room.saturating_sub(label + 2);
        for (i, part) in wrap(value, left.max(8)).into_iter().enumerate() {
            let name = if i == 0 { fit(name, label) } else { String::new() };
            lines.push(Line::from(vec![
                Span::styled(format!("{}  ", pad_right(&name, label)), style(Tone::Dim)),
                Span::raw(part),
            ]));
        }
    }
}

/// A text that goes on below instead of being cut.
fn wrapped(lines: &mut Vec<Line<'static>>, text: &str, room: usize, look: Style) {
    lines.extend(wrap(text, room).into_iter().map(|part| Line::styled(part, look)));
}

/// Keys and what they do, the most important first, and the action behind a key if it has one.
const GUEST_KEYS: [(&str, Option<Action>); 12] = [
    ("? help", None),
    ("q quit", None),
    ("s start", Some(Action::Start)),
    ("d shutdown", Some(Action::Shutdown)),
    ("x stop", Some(Action::Stop)),
    ("Tab lists", None),
    ("/ filter", None),
    ("b reboot", Some(Action::Reboot)),
    ("Enter details", None),
    ("t try link", None),
    ("p pause", Some(Action::Suspend)),
    ("r resume", Some(Action::Resume)),
];

fn key_hints(ui: &Ui, guest: Option<&GuestLine>) -> Vec<(&'static str, bool)> {
    let plain = |texts: &[&'static str]| texts.iter().map(|text| (*text, true)).collect();
    match (&ui.mode, ui.tab) {
        (Mode::Filter, _) => plain(&["type to filter", "Enter keep", "Esc off"]),
        (Mode::Confirm(_), _) => plain(&["y do it", "n leave it"]),
        (Mode::Help, _) => plain(&["↑ ↓ more", "any other key closes the help"]),
        (Mode::Browse, Tab::Guests) => {
            let makes_sense = |action: &Option<Action>| {
                action.is_none_or(|action| guest.is_some_and(|g| g.refusal(action).is_none()))
            };
            GUEST_KEYS.iter().map(|(text, action)| (*text, makes_sense(action))).collect()
        }
        (Mode::Browse, Tab::Remotes) => plain(&[
            "? help",
            "q quit",
            "t try now",
            "c connect/disconnect",
            "Tab lists",
            "/ filter",
            "Enter details",
        ]),
        (Mode::Browse, Tab::Tasks) => plain(&["? help", "q quit", "Tab lists", "/ filter", "Enter details"]),
    }
}

fn bottom(frame: &mut Frame<'_>, notice: Rect, keys: Rect, ui: &Ui, guest: Option<&GuestLine>) {
    if let Some(said) = &ui.notice {
        let tone = if said.bad { Tone::Bad } else { Tone::Plain };
        let text = fit(&safe(&said.text), usize::from(notice.width).saturating_sub(1));
        frame.render_widget(Line::styled(format!(" {text}"), style(tone)), notice);
    }
    let mut left = usize::from(keys.width);
    let mut spans = Vec::new();
    for (text, makes_sense) in key_hints(ui, guest) {
        let Some(rest) = left.checked_sub(width(text) + 1) else { break };
        let look = if makes_sense { Style::new() } else { style(Tone::Dim) };
        spans.push(Span::styled(format!(" {text} "), look));
        left = rest.saturating_sub(1);
    }
    frame.render_widget(Line::from(spans), keys);
}

/// A box in the middle with lines from `top` on; `foot` is always in it. Returns how many lines did not fit.
fn popup(
    frame: &mut Frame<'_>,
    title: &str,
    lines: Vec<Line<'static>>,
    top: usize,
    foot: Option<Line<'static>>,
    tone: Tone,
) -> usize {
    let area = frame.area();
    let all = lines.iter().chain(&foot);
    let widest = all.map(Line::width).max().unwrap_or(0).max(width(title) + 2);
    let wide = u16::try_from(widest + 4).unwrap_or(u16::MAX).min(area.width);
    let below = if foot.is_some() { 2 } else { 0 };
    let room = usize::from(area.height).saturating_sub(2 + below);
    let over = lines.len().saturating_sub(room);
    let mut shown: Vec<Line<'static>> = lines.into_iter().skip(top.min(over)).take(room).collect();
    if let Some(foot) = foot {
        shown.push(Line::raw(""));
        shown.push(foot);
    }
    let high = u16::try_from(shown.len() + 2).unwrap_or(u16::MAX).min(area.height);
    let place = Rect {
        x: area.x + (area.width - wide) / 2,
        y: area.y + (area.height - high) / 2,
        width: wide,
        height: high,
    };
    let block = Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(style(tone))
        .title(format!(" {title} "))
        .padding(Padding::horizontal(1));
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(shown).block(block), place);
    over
}

fn help(frame: &mut Frame<'_>, top: &mut usize) {
    const KEYS: usize = 11;
    let room = usize::from(frame.area().width).saturating_sub(4 + KEYS);
    let mut lines = Vec::new();
    for (keys, what) in HELP {
        for (i, part) in wrap(what, room).into_iter().enumerate() {
            let keys = if i == 0 { keys } else { "" };
            lines.push(Line::from(vec![
                Span::styled(pad_right(keys, KEYS), style(Tone::Bold)),
                Span::raw(part),
            ]));
        }
    }
    let fits = lines.len() + 2 <= usize::from(frame.area().height);
    let title = if fits { "Keys" } else { "Keys (↑ ↓ for more)" };
    let over = popup(frame, title, lines, *top, None, Tone::Plain);
    *top = (*top).min(over);
}

fn confirm(frame: &mut Frame<'_>, question: &Question) {
    let room = usize::from(frame.area().width).saturating_sub(4).clamp(20, 90);
    let mut lines = Vec::new();
    wrapped(&mut lines, &question.about, room, style(Tone::Bold));
    lines.push(Line::raw(""));
    for warning in &question.warning {
        wrapped(&mut lines, warning, room, Style::new());
    }
    let foot = Line::styled("y  do it     n  leave it", style(Tone::Bold));
    popup(frame, "Are you sure?", lines, 0, Some(foot), Tone::Bad);
}
