//! What somebody who types a query may go on with: [`typing`] says what stands at the cursor, whoever knows the values
//! says which there are, and [`Typing::fields`], [`Typing::fixed`] and [`Typing::value`] write them as they are typed.

use std::ops::Range;

use super::keys::{self, Key, KeyRow, Kind, Vocabulary, keys};
use super::parse::{OPERATORS, write_values};
use super::text;

/// From so many letters on a word may be meant as a value of some key.
const ENOUGH: usize = 2;

/// What stands at the cursor.
#[derive(Debug, Clone)]
pub struct Typing {
    /// What a proposal takes the place of, in bytes of the text.
    pub replace: Range<usize>,
    /// What is being typed.
    pub part: Part,
}

/// What is being typed.
#[derive(Debug, Clone)]
pub enum Part {
    /// A key, or a word to search for.
    Word {
        /// How it begins.
        begins: String,
        /// Whether an operator stands behind it already.
        has_operator: bool,
    },
    /// A value of a key.
    Value {
        /// The key.
        row: &'static KeyRow,
        /// How it begins, without quotes.
        begins: String,
    },
    /// Nothing that anybody could know.
    Unknown,
}

/// One proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// What is written in the place of what is being typed.
    pub text: String,
    /// What it is, in one clause.
    pub what: &'static str,
}

/// What stands at the byte `at` of a query about `about`. A place within a character counts as the one before it.
#[must_use]
pub fn typing(query: &str, at: usize, about: Vocabulary) -> Typing {
    let at = (0..=at.min(query.len())).rev().find(|at| query.is_char_boundary(*at)).unwrap_or(0);
    let word = |replace: Range<usize>, has_operator| {
        let begins = query.get(replace.start..at).unwrap_or_default().to_owned();
        Typing { replace, part: Part::Word { begins, has_operator } }
    };
    let mut reader = Reader { query, at: 0 };
    loop {
        reader.run(char::is_whitespace);
        if reader.at > at || reader.peek().is_none() {
            return word(at..at, false);
        }
        let begin = reader.at;
        if reader.peek() == Some('-') {
            reader.at += 1;
        }
        let start = reader.at;
        // Between the dash and nothing, or on it: the dash stays.
        if at == begin && start != begin {
            return word(at..at, false);
        }
        if reader.peek() == Some('"') {
            reader.quoted();
            if at <= reader.at {
                return Typing { replace: start..reader.at, part: Part::Unknown };
            }
            continue;
        }
        reader.run(|c| !c.is_whitespace() && !OPERATORS.contains(&c));
        let head = start..reader.at;
        let has_operator = reader.peek().is_some_and(|c| OPERATORS.contains(&c));
        if at <= head.end {
            return word(head, has_operator);
        }
        if !has_operator {
            continue;
        }
        reader.run(|c| OPERATORS.contains(&c));
        let row = query.get(head).and_then(|head| keys::find(head, about));
        loop {
            let value = reader.at;
            if reader.peek() == Some('"') {
                reader.quoted();
            } else {
                reader.run(|c| !c.is_whitespace() && c != ',');
            }
            if at <= reader.at {
                let begins = query.get(value.min(at)..at).unwrap_or_default();
                let begins =
                    begins.strip_prefix('"').unwrap_or(begins).replace("\\\"", "\"").replace("\\\\", "\\");
                let part = row.map_or(Part::Unknown, |row| Part::Value { row, begins });
                return Typing { replace: value.min(at)..reader.at, part };
            }
            if reader.peek() != Some(',') {
                break;
            }
            reader.at += 1;
        }
    }
}

struct Reader<'a> {
    query: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.query.get(self.at..)?.chars().next()
    }

    fn run(&mut self, more: impl Fn(char) -> bool) {
        while let Some(next) = self.peek().filter(|c| more(*c)) {
            self.at += next.len_utf8();
        }
    }

    /// Goes behind what stands in quotes, or to the end where they are not closed.
    fn quoted(&mut self) {
        self.at += 1;
        while let Some(next) = self.peek() {
            self.at += next.len_utf8();
            match next {
                '"' => return,
                '\\' if matches!(self.peek(), Some('"' | '\\')) => self.at += 1,
                _ => {}
            }
        }
    }
}

