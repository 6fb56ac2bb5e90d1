//! Every declared field of every reply type, against every kind of JSON value: decoding never fails because of
//! a field that may be absent, nothing else changes, and there is drift exactly where the rules say so.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::fs;

use proptest::prelude::*;
use pve::decode::{self, FieldFact, Kind, NotUnderstood, Reply};
use pve::drift::Drift;
use pve::reply::{self, LogLine, ReplyFacts, Resource, TaskRow};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

const UPID: &str = r#""UPID:pve:000586C3:0078E111:6A4BB5C8:qmcreate:9102:root@pam!sdk:""#;

/// Every kind of value there is, in the forms that matter to some kind of field.
const SAMPLES: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "1",
    "2",
    "-1",
    "1.0",
    "1.5",
    "-0.5",
    "1e3",
    "15e-1",
    "1e999",
    "99999999999999999999999",
    "18446744073709551615",
    "\"\"",
    "\"0\"",
    "\"1\"",
    "\"7\"",
    "\"-1\"",
    "\"1.5\"",
    "\"1e3\"",
    "\"1e999\"",
    "\" 1\"",
    "\"0x10\"",
    "\"nan\"",
    "\"true\"",
    "\"text\"",
    "\"a;b,c d\"",
    "\"lxc\"",
    UPID,
    "[]",
    "[\"a\",\"b\"]",
    "[\"0.78\",0.5]",
    "[1]",
    "[[]]",
    "[null]",
    "[{}]",
    "{}",
    "{\"no such field\":1}",
];

/// What the rules say of a value for a field of this kind, written down apart from the code under test.
fn fits(kind: Kind, sample: &str) -> bool {
    let text = sample.starts_with('"');
    let integers = ["0", "1", "2", "1.0", "1e3", "\"0\"", "\"1\"", "\"7\"", "\"1e3\""];
    match (kind, sample) {
        (_, "null") => true,
        (Kind::Bool, _) => ["true", "false", "0", "1", "1.0", "\"\"", "\"0\"", "\"1\""].contains(&sample),
        (Kind::Int, _) => integers.contains(&sample) || ["-1", "\"-1\""].contains(&sample),
        // The largest of them fits unless the field is a VMID.
        (Kind::UInt, _) => integers.contains(&sample) || sample == "18446744073709551615",
        (Kind::Float, "1e999" | "\"1e999\"") => false,
        (Kind::Float, "\" 1\"" | "\"0x10\"" | "\"nan\"" | "\"\"") => false,
        (Kind::Float, _) => sample.trim_matches('"').parse::<f64>().is_ok(),
        (Kind::Text | Kind::Secret, _) => text,
        (Kind::Scalar, _) => !sample.starts_with(['[', '{']),
        (Kind::List, _) => text || ["[]", "[\"a\",\"b\"]", "[null]"].contains(&sample),
        (Kind::Floats, _) => ["[]", "[\"0.78\",0.5]", "[1]", "[null]"].contains(&sample),
        (Kind::Upid, _) => sample == UPID,
        (Kind::GuestKind, _) => sample == "\"lxc\"",
        (Kind::Any, "1e999") => false,
        (Kind::Any, _) => true,
        (Kind::Object(_), _) => sample.starts_with('{'),
        (Kind::Objects(_) | Kind::AgentResult, _) => ["[]", "[{}]"].contains(&sample),
        (other, _) => panic!("no rule for {other:?}: say what fits it"),
    }
}

/// An object with nothing but its key fields.
fn base(facts: &ReplyFacts) -> Map<String, Value> {
    let key = |fact: &FieldFact| match fact.kind {
        Kind::UInt => json!(100),
        Kind::Int => json!(1),
        Kind::Text => json!("x"),
        Kind::Upid => serde_json::from_str(UPID).unwrap(),
        Kind::GuestKind => json!("lxc"),
        other => panic!("no key of kind {other:?} is expected"),
    };
    facts.fields.iter().filter(|f| f.key).map(|f| (f.wire.to_owned(), key(f))).collect()
}

