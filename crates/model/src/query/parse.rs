//! From text to query and back.

use std::fmt;
use std::ops::Range;

use super::keys::{self, Key, KeyRow, Kind, Vocabulary};
use super::text::{self, Network};
use super::{Compare, Figure, How, Pattern, Query, QueryError, Shape, Term, Test, quantity};

/// Terms and values that one query may have: each is asked of every row.
const MOST: usize = 500;

pub(super) const OPERATORS: [char; 5] = [':', '~', '<', '>', '='];

/// What stands between key and value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Is,
    Contains,
    Compare(Compare),
}

/// One value as it was written.
struct Value {
    text: String,
    quoted: bool,
    at: Range<usize>,
}

pub(super) fn parse(text: &str, about: Vocabulary) -> Result<Query, QueryError> {
    let mut reader = Reader { text, at: 0, about };
    let (mut terms, mut asked) = (Vec::new(), 0);
    loop {
        let begin = reader.at;
        let Some(term) = reader.term()? else { break };
        asked += term.weight();
        if asked > MOST {
            let message = format!("this is more than {MOST} terms and values");
            return Err(error(begin..reader.at, message, "ask for less at a time"));
        }
        terms.push(term);
    }
    Ok(Query { terms })
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    about: Vocabulary,
}

fn error(at: Range<usize>, message: impl Into<String>, hint: impl Into<String>) -> QueryError {
    QueryError { at, message: message.into(), hint: hint.into() }
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// Takes characters for as long as `more` says so.
    fn run(&mut self, more: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !more(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    fn term(&mut self) -> Result<Option<Term>, QueryError> {
        self.run(char::is_whitespace);
        let begin = self.at;
        let Some(first) = self.peek() else { return Ok(None) };
        let not = first == '-';
        if not {
            self.take();
            if self.peek().is_none_or(char::is_whitespace) {
                return Err(error(begin..self.at, "nothing stands after -", "write -term, without a blank"));
            }
        }
        let start = self.at;
        if self.peek() == Some('"') {
            let value = self.quoted()?;
            self.ends(&value)?;
            if value.text.is_empty() {
                return Err(error(value.at, "there is nothing to search for", "write a word in the quotes"));
            }
            return Ok(Some(Term { not, test: word(value.text) }));
        }
        let head = self.run(|c| !c.is_whitespace() && !OPERATORS.contains(&c));
        let named = start..self.at;
        let Some(operator) = self.operator() else {
            return Ok(Some(Term { not, test: word(head.to_owned()) }));
        };
        if head.is_empty() {
            let hint = "write a key before it, as in cpu>80%, or put the text in quotes";
            return Err(error(begin..self.at, "a key is missing", hint));
        }
        let Some(row) = keys::find(head, self.about) else { return Err(self.unknown(head, named)) };
        let values = self.values(row, named.start)?;
        Ok(Some(Term { not, test: test(row, operator, values, named, self.about)? }))
    }

    fn operator(&mut self) -> Option<Operator> {
        let first = self.peek().filter(|c| OPERATORS.contains(c))?;
        self.take();
        let equal = matches!(first, '<' | '>') && self.peek() == Some('=');
        if equal {
            self.take();
        }
        Some(match (first, equal) {
            ('~', _) => Operator::Contains,
            ('>', false) => Operator::Compare(Compare::More),
            ('>', true) => Operator::Compare(Compare::AtLeast),
            ('<', false) => Operator::Compare(Compare::Less),
            ('<', true) => Operator::Compare(Compare::AtMost),
            _ => Operator::Is,
        })
    }

    /// One value or several with commas between.
    fn values(&mut self, row: &KeyRow, begin: usize) -> Result<Vec<Value>, QueryError> {
        let mut values = Vec::new();
        loop {
            let start = self.at;
            let value = if self.peek() == Some('"') {
                self.quoted()?
            } else {
                let text = self.run(|c| !c.is_whitespace() && c != ',');
                Value { text: text.to_owned(), quoted: false, at: start..self.at }
            };
            if value.text.is_empty() && !value.quoted {
                let example = row.values.first().copied().unwrap_or("value");
                let hint = match row.kind {
                    Kind::Text => format!("write {}:{example}, or {}:\"\" for none", row.word, row.word),
                    _ => format!("write what {} shall be", row.word),
                };
                return Err(error(begin..self.at, format!("a value of {} is missing", row.word), hint));
            }
            if self.peek() != Some(',') {
                self.ends(&value)?;
                values.push(value);
                return Ok(values);
            }
            self.take();
            values.push(value);
        }
    }

    /// What stands in quotes; `\` before a quote or another `\` means that character.
    fn quoted(&mut self) -> Result<Value, QueryError> {
        let start = self.at;
        self.take();
        let mut text = String::new();
        while let Some(next) = self.take() {
            match next {
                '"' => return Ok(Value { text, quoted: true, at: start..self.at }),
                '\\' => match self.peek() {
                    Some(literal @ ('"' | '\\')) => {
                        self.take();
                        text.push(literal);
                    }
                    _ => text.push('\\'),
                },
                other => text.push(other),
            }
        }
        Err(error(start..self.at, "this quote is not closed", "write \" at its end"))
    }

    /// After a value in quotes a blank must come.
    fn ends(&self, value: &Value) -> Result<(), QueryError> {
        match self.peek() {
            Some(next) if value.quoted && !next.is_whitespace() => {
                let at = value.at.start..self.at + next.len_utf8();
                Err(error(
                    at,
                    format!("{next:?} stands right after a closing quote"),
                    "write a blank between",
                ))
            }
            _ => Ok(()),
        }
    }

    fn unknown(&self, head: &str, at: Range<usize>) -> QueryError {
        let message = format!("{} have no {head:?}", self.about.as_str());
        let near = text::nearest(head, keys::keys(self.about).map(|row| row.word));
        let hint = match near {
            Some(near) => format!("did you mean {near}? To search for the text itself, put it in quotes"),
            None => {
                let all: Vec<_> = keys::keys(self.about).map(|row| row.word).collect();
                format!("there are {}. To search for the text itself, put it in quotes", all.join(", "))
            }
        };
        error(at, message, hint)
    }
}

fn word(written: String) -> Test {
    Test::Word { folded: text::fold(&written), written }
}

/// Puts key, operator and values together, where they go together.
fn test(
    row: &KeyRow,
    operator: Operator,
    values: Vec<Value>,
    named: Range<usize>,
    about: Vocabulary,
) -> Result<Test, QueryError> {
    let key = row.key;
    match (row.kind, operator) {
        (Kind::Text | Kind::Word | Kind::Address | Kind::Flag, Operator::Compare(_)) => Err(error(
            named,
            format!("{:?} is not a figure: it cannot be more or less", row.word),
            format!("write {}:value, or {}~part", row.word, row.word),
        )),
        (Kind::Number | Kind::Share | Kind::Bytes | Kind::Span, Operator::Contains) => Err(error(
            named,
            format!("{:?} is a figure: it contains nothing", row.word),
            format!("write {}>figure, >=, <, <= or =", row.word),
        )),
        (Kind::Text | Kind::Word | Kind::Address | Kind::Flag, Operator::Is | Operator::Contains) => {
            let how = if operator == Operator::Contains { How::Contains } else { How::Is };
            let values =
                values.into_iter().map(|value| pattern(row, how, value, about)).collect::<Result<_, _>>()?;
            Ok(Test::Texts { key, how, values })
        }
        (kind, Operator::Is | Operator::Compare(_)) => {
            let how = if let Operator::Compare(how) = operator { how } else { Compare::Is };
            let values =
                values.into_iter().map(|value| figure(row, kind, value)).collect::<Result<_, _>>()?;
            Ok(Test::Figures { key, how, values })
        }
    }
}

fn figure(row: &KeyRow, kind: Kind, value: Value) -> Result<Figure, QueryError> {
    match quantity::parse(&value.text, kind) {
        Ok(quantity) => Ok(Figure { written: value.text, value: quantity }),
        Err(hint) => {
            Err(error(value.at, format!("{:?} is not something {} can be", value.text, row.word), hint))
        }
    }
}

fn pattern(row: &KeyRow, how: How, value: Value, about: Vocabulary) -> Result<Pattern, QueryError> {
    let Value { text: written, quoted, at } = value;
    let folded = text::fold(&written);
    let plain = |written, folded| Pattern { written, folded, shape: Shape::Plain };
    if how == How::Contains {
        return Ok(plain(written, folded));
    }
    match row.kind {
        Kind::Word | Kind::Flag => {
            let word = keys::translated(row.key, &spelt(&folded)).to_owned();
            if row.values.contains(&word.as_str()) {
                return Ok(plain(word.clone(), word));
            }
            let hint = known(row, &word);
            Err(error(at, format!("{written:?} is nothing that {} can be", row.word), hint))
        }
        Kind::Address => match Network::parse(&folded) {
            Some(network) => Ok(Pattern { written, folded, shape: Shape::Network(network) }),
            None if written.is_empty() || (!quoted && written.contains('*')) => {
                Ok(shaped(written, folded, quoted))
            }
            None => {
                let hint = format!("write {0}:10.0.0.5, {0}:10.0.0.0/24, or {0}~part of one", row.word);
                Err(error(at, format!("{written:?} is not an address"), hint))
            }
        },
        _ if row.key == Key::Status => {
            let (word, folded) = (spelt(&written), spelt(&folded));
            let listed = folded.is_empty() || row.values.contains(&folded.as_str());
            match shaped(word, folded, quoted) {
                pattern if listed || pattern.shape == Shape::Stars => Ok(pattern),
                // States are words that newer versions may add to: in quotes any of them may be asked for. Without, a
                // state that is misspelt would look like an empty fleet.
                pattern if quoted => Ok(Pattern { shape: Shape::Unlisted, ..pattern }),
                pattern => {
                    let hint = format!("{}. Another word goes in quotes", known(row, &pattern.folded));
                    Err(error(
                        at,
                        format!("{written:?} is no {} that {} have", row.word, about.as_str()),
                        hint,
                    ))
                }
            }
        }
        _ => Ok(shaped(written, folded, quoted)),
    }
}

/// The words that a key is known to have, the one that was meant first.
fn known(row: &KeyRow, word: &str) -> String {
    match text::nearest(word, row.values.iter().copied()) {
        Some(near) => format!("did you mean {near}? There are {}", row.values.join(", ")),
        None => format!("there are {}", row.values.join(", ")),
    }
}

/// In quotes a star is a star.
fn shaped(written: String, folded: String, quoted: bool) -> Pattern {
    let shape = if folded.contains('*') && !quoted { Shape::Stars } else { Shape::Plain };
    Pattern { written, folded, shape }
}

/// `node down`, `node-down` and `node_down` are one.
fn spelt(word: &str) -> String {
    word.replace([' ', '-'], "_")
}

/// Writes a bare word so that it is read as one.
pub(super) fn write_word(word: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let plain = !word.starts_with(['-', '"'])
        && !word.contains(|c: char| c.is_whitespace() || OPERATORS.contains(&c))
        && !word.is_empty();
    if plain { f.write_str(word) } else { write_quoted(word, f) }
}

fn write_quoted(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("\"")?;
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            f.write_str("\\")?;
        }
        write!(f, "{c}")?;
    }
    f.write_str("\"")
}

/// Writes values so that they are read as they were.
pub(super) fn write_values<'a>(
    values: impl Iterator<Item = (&'a str, bool)>,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    for (n, (value, literal)) in values.enumerate() {
        if n > 0 {
            f.write_str(",")?;
        }
        let plain = !literal
            && !value.is_empty()
            && !value.starts_with('"')
            && !value.contains(|c: char| c.is_whitespace() || c == ',');
        if plain { f.write_str(value)? } else { write_quoted(value, f)? }
    }
    Ok(())
}