impl Typing {
    /// Keys that begin so.
    #[must_use]
    pub fn fields(&self, about: Vocabulary) -> Vec<Proposal> {
        let Part::Word { begins, has_operator } = &self.part else { return Vec::new() };
        let begins = Beginning::of(begins);
        let fits = keys(about).filter(move |row| begins.fits(row.word));
        let written = |row: &'static KeyRow| match (has_operator, row.kind) {
            (true, _) => row.word.to_owned(),
            // One asks for more or less of a figure than for itself.
            (false, Kind::Share | Kind::Bytes | Kind::Span) => format!("{}>", row.word),
            (false, _) => format!("{}:", row.word),
        };
        fits.map(|row| Proposal { text: written(row), what: row.meaning }).collect()
    }

    /// Values of the table that begin so; of a word, with their keys.
    #[must_use]
    pub fn fixed(&self, about: Vocabulary) -> Vec<Proposal> {
        let of = |row: &'static KeyRow, begins: &str| {
            let begins = Beginning::of(begins);
            let fits = row.values.iter().filter(move |value| begins.fits(value));
            fits.map(|value| Proposal { text: self.value(row, value), what: row.meaning }).collect::<Vec<_>>()
        };
        match &self.part {
            Part::Value { row, begins } => of(row, begins),
            Part::Word { begins, has_operator: false } if begins.chars().count() >= ENOUGH => {
                keys(about).flat_map(|row| of(row, begins)).collect()
            }
            Part::Word { .. } | Part::Unknown => Vec::new(),
        }
    }

    /// Of which keys live values would help, and how they begin: the key whose value is being typed, or, of a word, those
    /// whose values people have in mind.
    #[must_use]
    pub fn asks_for(&self, about: Vocabulary) -> Vec<(&'static KeyRow, &str)> {
        let named = |row: &&KeyRow| matches!(row.key, Key::Remote | Key::Node | Key::Tag | Key::Pool);
        match &self.part {
            Part::Value { row, begins } if matches!(row.kind, Kind::Text) => vec![(*row, begins)],
            Part::Word { begins, has_operator: false } if begins.chars().count() >= ENOUGH => {
                keys(about).filter(named).map(|row| (row, begins.as_str())).collect()
            }
            Part::Value { .. } | Part::Word { .. } | Part::Unknown => Vec::new(),
        }
    }

    /// A value of a key as it is written here: in quotes where it must be, and with its key where that does not stand yet.
    #[must_use]
    pub fn value(&self, row: &KeyRow, value: &str) -> String {
        let written = Written(value).to_string();
        match &self.part {
            Part::Value { .. } => written,
            Part::Word { .. } | Part::Unknown => format!("{}:{written}", row.word),
        }
    }
}

struct Written<'a>(&'a str);

impl std::fmt::Display for Written<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write_values(std::iter::once((self.0, self.0.contains('*'))), f)
    }
}

/// What texts are to begin with; upper and lower case are the same.
#[derive(Debug, Clone)]
pub struct Beginning(String);

