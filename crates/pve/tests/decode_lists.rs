//! Lists: empty ones, rows that lack much, rows that cannot be read, and odd content that must survive.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use pve::decode::{self, JsonKind, Rows};
use pve::drift::{Drift, RAW_BYTES};
use pve::reply::{GuestRow, LogLine, NodeListRow, Resource, TaskRow, Ticket};
use serde_json::json;

fn list<T: decode::Reply>(body: &str) -> (Rows<T>, Drift) {
    let mut drift = Drift::of("GET /list");
    let rows = decode::list(decode::check(body.as_bytes()).unwrap(), &mut drift).unwrap();
    (rows, drift)
}

fn guests(rows: &Rows<Resource>) -> Vec<&GuestRow> {
    rows.rows.iter().filter_map(|r| if let Resource::Guest(guest) = r { Some(guest) } else { None }).collect()
}

#[test]
fn null_is_an_empty_list() {
    for body in ["null", "[]", " null\n", "[ ]"] {
        let (rows, drift) = list::<Resource>(body);
        assert!(rows.rows.is_empty() && rows.unreadable.is_empty() && drift.is_empty(), "{body}");
    }
}

#[test]
fn what_is_no_list_is_not_understood_and_says_so() {
    for body in ["{}", "7", "\"OK\"", "true"] {
        let mut drift = Drift::default();
        let said = decode::list::<Resource>(decode::check(body.as_bytes()).unwrap(), &mut drift).unwrap_err();
        assert!(said.to_string().starts_with("expected a list of objects (Resource), found "), "{said}");
        assert!(!said.to_string().contains("unreachable"));
    }
}

#[test]
fn rows_that_lack_much_are_all_there_and_nothing_is_made_up() {
    let (rows, drift) = list::<Resource>(
        r#"[{"type":"lxc","id":"lxc/133","vmid":133,"status":"unknown","node":"pve1"},
            {"type":"node","id":"node/elitedesk","status":"offline","cgroup-mode":2,"node":"elitedesk"},
            {"type":"node","id":"node1"},
            {"type":"qemu","vmid":"100"},
            {"type":"storage"},
            {"type":"tape-robot","id":"robot/1","arms":2},
            {"type":"pool","pool":"dev/sub"}]"#,
    );
    assert!(drift.is_empty(), "{drift:?}");
    assert_eq!((rows.rows.len(), rows.unreadable.len()), (7, 0));
    let [ct, vm] = guests(&rows)[..] else { panic!() };
    assert_eq!((ct.cpu, ct.mem, ct.uptime, ct.template), (None, None, None, None));
    assert_eq!((ct.name.as_deref(), ct.status.as_deref()), (None, Some("unknown")));
    assert_eq!((vm.vmid, vm.status.as_deref(), vm.node.as_deref()), (100, None, None));
    let Resource::Other(other) = &rows.rows[5] else { panic!() };
    assert_eq!(
        (other.kind.as_str(), other.raw.as_str()),
        ("tape-robot", r#"{"type":"tape-robot","id":"robot/1","arms":2}"#)
    );
    assert_eq!(serde_json::to_value(&rows.rows[5]).unwrap()["arms"], json!(2));
}

