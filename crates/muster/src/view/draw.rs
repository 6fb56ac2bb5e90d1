//! Draws a [`Picture`] and the person's [`Ui`] into a frame. Decides nothing.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Borders, Cell, Clear, Padding, Paragraph, Row, Table, Wrap};

use super::picture::{Fact, GuestLine, Picture, RowId};
use super::ui::{Mode, Question, Tab, Ui};
use crate::term::table::Tone;
use crate::term::text::{fit, pad_right, safe, width};

/// Columns from which the panel stands beside the list and not below it.
const WIDE: u16 = 150;

const HELP: [(&str, &str); 18] = [
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
    let shown = rows.iter().enumerate().skip(top).take(height);
    let mark = |i: usize, row: Row<'static>| {
        if Some(i) == selected { row.style(Style::new().add_modifier(Modifier::REVERSED)) } else { row }
    };
    let (heads, widths, lines): (Vec<&str>, Vec<Constraint>, Vec<Row<'static>>) = match ui.tab {
        Tab::Guests => {
            let note = area.width >= 70;
            (
                vec!["GUEST", "", "NAME", "NODE", "STATE", "CPU", "MEMORY", "UP", "NOTE"],
                vec![
                    Constraint::Length(width_of(picture.guests.iter().map(|g| g.label.as_str()), 8, 18)),
                    Constraint::Length(2),
                    Constraint::Fill(2),
                    Constraint::Length(width_of(picture.guests.iter().map(|g| g.node.as_str()), 4, 10)),
                    Constraint::Length(9),
                    Constraint::Length(5),
                    Constraint::Length(8),
                    Constraint::Length(9),
                    Constraint::Fill(if note { 3 } else { 1 }),
                ],
                shown.filter_map(|(i, id)| picture.guest(id).map(|g| mark(i, guest_row(g)))).collect(),
            )
        }
        Tab::Remotes => (
            vec!["REMOTE", "LINK", "NODES", "GUESTS", "LAST ANSWER", "ABOUT"],
            vec![
                Constraint::Length(width_of(picture.remotes.iter().map(|r| r.name.as_str()), 6, 20)),
                Constraint::Length(20),
                Constraint::Length(6),
                Constraint::Length(8),
                Constraint::Length(12),
                Constraint::Fill(1),
            ],
            shown
                .filter_map(|(i, id)| picture.remote(id).map(|r| (i, r)))
                .map(|(i, r)| {
                    let plain = |t: &str| Cell::from(t.to_owned());
                    let link = Cell::from(r.link.clone()).style(style(r.tone));
                    mark(
                        i,
                        Row::new(vec![
                            plain(&r.name),
                            link,
                            plain(&r.nodes),
                            plain(&r.guests),
                            plain(&r.seen),
                            plain(&r.about),
                        ]),
                    )
                })
                .collect(),
        ),
        Tab::Tasks => (
            vec!["STARTED", "TOOK", "REMOTE", "NODE", "TASK", "USER", "OUTCOME"],
            vec![
                Constraint::Length(12),
                Constraint::Length(8),
                Constraint::Length(width_of(picture.tasks.iter().map(|t| t.remote.as_str()), 6, 16)),
                Constraint::Length(width_of(picture.tasks.iter().map(|t| t.node.as_str()), 4, 10)),
                Constraint::Length(20),
                Constraint::Length(18),
                Constraint::Fill(1),
            ],
            shown
                .filter_map(|(i, id)| picture.task(id).map(|t| (i, t)))
                .map(|(i, t)| {
                    let plain = |t: &str| Cell::from(t.to_owned());
                    let outcome = Cell::from(t.outcome.clone()).style(style(t.tone));
                    mark(
                        i,
                        Row::new(vec![
                            plain(&t.started),
                            plain(&t.took),
                            plain(&t.remote),
                            plain(&t.node),
                            plain(&t.what),
                            plain(&t.user),
                            outcome,
                        ]),
                    )
                })
                .collect(),
        ),
    };
    let table = Table::new(lines, widths).column_spacing(1).header(Row::new(heads).style(style(Tone::Bold)));
    frame.render_widget(table, area);
}

fn guest_row(guest: &GuestLine) -> Row<'static> {
    let base = if guest.dim { style(Tone::Dim) } else { Style::new() };
    let plain = |text: &str| Cell::from(text.to_owned()).style(base);
    let state = if guest.dim { base } else { style(guest.tone) };
    Row::new(vec![
        plain(&guest.label),
        plain(guest.kind),
        plain(&guest.name),
        plain(&guest.node),
        Cell::from(guest.state.clone()).style(state),
        plain(&guest.cpu),
        plain(&guest.memory),
        plain(&guest.uptime),
        plain(&guest.note),
    ])
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
                " s start  d shutdown  b reboot  x stop  / filter  Enter details  Tab lists  t try link  ? help  q quit"
            }
            Tab::Remotes => {
                " t try now  c connect/disconnect  / filter  Enter details  Tab lists  ? help  q quit"
            }
            Tab::Tasks => " / filter  Enter details  Tab lists  ? help  q quit",
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
