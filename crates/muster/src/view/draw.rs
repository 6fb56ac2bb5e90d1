//! Draws a [`Picture`] and the person's [`Ui`] into a frame. Decides nothing.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Borders, Cell, Clear, Padding, Paragraph, Row, Table, Wrap};

use super::picture::{Fact, GuestLine, Picture, RemoteLine, RowId, TaskLine};
use super::ui::{Mode, Question, Tab, Ui};
use crate::term::table::Tone;
use crate::term::text::{fit, pad_right, safe, width};

/// Columns from which the panel stands beside the list and not below it.
const WIDE: u16 = 150;

const HELP: [(&str, &str); 21] = [
    ("↑ ↓ j k", "one row"),
    ("PgUp PgDn", "one page"),
    ("g G", "first, last"),
    ("Tab 1 2 3", "guests, remotes, tasks"),
    ("/", "filter: name, number, node, state, tag, remote"),
    ("Esc", "filter off"),
    ("Enter", "details on and off"),
    ("", ""),
    ("s", "start the guest"),
    ("d", "shut it down: it ends by itself"),
    ("b", "reboot it"),
    ("x", "stop it at once (asks first)"),
    ("", ""),
    ("t", "try the remote's link now"),
    ("c", "disconnect the remote, or connect it again"),
    ("", ""),
    ("2/3", "nodes online, guests running, of all there are"),
    ("~2/3", "the same as last seen: not all of it is live"),
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
    let [top, body, notice, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Min(3),
        Constraint::Length(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());

    head(frame, top, picture, ui, title);
    let rows = ui.rows(picture);
    let (list, panel) = split(body, ui.details);
    list_of(frame, list, picture, ui, &rows);
    if let Some(panel) = panel {
        details(frame, panel, picture, ui, &rows);
    }
    bottom(frame, notice, keys, ui);
    match &ui.mode {
        Mode::Help => help(frame),
        Mode::Confirm(question) => confirm(frame, question),
        Mode::Browse | Mode::Filter => {}
    }
}

fn split(body: Rect, details: bool) -> (Rect, Option<Rect>) {
    if !details || body.height < 12 {
        return (body, None);
    }
    if body.width >= WIDE {
        let [list, panel] = Layout::horizontal([Constraint::Min(90), Constraint::Length(58)]).areas(body);
        (list, Some(panel))
    } else {
        let height = (body.height * 2 / 5).clamp(6, 14);
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
    if !ui.filter.is_empty() || ui.mode == Mode::Filter {
        let cursor = if ui.mode == Mode::Filter { "▏" } else { "" };
        spans.push(Span::styled(format!(" /{}{cursor}", safe(&ui.filter)), style(Tone::Bold)));
    }
    frame.render_widget(Line::from(spans), area);
}

fn list_of(frame: &mut Frame<'_>, area: Rect, picture: &Picture, ui: &mut Ui, rows: &[RowId]) {
    let height = usize::from(area.height.saturating_sub(1));
    let (top, selected) = ui.settle(rows, height);
    if rows.is_empty() {
        let text = match (ui.tab, ui.filter.is_empty()) {
            (_, false) => format!("Nothing here contains “{}”. Esc takes the filter off.", safe(&ui.filter)),
            (Tab::Guests, true) if picture.remotes.iter().all(|r| r.tone == Tone::Good) => {
                "No guests, or none that this account may see.".to_owned()
            }
            (Tab::Guests, true) => "No guests seen yet. Tab 2 says how the links stand.".to_owned(),
            (Tab::Remotes, true) => "No remotes.".to_owned(),
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
        Tab::Remotes => remote_columns(picture),
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
    let label = width_of(picture.guests.iter().map(|g| g.label.as_str()), 8, 18);
    let node = width_of(picture.guests.iter().map(|g| g.node.as_str()), 4, 10);
    let mut columns = vec![
        column("GUEST", Constraint::Length(label), 0),
        column("", Constraint::Length(2), 1),
        column("NAME", Constraint::Fill(2), 2),
    ];
    // What a narrow terminal can do without; all of it is in the panel too.
    if room >= 70 {
        columns.push(column("NODE", Constraint::Length(node), 3));
    }
    columns.push(column("STATE", Constraint::Length(11), 4));
    if room >= 90 {
        columns.push(figures("CPU", 6, 5));
        columns.push(figures("MEMORY", 8, 6));
    }
    if room >= 110 {
        columns.push(figures("UP", 11, 7));
    }
    columns.push(column("NOTE", Constraint::Fill(3), 8));
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

fn remote_columns(picture: &Picture) -> Vec<Column> {
    let name = width_of(picture.remotes.iter().map(|r| r.name.as_str()), 6, 22);
    let link = width_of(picture.remotes.iter().map(|r| r.link.as_str()), 11, 21);
    vec![
        column("REMOTE", Constraint::Length(name), 0),
        column("LINK", Constraint::Length(link), 1),
        figures("NODES", 6, 2),
        figures("GUESTS", 7, 3),
        column("LAST ANSWER", Constraint::Length(12), 4),
        column("ABOUT", Constraint::Fill(1), 5),
    ]
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
                    lines.push(Line::styled(fit(&operation.headline, room), style(operation.tone)));
                    for line in &operation.log {
                        lines.push(Line::styled(fit(&format!("  {line}"), room), style(Tone::Dim)));
                    }
                }
                if let Some(why) = &guest.may_fail {
                    lines.push(Line::styled(fit(why, room), style(Tone::Warn)));
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
                lines.push(Line::styled(fit(&task.outcome, room * 2), style(task.tone)));
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
        lines.push(Line::from(vec![
            Span::styled(format!("{}  ", pad_right(&fit(name, label), label)), style(Tone::Dim)),
            Span::raw(fit(value, left.max(8))),
        ]));
    }
}

fn bottom(frame: &mut Frame<'_>, notice: Rect, keys: Rect, ui: &Ui) {
    if let Some(said) = &ui.notice {
        let tone = if said.bad { Tone::Bad } else { Tone::Plain };
        let text = fit(&safe(&said.text), usize::from(notice.width).saturating_sub(1));
        frame.render_widget(Line::styled(format!(" {text}"), style(tone)), notice);
    }
    let text = match &ui.mode {
        Mode::Filter => " type to filter   Enter keep   Esc off",
        Mode::Confirm(_) => " y do it   n leave it",
        Mode::Help => " any key closes the help",
        Mode::Browse => match ui.tab {
            Tab::Guests => {
                " ? help  q quit  s start  d shutdown  x stop  b reboot  / filter  Enter details  Tab lists  t try link"
            }
            Tab::Remotes => {
                " ? help  q quit  t try now  c connect/disconnect  / filter  Enter details  Tab lists"
            }
            Tab::Tasks => " ? help  q quit  / filter  Enter details  Tab lists",
        },
    };
    frame.render_widget(Line::styled(fit(text, usize::from(keys.width)), style(Tone::Dim)), keys);
}

fn popup(frame: &mut Frame<'_>, title: &str, lines: Vec<Line<'static>>, tone: Tone) {
    let area = frame.area();
    let widest = lines.iter().map(Line::width).max().unwrap_or(0).max(width(title) + 2);
    let wide = u16::try_from(widest + 4).unwrap_or(u16::MAX).min(area.width);
    let high = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX).min(area.height);
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
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }).block(block), place);
}

fn help(frame: &mut Frame<'_>) {
    let lines = HELP
        .iter()
        .map(|(keys, what)| {
            Line::from(vec![Span::styled(pad_right(keys, 11), style(Tone::Bold)), Span::raw(*what)])
        })
        .collect();
    popup(frame, "Keys", lines, Tone::Plain);
}

fn confirm(frame: &mut Frame<'_>, question: &Question) {
    let room = usize::from(frame.area().width).saturating_sub(6).max(20);
    let mut lines = vec![Line::styled(fit(&question.about, room), style(Tone::Bold)), Line::raw("")];
    lines.extend(question.warning.iter().map(|w| Line::raw(w.clone())));
    lines.push(Line::raw(""));
    lines.push(Line::styled("y  do it     n  leave it", style(Tone::Bold)));
    popup(frame, "Are you sure?", lines, Tone::Bad);
}
