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
}