#[test]
fn one_unreadable_row_among_thousands_is_counted_and_kept_raw() {
    for (odd, why) in [
        ("\"not a row\"", "expected an object, found text"),
        ("null", "expected an object, found null"),
        ("[{\"type\":\"lxc\"}]", "expected an object, found a list"),
        ("1e999", "expected an object, found a number"),
        (r#"{"type":"lxc","name":"no number"}"#, "`vmid` is missing"),
        (r#"{"type":"lxc","vmid":null}"#, "`vmid` is missing"),
        (r#"{"type":"lxc","vmid":"many"}"#, "`vmid`: expected an integer from 0 up, found text `\"many\"`"),
        (r#"{"type":"lxc","vmid":-1}"#, "`vmid`: expected an integer from 0 up, found an integer `-1`"),
        (r#"{"vmid":100}"#, "`type` is missing"),
        (r#"{"type":{},"vmid":100}"#, "`type`: expected text, found an object `{}`"),
    ] {
        let mut all: Vec<String> = (0..5000)
            .map(|n| format!(r#"{{"vmid":{},"type":"qemu","name":"vm{n}","status":"running"}}"#, n + 100))
            .collect();
        all[1234] = odd.to_owned();
        let (rows, drift) = list::<Resource>(&format!("[{}]", all.join(", ")));
        let guests = guests(&rows);
        assert_eq!(guests.len(), 4999, "{odd}");
        assert_eq!(guests[1233].vmid, 1333);
        assert_eq!(guests[1234].vmid, 1335);
        let [lost] = &rows.unreadable[..] else { panic!("{odd}: {:?}", rows.unreadable) };
        assert_eq!((lost.row, lost.raw.as_str(), lost.list.as_str()), (1234, odd, "[]"));
        assert_eq!(lost.why, why, "{odd}");
        assert_eq!(drift.unreadable, rows.unreadable);
        assert!(drift.records.is_empty(), "{odd}: {drift:?}");
    }
}

#[test]
fn a_list_of_nothing_readable_is_counted_to_the_last_row() {
    let long = format!("\"{}\"", "x".repeat(10_000));
    let (rows, drift) = list::<Resource>(&format!("[{}]", vec![long; 2000].join(",")));
    assert_eq!((rows.rows.len(), rows.unreadable.len(), drift.count()), (0, 2000, 2000));
    assert!(rows.unreadable.iter().all(|lost| lost.raw.len() <= RAW_BYTES));
    let kept: usize = rows.unreadable.iter().map(|lost| lost.raw.len()).sum();
    assert!(kept < 2_000_000, "{kept} bytes of 20 million are kept");
}

#[test]
fn a_field_that_does_not_fit_costs_that_field_only() {
    let (rows, drift) = list::<Resource>(
        r#"[{"type":"qemu","vmid":1,"mem":"much","name":"a"},{"type":"qemu","vmid":2,"mem":[],"name":["b"]},
            {"type":"qemu","vmid":3,"mem":"more","name":"c","cpu":1e400,"uptime":99999999999999999999999}]"#,
    );
    let guests = guests(&rows);
    assert_eq!(guests.len(), 3);
    assert!(guests.iter().all(|g| g.mem.is_none() && g.cpu.is_none() && g.uptime.is_none()));
    assert_eq!((guests[0].name.as_deref(), guests[1].name.as_deref()), (Some("a"), None));
    let seen: Vec<_> = drift.records.iter().map(|r| (r.field.as_str(), r.found, r.row, r.count)).collect();
    assert_eq!(
        seen,
        [
            ("[].mem", JsonKind::Text, Some(0), 2),
            ("[].mem", JsonKind::List, Some(1), 1),
            ("[].name", JsonKind::List, Some(1), 1),
            ("[].cpu", JsonKind::Float, Some(2), 1),
            ("[].uptime", JsonKind::Integer, Some(2), 1),
        ]
    );
    assert!(drift.records.iter().all(|r| r.call == "GET /list"));
}

#[test]
fn repeated_keys_take_the_last_value() {
    let (rows, drift) =
        list::<Resource>(r#"[{"type":"lxc","vmid":1,"name":"a","type":"qemu","vmid":2,"name":"b"}]"#);
    assert_eq!((guests(&rows)[0].vmid, guests(&rows)[0].name.as_deref()), (2, Some("b")));
    assert!(drift.is_empty());
}

#[test]
fn escaped_keys_are_the_keys_they_spell() {
    let (rows, _) = list::<Resource>(r#"[{"\u0074ype":"lxc","vm\u0069d":7,"\ud800":1,"na\u006de":"a\"b"}]"#);
    assert_eq!((guests(&rows)[0].vmid, guests(&rows)[0].name.as_deref()), (7, Some("a\"b")));
}

#[test]
fn nesting_however_deep_neither_fails_nor_exhausts() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let body =
        format!(r#"[{{"type":"lxc","vmid":7,"unknown":{deep},"name":{deep},"status":"running"}},{deep}]"#);
    let (rows, drift) = list::<Resource>(&body);
    assert_eq!(guests(&rows)[0].status.as_deref(), Some("running"));
    assert_eq!((drift.records[0].field.as_str(), drift.records.len()), ("[].name", 1));
    assert_eq!(rows.unreadable.len(), 1);
    let body = format!(r#"{{"ticket":"x","cap":{deep}}}"#);
    let mut drift = Drift::default();
    let ticket: Ticket = decode::object(decode::check(body.as_bytes()).unwrap(), &mut drift).unwrap();
    assert!(ticket.ticket.is_some() && ticket.cap.is_none());
    assert_eq!(drift.records[0].field, "cap");
}

#[test]
fn text_that_is_no_json_is_named_with_its_place() {
    for (body, place, part) in [
        (&b"[{\"a\":1},\n {\"a\" 2}]"[..], "line 2 column 7", "expected `:`"),
        (b"[1,2", "line 1 column 4", "EOF"),
        (b"<html>", "line 1 column 1", "expected value"),
        (b"[1] [2]", "line 1 column 5", "trailing"),
        (b"[\n\"a\xff\"]", "line 2 column 3", "UTF-8"),
    ] {
        let said = decode::check(body).unwrap_err().to_string();
        assert!(said.contains(place) && said.contains(part), "{said}");
    }
    for empty in [&b""[..], b" \r\n"] {
        assert_eq!(decode::check(empty).unwrap_err().to_string(), "the reply is empty");
    }
}

#[test]
fn odd_names_survive_untouched() {
    let long = "n".repeat(200);
    for name in [
        "<b onmouseover=\"x()\">&amp;</b>",
        long.as_str(),
        "🦀🧑‍🚀 e\u{301}",
        "\u{202e}drawkcab\u{202c} שלום",
        "line\nbreak\r\n\ttab\u{0}\u{7f}\u{1b}[31m",
        "../../etc/passwd",
        "%2e%2e%2f?a=b#c",
        "' OR 1=1 --",
        "$(reboot)`x`",
        "",
        " ",
        "null",
        "\u{feff}\u{fffd}",
    ] {
        let row =
            json!([{"type": "qemu", "vmid": 100, "name": name, "node": name, "pool": name, "tags": [name]}]);
        // Once as serde_json writes it, once with everything escaped that can be.
        let plain = row.to_string();
        let escaped: String = plain
            .chars()
            .flat_map(|c| {
                let mut units = [0; 2];
                let coded =
                    c.encode_utf16(&mut units).iter().map(|u| format!("\\u{u:04x}")).collect::<String>();
                if c.is_ascii() { c.to_string() } else { coded }.chars().collect::<Vec<_>>()
            })
            .collect();
        for body in [plain, escaped] {
            let (rows, drift) = list::<Resource>(&body);
            assert!(drift.is_empty(), "{name:?}");
            let guest = guests(&rows)[0];
            assert_eq!(guest.name.as_deref(), Some(name));
            assert_eq!(guest.node.as_deref(), Some(name));
            assert_eq!(guest.pool.as_deref(), Some(name));
            assert_eq!(guest.tags.as_deref(), Some(&[name.to_owned()][..]));
            assert_eq!(serde_json::to_value(&rows.rows[0]).unwrap()["name"], json!(name));
        }
    }
}

#[test]
fn half_a_character_costs_that_field_only() {
    let (rows, drift) = list::<Resource>(r#"[{"type":"lxc","vmid":1,"name":"\ud83d","status":"running"}]"#);
    assert_eq!(
        (guests(&rows)[0].name.as_deref(), guests(&rows)[0].status.as_deref()),
        (None, Some("running"))
    );
    assert_eq!(drift.records[0].sample, r#""\ud83d""#);
}

#[test]
fn task_lists_tell_running_from_ended() {
    let (rows, drift) = list::<TaskRow>(
        r#"[{"upid":"UPID:a:1:1:1:vncshell::root@pam:","starttime":1},
            {"upid":"UPID:a:1:1:1:vzdump:133:root@pam:","status":"RUNNING"},
            {"upid":"UPID:a:1:1:1:vzdump:133:root@pam:","status":"OK","endtime":2,"saved":"1"},
            {"upid":"gone","status":"OK"}]"#,
    );
    assert_eq!(rows.rows.iter().map(TaskRow::is_running).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!((rows.rows[2].saved, rows.unreadable.len()), (Some(true), 1));
    assert!(rows.unreadable[0].why.contains("`upid`"), "{}", rows.unreadable[0].why);
    assert!(drift.records.is_empty());
}

#[test]
fn log_lines_and_nodes_keep_what_they_have() {
    let (lines, drift) = list::<LogLine>(r#"[{"n":1,"t":"first"},{"n":"2","t":""},{"t":null}]"#);
    assert_eq!(
        lines.rows.iter().map(|l| (l.n, l.text())).collect::<Vec<_>>(),
        [(Some(1), "first"), (Some(2), ""), (None, "")]
    );
    assert!(drift.is_empty());
    let (nodes, _) = list::<NodeListRow>(r#"[{"node":"a","maxcpu":"4"},{"status":"online"}]"#);
    assert_eq!((nodes.rows[0].maxcpu, nodes.unreadable.len()), (Some(4.0), 1));
}

#[test]
fn secrets_of_a_reply_are_shown_nowhere() {
    const CANARY: &str = "canary-5150";
    for body in [
        format!(r#"{{"ticket":"{CANARY}","CSRFPreventionToken":"{CANARY}","username":"root@pam"}}"#),
        format!(r#"{{"ticket":["{CANARY}"],"CSRFPreventionToken":{{"{CANARY}":1}},"username":"root@pam"}}"#),
    ] {
        let mut drift = Drift::default();
        let ticket: Ticket = decode::object(decode::check(body.as_bytes()).unwrap(), &mut drift).unwrap();
        let shown = format!(
            "{ticket:?} {drift:?} {} {}",
            serde_json::to_string(&ticket).unwrap(),
            serde_json::to_string(&drift).unwrap()
        );
        assert!(!shown.contains(CANARY), "{shown}");
        assert!(shown.contains("root@pam"));
    }
    for body in [format!("\"{CANARY}\""), format!("[\"{CANARY}\"]"), "7".to_owned()] {
        let mut drift = Drift::default();
        let said = decode::object::<Ticket>(decode::check(body.as_bytes()).unwrap(), &mut drift).unwrap_err();
        assert!(!format!("{said} {said:?} {drift:?}").contains(CANARY), "{said}");
        let list = format!("[{body}]");
        let rows = decode::list::<Ticket>(decode::check(list.as_bytes()).unwrap(), &mut drift).unwrap();
        assert!(!format!("{rows:?} {drift:?}").contains(CANARY));
        assert_eq!(rows.unreadable.len(), 1);
    }
    let said = decode::check(format!("{{\"ticket\":\"{CANARY}\"").as_bytes()).unwrap_err();
    assert!(!said.to_string().contains(CANARY), "{said}");
}
