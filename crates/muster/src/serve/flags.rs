//! The flags of `muster serve` and `muster config`, made from the table of settings.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};

use super::config::Given;
use super::settings::{self, Kind, Setting};

const FILE: &str = "config";

impl FromArgMatches for Given {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut given = Self::default();
        given.update_from_arg_matches(matches)?;
        Ok(given)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.file = matches.get_one::<PathBuf>(FILE).cloned();
        for setting in settings::ALL {
            let Some(flag) = setting.flag else { continue };
            if let Some(values) = matches.get_many::<String>(flag) {
                self.flags.insert(setting.key, values.cloned().collect());
            }
        }
        Ok(())
    }
}

impl Args for Given {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new(FILE).long(FILE).value_name("FILE").value_parser(value_parser!(PathBuf)).help(
            "Configuration file [default: $XDG_CONFIG_HOME/muster/config.toml, else /etc/muster/config.toml]",
        );
        settings::ALL.iter().filter_map(|setting| flag(setting)).fold(command.arg(file), Command::arg)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn flag(setting: &'static Setting) -> Option<Arg> {
    let name = setting.flag?;
    let default = match setting.default {
        "" | "false" => String::new(),
        default => format!(" [default: {default}]"),
    };
    let arg = Arg::new(name)
        .long(name)
        .help(format!("{}{default}", setting.help))
        .value_name(match setting.kind {
            Kind::Choice(words) => words.join("|"),
            kind => kind.placeholder().to_owned(),
        })
        .help_heading(heading(setting.key));
    let arg = match setting.kind {
        Kind::Switch => arg.num_args(0..=1).require_equals(true).default_missing_value("true"),
        kind if kind.is_list() => arg.action(ArgAction::Append),
        _ => arg,
    };
    let kind = setting.kind;
    Some(arg.value_parser(move |text: &str| -> Result<String, String> {
        // Of a list, each part is judged by itself where all are read.
        if !kind.is_list() {
            kind.check(text)?;
        }
        Ok(text.to_owned())
    }))
}

fn heading(key: &str) -> &'static str {
    match key.split_once('.').map(|(table, _)| table) {
        Some("tls") => "TLS",
        Some("metrics") => "Metrics",
        Some("log") => "Log",
        Some("sessions") => "Sessions",
        Some("retention") => "Retention",
        None if key == settings::PACE.key => "Tests",
        _ => "Server",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Given, clap::Error> {
        let command = Given::augment_args(Command::new("serve"));
        command.try_get_matches_from(line.split(' ')).and_then(|m| Given::from_arg_matches(&m))
    }

    #[test]
    fn flags_follow_the_table() {
        Given::augment_args(Command::new("serve")).debug_assert();
        let given = parse(
            "serve --listen 127.0.0.1:1,[::1]:2 --listen 127.0.0.1:3 --insecure-http --keep-events 9d --config c",
        )
        .unwrap();
        assert_eq!(given.file, Some(PathBuf::from("c")));
        assert_eq!(given.flags["listen"], ["127.0.0.1:1,[::1]:2", "127.0.0.1:3"]);
        assert_eq!(given.flags["insecure-http"], ["true"]);
        assert_eq!(given.flags["retention.events"], ["9d"]);
        assert_eq!(given.flags.len(), 3);
        assert_eq!(parse("serve --insecure-http=false").unwrap().flags["insecure-http"], ["false"]);
    }

    #[test]
    fn what_is_no_value_and_what_is_secret_are_refused() {
        for line in [
            "serve --keep-events soon",
            "serve --key 00",
            "serve --database postgres://a",
            "serve --pace quick",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
