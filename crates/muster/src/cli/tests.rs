use super::*;
use clap::CommandFactory;

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn options_may_stand_before_and_after_the_command() {
    for line in [
        "muster at pve.example --user a@pve -o json ls",
        "muster at pve.example ls --user a@pve -o json",
        "muster at -o json --user a@pve pve.example ls",
    ] {
        let cli = Cli::try_parse_from(line.split(' ')).unwrap();
        let Command::At(at) = cli.command else { panic!("{line}") };
        assert_eq!(at.addresses, ["pve.example"], "{line}");
        assert_eq!(at.output, Output::Json, "{line}");
        assert_eq!(at.sign_in.user.as_deref(), Some("a@pve"), "{line}");
    }
    let cli = Cli::try_parse_from("muster at a=1.2.3.4 b=h,i show a/101".split(' ')).unwrap();
    let Command::At(At { addresses, action: Some(AtCommand::Show(guest)), .. }) = cli.command else {
        panic!()
    };
    assert_eq!((addresses.len(), guest.guest.as_str()), (2, "a/101"));
}

#[test]
fn what_makes_no_sense_is_refused() {
    for line in [
        "muster at ls",
        "muster at pve.example --user a@pve --token-file t ls",
        "muster at pve.example --accept-new --fingerprint AA ls",
        "muster at pve.example --timeout 0 ls",
        "muster at pve.example --password hunter2 ls",
        "muster at pve.example --token t ls",
        "muster remote privileges --pve 5",
        "muster remote privileges",
    ] {
        assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
    }
}

#[test]
fn spans_of_time() {
    assert_eq!(value::span("30").unwrap().as_secs(), 30);
    assert_eq!(value::span("5m").unwrap().as_secs(), 300);
    assert!(value::span("five").is_err());
    assert!(value::span("-1").is_err());
    assert!(!value::span("0").unwrap_err().contains("time-out"));
    assert_eq!(value::lifetime("730d").unwrap().as_secs(), 730 * 86_400, "not cut to a year");
    for text in ["0d", "0", "36501d", "99999999999999999999d", "soon"] {
        assert!(value::lifetime(text).is_err(), "{text}");
    }
    assert!(!value::lifetime("0d").unwrap_err().contains("time-out"));
}

/// Somebody who sees a command for the first time sees how it is used.
#[test]
fn every_command_has_an_example() {
    fn walk(command: &clap::Command, path: &str, without: &mut Vec<String>) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let path = format!("{path} {}", command.get_name());
        if !help.contains("Examples:") || !help.contains("muster ") && !help.contains("<(muster") {
            without.push(path.trim().to_owned());
        }
        for below in command.get_subcommands() {
            walk(below, &path, without);
        }
    }
    let mut without = Vec::new();
    walk(&Cli::command(), "", &mut without);
    assert!(without.is_empty(), "{without:?}");
}

/// The words of the first command of a line, as a shell takes them that knows no more than quotes, pipes and files.
fn before_a_pipe(line: &str) -> Vec<String> {
    let (mut words, mut quoted) = (vec![String::new()], false);
    for sign in line.chars() {
        let last = words.last_mut().unwrap();
        match sign {
            '\'' => quoted = !quoted,
            '|' | '<' if !quoted => break,
            ' ' if !quoted => words.push(String::new()),
            other => last.push(other),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// What the examples show can be typed.
#[test]
fn every_example_is_understood() {
    fn walk(command: &clap::Command, examples: &mut std::collections::BTreeSet<String>) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let lines =
            help.lines().filter_map(|l| l.strip_prefix("  muster ")).filter(|l| !l.starts_with("demo"));
        // What is explained stands behind two blanks or more.
        examples.extend(lines.map(|l| l.split("  ").next().unwrap_or(l).trim().to_owned()));
        command.get_subcommands().for_each(|below| walk(below, examples));
    }
    let mut examples = std::collections::BTreeSet::new();
    walk(&Cli::command(), &mut examples);
    assert!(examples.len() > 60, "{}", examples.len());
    for example in examples {
        let words = before_a_pipe(&example);
        let line = std::iter::once("muster".to_owned()).chain(words).map(std::ffi::OsString::from);
        if let Err(e) = Cli::try_parse_from(arguments(line)) {
            panic!("{example}: {e}");
        }
    }
}

#[test]
fn words_of_queries_are_no_options() {
    let line =
        ["muster", "guest", "ls", "status:running", "-tag:test", "-cpu>80%", "-o", "json", "--sort", "-cpu"];
    let cli = Cli::try_parse_from(arguments(line.map(std::ffi::OsString::from))).unwrap();
    let Command::Guest(guest) = cli.command else { panic!() };
    assert_eq!(guest.common.output, Output::Json);
    let guest::GuestCommand::Ls(listing) = guest.command else { panic!() };
    assert_eq!(listing.text().as_deref(), Some("status:running -tag:test -cpu>80%"));
    assert_eq!(listing.sort.as_deref(), Some("-cpu"));
}

#[test]
fn no_secret_is_an_argument() {
    for line in [
        "muster remote add pve --password hunter2",
        "muster remote add pve --token a@pve!t=s",
        "muster user add a --role viewer --password hunter2",
        "muster login https://a --password hunter2",
        "muster login https://a --token mst_1_2",
        "muster guest start",
        "muster guest start web --query tag:a",
        "muster user add a",
        "muster remote edit home",
        "muster operation resolve 1",
        "muster operation resolve 1 --task UPID:x --not-sent",
        "muster guest ls --data-dir /x --server https://y",
    ] {
        assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
    }
}
