//! Each key and operator as a table; that nothing typed breaks the parser; that what is printed is what was
//! meant.

use proptest::prelude::*;

use super::*;

/// A guest of which some things are not known.
#[derive(Clone)]
struct Row {
    texts: Vec<(Key, Option<Vec<&'static str>>)>,
    figures: Vec<(Key, f64, Option<f64>)>,
}

impl Subject for Row {
    fn text(&self, key: Key, test: &mut dyn FnMut(&str) -> bool) -> Option<bool> {
        let texts = &self.texts.iter().find(|(known, _)| *known == key)?.1;
        match texts.as_deref()? {
            [] => Some(test("")),
            some => Some(some.iter().any(|text| test(text))),
        }
    }

    fn figure(&self, key: Key) -> Option<f64> {
        self.figures.iter().find(|(known, ..)| *known == key).map(|(_, figure, _)| *figure)
    }

    fn whole(&self, key: Key) -> Option<f64> {
        self.figures.iter().find(|(known, ..)| *known == key).and_then(|(.., whole)| *whole)
    }

    fn any_text(&self, test: &mut dyn FnMut(&str) -> bool) -> bool {
        self.texts.iter().filter_map(|(_, texts)| texts.as_deref()).flatten().any(|text| test(text))
    }
}

fn web() -> Row {
    const G: f64 = 1_073_741_824.0;
    Row {
        texts: vec![
            (Key::Name, Some(vec!["Web-1"])),
            (Key::Type, Some(vec!["ct"])),
            (Key::Status, Some(vec!["running"])),
            (Key::Remote, Some(vec!["home", "7"])),
            (Key::Node, Some(vec!["pve1"])),
            (Key::Tag, Some(vec!["prod", "a b"])),
            (Key::Pool, Some(vec![])),
            (Key::Link, Some(vec!["connected", "up"])),
            (Key::Template, Some(vec!["no"])),
            (Key::Ip, Some(vec!["10.0.0.5/24", "fe80::1"])),
            (Key::Ha, None),
        ],
        figures: vec![
            (Key::Vmid, 101.0, None),
            (Key::Cpu, 0.85, Some(1.0)),
            (Key::Mem, 3.0 * G, Some(4.0 * G)),
            (Key::Uptime, 1800.0, None),
            (Key::Age, 10.0, None),
        ],
    }
}

/// The same, with nothing known but its number.
fn dark() -> Row {
    Row { texts: Vec::new(), figures: vec![(Key::Vmid, 102.0, None)] }
}

fn query(text: &str) -> Query {
    Query::parse(text, Vocabulary::Guests).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn each_key_and_operator_means_what_it_says() {
    for (text, meant) in [
        ("", true),
        ("web", true),
        ("WEB pve1", true),
        ("mail", false),
        ("-mail", true),
        ("\"web-1\"", true),
        ("type:ct", true),
        ("type:vm", false),
        ("type:lxc", true),
        ("TYPE:CT", true),
        ("-type:vm", true),
        ("status:running", true),
        ("status:stopped,running", true),
        ("status:stopped", false),
        ("-status:stopped", true),
        ("remote:home", true),
        ("remote:7", true),
        ("remote:hom", false),
        ("remote:hom*", true),
        ("remote~om", true),
        ("node:pve1 -tag:test", true),
        ("tag:prod", true),
        ("tag:\"a b\"", true),
        ("-tag:prod", false),
        ("pool:\"\"", true),
        ("-pool:\"\"", false),
        ("-pool:web", true),
        ("vmid:101", true),
        ("vmid:100,101", true),
        ("vmid>100 vmid<=101", true),
        ("name~EB", true),
        ("name:web", false),
        ("name=web-1", true),
        ("cpu>80%", true),
        ("cpu>=85%", true),
        ("cpu=85%", true),
        ("cpu<80%", false),
        ("-cpu<80%", true),
        ("mem>=3G", true),
        ("mem>=3.1G", false),
        ("mem>70%", true),
        ("mem>=75%", true),
        ("mem>80%", false),
        ("uptime<1h", true),
        ("uptime>=1h30m", false),
        ("age<1m", true),
        ("age>5m", false),
        ("link:up", true),
        ("link:connected", true),
        ("link:backing_off,backing-off", false),
        ("ip:10.0.0.5", true),
        ("ip:10.0.0.0/24", true),
        ("ip:10.0.1.0/24", false),
        ("-ip:10.0.1.0/24", true),
        ("ip~10.0", true),
        ("ip:fe80::1", true),
        ("template:no", true),
        ("template:false", true),
    ] {
        assert_eq!(query(text).matches(&web()), meant, "{text}");
    }
}

#[test]
fn what_is_not_known_is_found_neither_way() {
    for text in [
        "cpu>80%",
        "cpu<=80%",
        "mem>1G",
        "mem>1%",
        "uptime<1h",
        "age>5m",
        "status:running",
        "tag:prod",
        "pool:x",
        "pool:\"\"",
        "ip:10.0.0.5",
        "ha:started",
        "name:web",
        "name~web",
        "type:ct",
        "link:up",
        "template:no",
    ] {
        assert!(!query(text).matches(&dark()), "{text}");
        assert!(!query(&format!("-{text}")).matches(&dark()), "-{text}");
    }
    assert!(query("vmid:102").matches(&dark()) && query("-web").matches(&dark()));
    let mut no_whole = web();
    no_whole.figures[2].2 = None;
    assert!(!query("mem>1%").matches(&no_whole) && !query("-mem>1%").matches(&no_whole));
    assert!(query("mem>1G").matches(&no_whole));
    // One value that holds is enough, though the other cannot be told.
    assert!(query("mem=3G,1%").matches(&no_whole) && !query("-mem=4G,1%").matches(&no_whole));
    no_whole.figures[2].1 = f64::NAN;
    assert!(!query("mem>1G").matches(&no_whole) && !query("-mem>1G").matches(&no_whole));
}

#[test]
fn an_error_names_its_place_and_what_to_do() {
    for (text, about, place, says) in [
        ("type:ct stauts:running", Vocabulary::Guests, "stauts", "did you mean status?"),
        ("xyzzy:1", Vocabulary::Guests, "xyzzy", "there are name, remote, link, type"),
        ("web type:cr", Vocabulary::Guests, "cr", "did you mean ct?"),
        ("cpu>80", Vocabulary::Guests, "80", "80%"),
        ("mem>4", Vocabulary::Guests, "4", "4G"),
        ("age>5", Vocabulary::Guests, "5", "5m"),
        ("vmid:abc", Vocabulary::Guests, "abc", "101"),
        ("cpu~8", Vocabulary::Guests, "cpu", "cpu>figure"),
        ("name>web", Vocabulary::Guests, "name", "name:value"),
        ("name:", Vocabulary::Guests, "name:", "none"),
        ("tag:a,", Vocabulary::Guests, "tag:a,", "none"),
        ("é :x", Vocabulary::Guests, ":", "cpu>80%"),
        ("web -", Vocabulary::Guests, "-", "without a blank"),
        ("é \"web", Vocabulary::Guests, "\"web", "write \""),
        ("\"a\"b", Vocabulary::Guests, "\"a\"b", "a blank between"),
        ("tag:\"a\"é", Vocabulary::Guests, "\"a\"é", "a blank between"),
        ("\"\"", Vocabulary::Guests, "\"\"", "a word"),
        ("ip:10.0.0", Vocabulary::Guests, "10.0.0", "ip~part"),
        ("link:upp", Vocabulary::Guests, "upp", "did you mean up?"),
        ("cpu>80%", Vocabulary::Storages, "cpu", "there are name"),
        ("10.0.0.5:8006", Vocabulary::Guests, "10.0.0.5", "put it in quotes"),
        ("status:succeded", Vocabulary::Operations, "succeded", "did you mean succeeded?"),
        (
            "status:runnning",
            Vocabulary::Guests,
            "runnning",
            "did you mean running? There are running, stopped",
        ),
        ("web -status:on", Vocabulary::Guests, "on", "in quotes"),
        ("status:running", Vocabulary::Nodes, "running", "there are online, offline"),
        ("fresh:old", Vocabulary::Guests, "old", "there are live, stale, never_seen"),
    ] {
        let error = Query::parse(text, about).expect_err(text);
        assert_eq!(text.get(error.at.clone()), Some(place), "{text}: {error}");
        assert!(error.hint.contains(says), "{text}: {}", error.hint);
    }
}

#[test]
fn a_query_has_an_end() {
    let many = |n: usize| vec!["web"; n].join(" ");
    assert!(Query::parse(&many(500), Vocabulary::Guests).is_ok());
    let error = Query::parse(&many(501), Vocabulary::Guests).unwrap_err();
    assert_eq!(error.at, 1999..2003);
    let values = format!("vmid:{}", vec!["1"; 501].join(","));
    assert!(Query::parse(&values, Vocabulary::Guests).is_err());
}

#[test]
fn printed_as_typed() {
    for text in [
        "type:ct status:running tag:prod -tag:test node:pve1 remote:home cpu>80% mem>=4G uptime<1h ip:10.0.0.5",
        "-web \"two words\" tag:\"a b\",c pool:\"\" \"-x\" name~\"*\" name:a*b",
        r#""say \"hi\" \\" name:"\"a b""#,
    ] {
        assert_eq!(query(text).to_string(), text);
    }
    assert_eq!(query("  type=LXC   cpu=80% ").to_string(), "type:ct cpu:80%");
    assert_eq!(query("status:\"node down\"").to_string(), "status:node_down");
    // A state that only Proxmox VE knows is asked for in quotes, and stays in them.
    for text in ["status:\"prelaunch\"", "status:run*", "status:\"a*\",stopped"] {
        assert_eq!(query(text).to_string(), text);
    }
}

#[test]
fn what_is_asked_for_by_name_is_told() {
    let q = query("remote:home,\"at tic\" -remote:away remote:h* remote~x name:a status:running");
    assert_eq!(q.asked_for(Key::Remote), ["home", "at tic"]);
    assert_eq!(q.asked_for(Key::Tag), Vec::<&str>::new());
}

#[test]
fn what_is_of_the_remote_is_told_once() {
    let (remote, row) = query("link:up web remote:home type:ct").split();
    assert_eq!(remote.to_string(), "link:up remote:home");
    assert_eq!(row.to_string(), "web type:ct");
    let q = query("status:deleted -status:missing age>1m");
    assert!(
        q.asks_for(Key::Status, "deleted") && !q.asks_for(Key::Status, "missing") && q.asks_about(Key::Age)
    );
}

#[test]
fn sort_keys_are_read() {
    let keys = sort("-cpu, name,-CPU", Vocabulary::Guests).unwrap();
    let expected = [
        SortKey { key: Key::Cpu, descending: true, by_figure: true },
        SortKey { key: Key::Name, descending: false, by_figure: false },
    ];
    assert_eq!(keys, expected);
    assert_eq!(sort("", Vocabulary::Guests).unwrap(), []);
    let error = sort("name,-cpy", Vocabulary::Guests).unwrap_err();
    assert_eq!(error.at, 5..9);
    assert!(error.hint.starts_with("did you mean cpu? There are name, remote,"), "{}", error.hint);
    let error = sort("foo", Vocabulary::Guests).unwrap_err();
    assert!(error.hint.contains("cpu, mem"), "whatever is near, the keys are listed: {}", error.hint);
    for (text, at) in [("cpu,,name", 4..4), ("cpu,", 4..4), (",", 0..0)] {
        assert_eq!(sort(text, Vocabulary::Guests).unwrap_err().at, at, "{text}");
    }
}

#[test]
fn the_table_has_no_row_twice() {
    for about in Vocabulary::ALL {
        let words: Vec<_> = keys(about).map(|row| row.word).collect();
        let mut single = words.clone();
        single.sort_unstable();
        single.dedup();
        assert_eq!(words.len(), single.len(), "{about:?}");
        for row in keys(about).filter(|row| matches!(row.kind, Kind::Word | Kind::Flag)) {
            for value in row.values {
                let text = format!("{}:{value}", row.word);
                assert_eq!(Query::parse(&text, about).unwrap().to_string(), text);
            }
        }
    }
}

/// Texts that come near to being queries.
fn nearly() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => prop::sample::select(vec![
            "type", "status", "name", "tag", "cpu", "mem", "age", "ip", "vmid", "pool", ":", "~", ">", ">=", "<",
            "=", "-", "\"", "\\", ",", "*", " ", "ct", "80%", "4G", "5m", "10.0.0.0/8", "é", "web", "",
        ]).prop_map(str::to_owned),
        1 => ".{0,3}",
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn parsing_never_panics_and_errors_lie_in_the_text(text in prop_oneof![nearly(), ".{0,40}"]) {
        for about in Vocabulary::ALL {
            match Query::parse(&text, about) {
                Ok(query) => {
                    let _ = (query.matches(&web()), query.matches(&dark()));
                    let printed = query.to_string();
                    let again = Query::parse(&printed, about);
                    prop_assert_eq!(again.as_ref(), Ok(&query), "{} printed as {}", &text, &printed);
                }
                Err(error) => {
                    prop_assert!(text.get(error.at.clone()).is_some(), "{} {:?}", &text, &error);
                    prop_assert!(!error.message.is_empty() && !error.hint.is_empty());
                }
            }
            if let Err(error) = sort(&text, about) {
                prop_assert!(text.get(error.at).is_some());
            }
        }
    }

    #[test]
    fn a_term_and_its_contrary_never_both_hold(text in nearly()) {
        let Ok(query) = Query::parse(&text, Vocabulary::Guests) else { return Ok(()) };
        for term in query.terms {
            let contrary = Term { not: !term.not, ..term.clone() };
            for row in [web(), dark()] {
                prop_assert!(!(term.holds(&row) && contrary.holds(&row)), "{}", term);
            }
        }
    }

    #[test]
    fn numbers_of_guests_are_compared_as_numbers(vmid in 0u32..2000, than in 0u32..2000) {
        let row = Row { texts: Vec::new(), figures: vec![(Key::Vmid, f64::from(vmid), None)] };
        for (operator, holds) in
            [(">", vmid > than), (">=", vmid >= than), ("<", vmid < than), ("<=", vmid <= than), ("=", vmid == than)]
        {
            prop_assert_eq!(query(&format!("vmid{operator}{than}")).matches(&row), holds);
        }
    }
}

/// The keys of one kind of thing as `docs/query.md` has them.
fn table(about: Vocabulary) -> String {
    let mut text = format!("### {}\n\n| key | value | what it is |\n|---|---|---|\n", about.as_str());
    for row in keys(about) {
        let some: Vec<_> = row.values.iter().map(|value| format!("`{value}`")).collect();
        let value = match row.kind {
            Kind::Word | Kind::Flag => some.join(", "),
            Kind::Text if some.is_empty() => "text".to_owned(),
            Kind::Text => format!("text: {}, …", some.join(", ")),
            Kind::Number => "number".to_owned(),
            Kind::Share => "share, `80%`".to_owned(),
            Kind::Bytes => "bytes, `4G`, or share, `80%`".to_owned(),
            Kind::Span => "span, `5m`".to_owned(),
            Kind::Address => "address or network, `10.0.0.0/24`".to_owned(),
        };
        text.push_str(&format!("| `{}` | {value} | {} |\n", row.word, row.meaning));
    }
    text
}

#[test]
fn the_document_has_every_key() {
    let document = include_str!("../../../../docs/query.md");
    for about in Vocabulary::ALL {
        let table = table(about);
        assert!(document.contains(&table), "docs/query.md shall have:\n{table}");
    }
}