impl Beginning {
    /// What begins like this.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(text::fold(text))
    }

    /// Whether a text begins so.
    #[must_use]
    pub fn fits(&self, text: &str) -> bool {
        // Most are plain, and compared by the ten thousand at each key stroke.
        if let Some(head) = text.as_bytes().get(..self.0.len())
            && head.is_ascii()
        {
            return head.eq_ignore_ascii_case(self.0.as_bytes());
        }
        let mut letters = text.chars().flat_map(char::to_lowercase);
        self.0.chars().all(|c| letters.next() == Some(c))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Query;
    use super::*;

    const GUESTS: Vocabulary = Vocabulary::Guests;

    #[test]
    fn a_text_begins_so_whatever_its_case() {
        for (text, begins, fits) in [
            ("web-1", "WEB", true),
            ("WEB-1", "web-1", true),
            ("web", "web-1", false),
            ("", "", true),
            ("Äpfel", "äp", true),
            ("äpfel", "ap", false),
            // The sign for kelvin is written small as the letter is, and takes more bytes.
            ("\u{212a}vm", "kv", true),
            ("kvm", "\u{212a}", true),
            ("wéb", "we", false),
        ] {
            assert_eq!(Beginning::of(begins).fits(text), fits, "{text} {begins}");
        }
    }

    /// What is typed where `|` stands: what is replaced, and what it is.
    fn at(marked: &str) -> (String, String) {
        let at = marked.find('|').unwrap();
        let query = marked.replacen('|', "", 1);
        let typing = typing(&query, at, GUESTS);
        let what = match &typing.part {
            Part::Word { begins, has_operator } => {
                format!("word {begins}{}", if *has_operator { ":" } else { "" })
            }
            Part::Value { row, begins } => format!("{} {begins}", row.word),
            Part::Unknown => "unknown".to_owned(),
        };
        (query[typing.replace].to_owned(), what)
    }

    #[test]
    fn what_stands_at_the_cursor_is_known() {
        for (marked, replaced, what) in [
            ("|", "", "word "),
            ("st|", "st", "word st"),
            ("s|t", "st", "word s"),
            ("-st|", "st", "word st"),
            ("-|", "", "word "),
            ("type:ct |", "", "word "),
            ("type:ct st|atus:x", "status", "word st:"),
            ("status:|", "", "status "),
            ("status:ru|", "ru", "status ru"),
            ("status:r|u web", "ru", "status r"),
            ("status:running,st|", "st", "status st"),
            ("status:running,|,x", "", "status "),
            ("-tag:pr|", "pr", "tag pr"),
            ("cpu>|", "", "cpu "),
            ("cpu>=8|0%", "80%", "cpu 8"),
            ("pool:\"a b|", "\"a b", "pool a b"),
            ("pool:\"a |b\" x", "\"a b\"", "pool a "),
            ("nope:x|", "x", "unknown"),
            ("\"two wo|rds\"", "\"two words\"", "unknown"),
            ("höhle| x", "höhle", "word höhle"),
        ] {
            assert_eq!(at(marked), (replaced.to_owned(), what.to_owned()), "{marked}");
        }
    }

    #[test]
    fn keys_and_values_are_proposed_as_they_are_written() {
        let texts = |query: &str| {
            let typing = typing(query, query.len(), GUESTS);
            let all = typing.fields(GUESTS).into_iter().chain(typing.fixed(GUESTS));
            all.map(|one| one.text).collect::<Vec<_>>()
        };
        assert_eq!(texts("st"), ["status:", "status:stopped", "fresh:stale", "ha:started", "ha:stopped"]);
        assert_eq!(texts("CP"), ["cpu>"]);
        assert_eq!(texts("status:ru"), ["running"]);
        assert_eq!(texts("type:"), ["ct", "vm"]);
        assert_eq!(
            texts("status:running "),
            keys(GUESTS)
                .map(|row| match row.kind {
                    Kind::Share | Kind::Bytes | Kind::Span => format!("{}>", row.word),
                    _ => format!("{}:", row.word),
                })
                .collect::<Vec<_>>()
        );
        let typed = typing("stat:x", 4, GUESTS);
        assert_eq!(typed.fields(GUESTS)[0].text, "status", "the operator stands there");
        let pool = typing("pool:", 5, GUESTS);
        let row = keys(GUESTS).find(|row| row.word == "pool").unwrap();
        for (value, written) in [("a", "a"), ("a b", "\"a b\""), ("a,b", "\"a,b\""), ("a*", "\"a*\"")] {
            assert_eq!(pool.value(row, value), written);
        }
        assert_eq!(typing("cust", 4, GUESTS).value(row, "a b"), "pool:\"a b\"");
    }

    proptest! {
        #[test]
        fn whatever_is_typed_a_value_in_its_place_is_read_as_that_value(
            before in "(type:ct |-tag:a |web |)", value in "[a-z ,\"*\\\\]{1,6}",
        ) {
            let query = format!("{before}pool:");
            let typing = typing(&query, query.len(), GUESTS);
            let Part::Value { row, .. } = &typing.part else { panic!("{typing:?}") };
            let mut whole = query.clone();
            whole.replace_range(typing.replace.clone(), &typing.value(row, &value));
            let read = Query::parse(&whole, GUESTS).unwrap();
            prop_assert_eq!(read.asked_for(Key::Pool), vec![value.as_str()]);
        }

        #[test]
        fn no_text_and_no_place_is_too_much(query in ".{0,20}", at in 0usize..40) {
            let typing = typing(&query, at, GUESTS);
            prop_assert!(query.get(typing.replace.clone()).is_some());
            prop_assert!(typing.replace.start <= at);
        }
    }
}