/// The base with one member more, as text: a number out of range could not pass through a `Value`.
fn with(base: &Map<String, Value>, wire: &str, sample: &str) -> String {
    let mut members: Vec<String> =
        base.iter().filter(|(k, _)| *k != wire).map(|(k, v)| format!("{}:{v}", json!(k))).collect();
    members.insert(0, format!("{}:{sample}", json!(wire)));
    format!("{{{}}}", members.join(","))
}

fn decoded(facts: &ReplyFacts, body: &str) -> (Result<Value, NotUnderstood>, Drift) {
    let mut drift = Drift::default();
    let data = decode::check(body.as_bytes()).unwrap();
    ((facts.decode)(data, &mut drift), drift)
}

fn without(mut value: Value, wire: &str) -> Value {
    value.as_object_mut().unwrap().remove(wire);
    value
}

#[test]
fn every_field_against_every_kind_of_value() {
    let (mut looked_at, mut drifting) = (0, 0);
    for facts in reply::ALL {
        let base = base(facts);
        let (alone, drift) = decoded(facts, &Value::Object(base.clone()).to_string());
        let alone = alone.unwrap_or_else(|e| panic!("{}: {e}", facts.name));
        assert!(drift.is_empty(), "{}: {drift:?}", facts.name);
        for fact in facts.fields {
            for sample in SAMPLES {
                let at = format!("{}.{} ({}): {sample}", facts.name, fact.wire, fact.kind);
                let (result, drift) = decoded(facts, &with(&base, fact.wire, sample));
                looked_at += 1;
                let fits =
                    fits(fact.kind, sample) && !(fact.wire == "vmid" && *sample == "18446744073709551615");
                if fact.key {
                    if facts.name == "Resource" && *sample == "\"lxc\"" {
                        // Now it is a guest's row, and the base is none.
                        assert!(result.is_err(), "{at}");
                        continue;
                    }
                    let readable = fits && *sample != "null";
                    assert_eq!(result.is_ok(), readable, "{at}: {result:?}");
                    if let Err(why) = result {
                        assert!(why.to_string().contains(&format!("`{}`", fact.wire)), "{at}: {why}");
                    }
                    continue;
                }
                let result = result.unwrap_or_else(|e| panic!("{at}: {e}"));
                assert_eq!(drift.is_empty(), fits, "{at}: {drift:?}");
                drifting += usize::from(!fits);
                for record in &drift.records {
                    assert!(record.field.starts_with(fact.wire), "{at}: {record}");
                    assert_eq!(record.expected == fact.kind, record.field == fact.wire, "{at}: {record}");
                }
                let keeps_text = facts.name == "GuestConfig";
                let in_part =
                    matches!(fact.kind, Kind::List | Kind::Floats | Kind::Objects(_) | Kind::AgentResult)
                        && sample.starts_with('[');
                let value = result.get(fact.wire).unwrap_or(&Value::Null);
                if *sample == "null" || (!fits && !keeps_text && !in_part) {
                    assert!(value.is_null(), "{at}: {value}");
                } else {
                    assert!(!value.is_null(), "{at}: {value}");
                }
                assert_eq!(without(result, fact.wire), without(alone.clone(), fact.wire), "{at}");
            }
        }
    }
    println!("{looked_at} values of {} types, {drifting} of them drift", reply::ALL.len());
    assert!(looked_at > 5000 && drifting > 2000);
}

