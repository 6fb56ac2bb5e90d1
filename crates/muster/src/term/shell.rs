//! Names in commands that are meant to be typed or pasted: [`word`] for the shell, [`term`] for a query in it.

/// `text` as one word of a shell command: as it is, or in single quotes where the shell would read something into it.
pub fn word(text: &str) -> String {
    let plain = |c: char| {
        c.is_alphanumeric() || matches!(c, '@' | '%' | '+' | '=' | ':' | ',' | '.' | '/' | '_' | '-')
    };
    match !text.is_empty() && !text.starts_with(['-', '=']) && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// `key:value` of a query, as one word of a shell command: `remote:home`, `'remote:"at tic"'`.
pub fn term(key: &str, value: &str) -> String {
    word(&format!("{key}:{}", quoted(value)))
}

/// A value of a query: in quotes where it would be taken for more than itself.
pub fn quoted(value: &str) -> String {
    let plain = !value.is_empty()
        && !value.starts_with('"')
        && !value.contains(|c: char| c.is_whitespace() || matches!(c, ',' | '*'));
    match plain {
        true => value.to_owned(),
        false => format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use model::query::{Key, Query, Vocabulary};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_plain_stays_so() {
        for text in
            ["home", "home/101", "root@pam", "https://a.example:8006/", "größe", "UPID:pve1:00:root@pam:"]
        {
            assert_eq!(word(text), text);
        }
        assert_eq!(word("at tic"), "'at tic'");
        assert_eq!(word("it's"), r"'it'\''s'");
        assert_eq!(word(""), "''");
        assert_eq!(word("UPID:pve1:root@pam!t:"), "'UPID:pve1:root@pam!t:'");
        assert_eq!(term("remote", "home"), "remote:home");
        assert_eq!(term("remote", "at tic"), "'remote:\"at tic\"'");
    }

    #[test]
    fn a_shell_reads_it_back() {
        let names = ["at tic", "it's", "$HOME", "`id`", "a\\b", "\"", "*", "~", "-x", "#", "a;b", "!", "=x"];
        let line = names.map(word).join(" ");
        let out = Command::new("sh").args(["-c", &format!("printf '%s\\n' {line}")]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&out.stdout).lines().collect::<Vec<_>>(), names);
    }

    proptest! {
        #[test]
        fn a_query_finds_the_name_again(name in "\\PC{1,12}") {
            let query = Query::parse(&format!("remote:{}", quoted(&name)), Vocabulary::Guests).unwrap();
            prop_assert_eq!(query.asked_for(Key::Remote), [name.as_str()]);
        }
    }
}
