//! What is on the screen, looked at as text.

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::draw::draw;
use super::picture::{GuestLine, OperationLines, Picture, RemoteLine, RowId};
use super::ui::{Mode, Question, Tab, Ui, Wish};
use crate::term::table::Tone;
use crate::term::text::safe;
use model::id::{GuestKey, RemoteId, Vmid};
use model::operation::Action;

fn guest(vmid: u32, name: &str) -> GuestLine {
    GuestLine {
        id: RowId::Guest(GuestKey { remote: RemoteId(1), vmid: Vmid(vmid) }),
        remote_id: RowId::Remote(RemoteId(1)),
        label: format!("lab/{vmid}"),
        kind: "ct",
        noun: "container",
        name: safe(name),
        node: "pve1".to_owned(),
        state: "running".to_owned(),
        tone: Tone::Good,
        dim: false,
        cpu: "3.1 %".to_owned(),
        memory: "1.5 GiB".to_owned(),
        uptime: "2 h".to_owned(),
        note: String::new(),
        ha: false,
        may_fail: None,
        refused: Vec::new(),
        facts: vec![("tags".to_owned(), "web, prod".to_owned())],
        operation: None,
        haystack: name.to_lowercase(),
    }
}

fn picture() -> Picture {
    let mut stale = guest(102, "\u{1b}[31mevil\nname\u{202e}");
    stale.dim = true;
    stale.note = "connection refused; last seen 40 s ago".to_owned();
    let mut busy = guest(101, "web");
    busy.operation = Some(OperationLines {
        headline: "start: the task failed: no space left".to_owned(),
        tone: Tone::Bad,
        log: vec!["TASK ERROR: no space left".to_owned()],
    });
    Picture {
        remotes: vec![RemoteLine {
            id: RowId::Remote(RemoteId(1)),
            name: "lab".to_owned(),
            link: "connected".to_owned(),
            tone: Tone::Good,
            about: "Proxmox VE 9.2".to_owned(),
            nodes: "3/3".to_owned(),
            guests: "2/2".to_owned(),
            seen: "now".to_owned(),
            facts: Vec::new(),
            haystack: "lab".to_owned(),
        }],
        guests: vec![busy, stale, guest(103, &"長い名前".repeat(40))],
        tasks: Vec::new(),
    }
}

fn screen(ui: &mut Ui, picture: &Picture, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, picture, ui, "muster")).unwrap();
    terminal.backend().to_string()
}

#[test]
fn guests_with_state_age_and_cause() {
    let text = screen(&mut Ui::new(), &picture(), 120, 30);
    for wanted in [
        "lab/101",
        "running",
        "connection refused; last seen 40 s",
        "1 of 3 not live",
        "TASK ERROR: no space left",
    ] {
        assert!(text.contains(wanted), "{wanted:?} in\n{text}");
    }
    assert!(text.contains("␛[31mevil␊name<U+202E>"), "{text}");
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
}

#[test]
fn every_size_of_terminal_is_drawn() {
    let picture = picture();
    for width in [1, 5, 20, 40, 80, 149, 150, 220] {
        for height in [1, 3, 5, 10, 24, 60] {
            for tab in Tab::ALL {
                let mut ui = Ui::new();
                ui.tab = tab;
                screen(&mut ui, &picture, width, height);
                ui.mode = Mode::Help;
                screen(&mut ui, &picture, width, height);
            }
        }
    }
}

#[test]
fn a_question_stands_in_front_of_everything() {
    let mut ui = Ui::new();
    let picture = picture();
    ui.mode = Mode::Confirm(Question {
        wish: Wish::Act(picture.guests[0].id.clone(), Action::Stop),
        about: "Stop container web (lab/101) on node pve1 at once?".to_owned(),
        warning: vec!["what it has not yet written to disk is lost".to_owned()],
    });
    let text = screen(&mut ui, &picture, 100, 24);
    assert!(text.contains("Stop container web (lab/101) on node pve1 at once?"), "{text}");
    assert!(text.contains("n  leave it"), "{text}");
    for (width, height) in [(50, 20), (40, 10), (80, 24)] {
        let text = screen(&mut ui, &picture, width, height);
        assert!(text.contains("y  do it") && text.contains("once?"), "{width}x{height}\n{text}");
    }
    assert!(screen(&mut ui, &picture, 39, 20).contains("Too small"));
}

#[test]
fn empty_says_why() {
    let mut ui = Ui::new();
    let mut picture = picture();
    ui.set_filter("nothing like it");
    assert!(screen(&mut ui, &picture, 100, 24).contains("Esc takes the filter off"));
    ui.set_filter("");
    picture.guests.clear();
    assert!(screen(&mut ui, &picture, 100, 24).contains("No guests, or none that this account may see."));
    picture.remotes[0].tone = Tone::Bad;
    assert!(screen(&mut ui, &picture, 100, 24).contains("No guests seen yet."));
}

#[test]
fn a_narrow_screen_keeps_figures_and_the_first_keys() {
    let mut ui = Ui::new();
    let mut picture = picture();
    picture.guests.truncate(2);
    let text = screen(&mut ui, &picture, 80, 24);
    for wanted in ["CPU", "MEMORY", "1.5 GiB", "connection", "? help", "x stop", "/ filter"] {
        assert!(text.contains(wanted), "{wanted:?} in\n{text}");
    }
    ui.mode = Mode::Help;
    let text = screen(&mut ui, &picture, 50, 20);
    assert!(text.contains("for more") && text.contains("one row") && !text.contains("quit; what"), "{text}");
    ui.help_top = 100;
    let text = screen(&mut ui, &picture, 50, 20);
    assert!(text.contains("quit; what"), "{text}");
    assert!(ui.help_top < 100, "no further than its end");
}

#[test]
fn a_fingerprint_is_never_cut() {
    let mut ui = Ui::new();
    ui.tab = Tab::Remotes;
    let mut picture = picture();
    let fingerprint = "AB:".repeat(31) + "CD";
    picture.remotes[0].facts = vec![("how".to_owned(), format!("muster at lab --fingerprint {fingerprint}"))];
    let text = screen(&mut ui, &picture, 80, 24);
    let joined: String = text.chars().filter(|c| c.is_ascii_hexdigit() || *c == ':').collect();
    assert!(joined.contains(&fingerprint), "{text}");
}