#[test]
fn every_declared_type_is_in_the_list() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/reply");
    let mut declared = BTreeSet::new();
    for file in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        for line in text.lines() {
            // Inside `reply!` and `tagged!` declarations are indented; a plain struct is not.
            let name = line.strip_prefix("    pub struct ").or(line.strip_prefix("    pub enum "));
            let by_hand = line.strip_prefix("impl Reply for ");
            declared
                .extend(name.or(by_hand).and_then(|rest| rest.split([' ', '{']).next()).map(str::to_owned));
        }
    }
    // Their paths and privileges are all open-ended: there is no field to walk.
    assert!(declared.remove("Permissions") && declared.remove("RolePrivileges"));
    let listed: BTreeSet<_> = reply::ALL.iter().map(|facts| facts.name.to_owned()).collect();
    assert_eq!(declared, listed);
}

#[test]
fn facts_are_complete_and_wire_names_unique() {
    for facts in reply::ALL {
        let mut seen = BTreeSet::new();
        for fact in facts.fields {
            assert!(seen.insert(fact.wire), "{}.{} twice", facts.name, fact.wire);
            assert!(fact.about.trim().len() > 3, "{}.{} is not described", facts.name, fact.wire);
        }
    }
    let secret: Vec<_> = reply::ALL
        .iter()
        .flat_map(|facts| {
            facts.fields.iter().filter(|f| f.secret).map(|f| format!("{}.{}", facts.name, f.wire))
        })
        .collect();
    assert_eq!(secret, ["Ticket.ticket", "Ticket.CSRFPreventionToken", "Token.value", "TokenInfo.value"]);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[-0-9.e]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-z-]{1,6}", inner, 0..4)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn nothing_is_dropped_in_silence(
        type_pick in any::<prop::sample::Index>(),
        values in proptest::collection::vec((any::<prop::sample::Index>(), any_json()), 1..6),
    ) {
        let facts = type_pick.get(reply::ALL);
        let mut body = base(facts);
        for (pick, value) in values {
            let fact = pick.get(facts.fields);
            if !fact.key {
                body.insert(fact.wire.to_owned(), value);
            }
        }
        let (result, drift) = decoded(facts, &Value::Object(body.clone()).to_string());
        let result = result.map_err(|e| TestCaseError::fail(e.to_string()))?;
        for (wire, sent) in &body {
            let lost = !sent.is_null() && result.get(wire).is_none_or(Value::is_null);
            let noted = drift.records.iter().any(|r| r.field.starts_with(wire.as_str()));
            prop_assert!(!lost || noted, "{}.{wire}: {sent} is gone: {drift:?}", facts.name);
        }
    }

    #[test]
    fn no_json_makes_any_type_panic(type_pick in any::<prop::sample::Index>(), value in any_json()) {
        let facts = type_pick.get(reply::ALL);
        let _ = decoded(facts, &value.to_string());
    }

    #[test]
    fn every_row_is_read_or_counted(rows in proptest::collection::vec(
        prop_oneof![any_json(), any_json().prop_map(|v| json!({"type": "lxc", "vmid": 100, "upid": v}))],
        0..12,
    )) {
        let body = Value::from(rows.clone()).to_string();
        let data = decode::check(body.as_bytes()).unwrap();
        fn seen<T: Reply>(data: &RawValue) -> Result<(usize, Vec<usize>), TestCaseError> {
            let mut drift = Drift::default();
            let read = decode::list::<T>(data, &mut drift).map_err(|e| TestCaseError::fail(e.to_string()))?;
            prop_assert!(drift.unreadable.len() >= read.unreadable.len());
            Ok((read.rows.len(), read.unreadable.iter().map(|lost| lost.row).collect()))
        }
        for (read, lost) in [seen::<Resource>(data)?, seen::<TaskRow>(data)?, seen::<LogLine>(data)?] {
            prop_assert_eq!(read + lost.len(), rows.len());
            prop_assert!(lost.windows(2).all(|pair| pair[0] < pair[1]));
        }
        let (objects, _) = seen::<LogLine>(data)?;
        prop_assert_eq!(objects, rows.iter().filter(|row| row.is_object()).count());
    }

    #[test]
    fn no_bytes_make_the_check_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let _ = decode::check(&bytes);
    }
}
