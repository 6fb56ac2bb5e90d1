//! Text that came from outside, made fit for a terminal: [`safe`], [`fit`], and figures in words.
//!
//! A guest may be called anything. Its name must not move the cursor, change a colour, ring, or turn the
//! rest of a line around, so whatever does such things is shown as what it is instead.

use jiff::{SignedDuration, Timestamp};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How many characters of no width may follow each other. Real scripts and emoji need three; a hundred
/// stacked accents would run over the lines above.
const STACKED: usize = 4;

/// What is shown of one text at most; a name longer than this is no longer being read by anyone.
const LONGEST: usize = 4096;

/// `text` with everything that could drive a terminal replaced by something visible.
///
/// Control characters become their Unicode pictures (`␛`, `␊`); direction marks, invisible formatting and
/// line separators become `<U+202E>`. Letters of right-to-left scripts are letters and stay.
pub fn safe(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut stacked = 0;
    for (seen, c) in text.chars().enumerate() {
        if seen >= LONGEST {
            out.push('…');
            break;
        }
        match c {
            '\u{0}'..='\u{1f}' => out.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}')),
            '\u{7f}' => out.push('\u{2421}'),
            _ if drives_terminal(c) => out.push_str(&format!("<U+{:04X}>", u32::from(c))),
            _ => {
                stacked = if c.width() == Some(0) { stacked + 1 } else { 0 };
                if stacked > STACKED {
                    if stacked == STACKED + 1 {
                        out.push('…');
                    }
                } else {
                    out.push(c);
                }
                continue;
            }
        }
        stacked = 0;
    }
    out
}

/// Is this one of the characters that act rather than show?
fn drives_terminal(c: char) -> bool {
    matches!(c,
        '\u{80}'..='\u{9f}'                 // C1 controls: one of them is CSI
        | '\u{ad}'                          // soft hyphen
        | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' // directions
        | '\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}')
}

/// Like [`safe`], but the line breaks of a text of several lines stay (a log, a description).
pub fn safe_lines(text: &str) -> Vec<String> {
    text.trim_end_matches(['\n', '\r']).split('\n').map(|line| safe(line.trim_end_matches('\r'))).collect()
}

/// Columns that `text` takes on a terminal.
pub fn width(text: &str) -> usize {
    text.width()
}

/// `text` cut to at most `columns`, with `…` where something was left out. Never splits a character.
pub fn fit(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    if columns == 0 {
        return String::new();
    }
    let mut kept = 0;
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        // Measured as a text and not character by character: joined emoji are narrower than their parts.
        if width(text.get(..end).unwrap_or_default()) > columns - 1 {
            break;
        }
        kept = end;
    }
    format!("{}…", text.get(..kept).unwrap_or_default())
}

/// `text` with blanks on the right up to `columns`.
pub fn pad_right(text: &str, columns: usize) -> String {
    let missing = columns.saturating_sub(width(text));
    format!("{text}{}", " ".repeat(missing))
}

/// `text` with blanks on the left up to `columns`.
pub fn pad_left(text: &str, columns: usize) -> String {
    let missing = columns.saturating_sub(width(text));
    format!("{}{text}", " ".repeat(missing))
}

/// A length of time in the largest one or two units: `4 s`, `3 min`, `2 h 10 min`, `5 d 3 h`.
pub fn span(seconds: u64) -> String {
    let (m, h, d) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{m} min"),
        3_600..86_400 if m % 60 == 0 => format!("{h} h"),
        3_600..86_400 => format!("{h} h {} min", m % 60),
        _ if h % 24 == 0 || d >= 10 => format!("{d} d"),
        _ => format!("{d} d {} h", h % 24),
    }
}

/// A length of time that is still to pass, to the nearest of the units shown: `90 d`, the moment 90 days begin.
fn left(seconds: u64) -> String {
    let half = match seconds {
        0..60 => 0,
        60..86_400 => 30,
        86_400..864_000 => 1_800,
        _ => 43_200,
    };
    span(seconds + half)
}

/// How long ago `then` was at `now`: `now`, `40 s ago`. A time ahead of us says so instead of lying.
pub fn ago(now: Timestamp, then: Timestamp) -> String {
    let seconds = seconds_between(then, now);
    match seconds {
        ..-1 => format!("in {}", left(seconds.unsigned_abs())),
        -1..=1 => "now".to_owned(),
        _ => format!("{} ago", span(seconds.unsigned_abs())),
    }
}

/// Whole seconds from `from` to `to`, negative when `to` comes first.
pub fn seconds_between(from: Timestamp, to: Timestamp) -> i64 {
    to.duration_since(from).as_secs()
}

/// A duration as a person reads a stopwatch: `0.4 ms`, `38 ms`, `3.0 s`.
pub fn stopwatch(took: std::time::Duration) -> String {
    let ms = took.as_secs_f64() * 1000.0;
    match ms {
        _ if ms < 1.0 => format!("{ms:.1} ms"),
        _ if ms < 1000.0 => format!("{ms:.0} ms"),
        _ => format!("{:.1} s", ms / 1000.0),
    }
}

/// Bytes with a binary unit and three significant figures at most: `512 B`, `1.5 GiB`, `932 GiB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "three figures are shown")]
    let mut value = count as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or("EiB");
    if value < 9.95 { format!("{value:.1} {name}") } else { format!("{value:.0} {name}") }
}

/// A share (0 to 1) as a percentage: `3.1 %`, `87 %`.
pub fn percent(share: f64) -> String {
    let p = share * 100.0;
    if p < 9.95 { format!("{p:.1} %") } else { format!("{p:.0} %") }
}

/// How many letters must be changed, added, left out or swapped with their neighbour to come from `a` to `b`.
pub fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX / 2);
            let mut least =
                (at(&above, j) + usize::from(x != y)).min(at(&above, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                least = least.min(at(&before, j - 1) + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    above.last().copied().unwrap_or(0)
}

/// `text` in lines of at most `columns`, broken at blanks, and within a word only where the word alone is wider.
/// Nothing is left out.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && width(&line) + 1 + width(word) > columns {
            lines.push(std::mem::take(&mut line));
        } else if !line.is_empty() {
            line.push(' ');
        }
        for c in word.chars() {
            if width(&line) + c.width().unwrap_or(0) > columns && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// A moment in UTC, to the second.
pub fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// What is left of a wait, for a line such as `next try in 8 s`.
pub fn until(now: Timestamp, then: Timestamp) -> String {
    let left = then.duration_since(now);
    if left <= SignedDuration::ZERO {
        "now".to_owned()
    } else {
        // A part of a second still counts: half a second before the hour it is an hour.
        format!(
            "in {}",
            self::left(left.as_millis().unsigned_abs().div_ceil(1000).try_into().unwrap_or(u64::MAX / 2))
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_from_outside_drives_the_terminal() {
        for (given, shown) in [
            ("web", "web"),
            ("\u{1b}[31mred\u{1b}[0m", "␛[31mred␛[0m"),
            ("two\nlines\r", "two␊lines␍"),
            ("\u{9b}2J", "<U+009B>2J"),
            ("evil\u{202e}gpj.exe", "evil<U+202E>gpj.exe"),
            ("שלום", "שלום"),
            ("\u{feff}bom", "<U+FEFF>bom"),
            ("👩‍👩‍👧‍👦 family", "👩‍👩‍👧‍👦 family"),
            ("<b>&amp;</b>", "<b>&amp;</b>"),
        ] {
            assert_eq!(safe(given), shown, "{given:?}");
        }
        let zalgo = format!("e{}", "\u{301}".repeat(100));
        assert!(safe(&zalgo).chars().count() < 10, "stacked accents are cut");
    }

    #[test]
    fn cutting_keeps_whole_characters() {
        assert_eq!(fit("database", 20), "database");
        assert_eq!(fit("database", 5), "data…");
        assert_eq!(fit("日本語", 4), "日…");
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(fit("abc", 1), "…");
        assert_eq!(fit("abc", 0), "");
    }

    #[test]
    fn long_text_goes_on_below() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("AA:BB:CC:DD", 6), ["AA:BB:", "CC:DD"]);
        assert_eq!(wrap("", 5), [""]);
        assert_eq!((distance("frob", "frob"), distance("shwo", "show"), distance("ls", "list")), (0, 1, 2));
    }

    #[test]
    fn figures_read_like_words() {
        assert_eq!(span(59), "59 s");
        assert_eq!(span(7_800), "2 h 10 min");
        assert_eq!(span(86_400 * 5 + 3_600 * 3), "5 d 3 h");
        assert_eq!(bytes(512), "512 B");
        assert_eq!(bytes(1_610_612_736), "1.5 GiB");
        assert_eq!(bytes(u64::MAX), "16 EiB");
        assert_eq!(percent(0.031), "3.1 %");
        let t = Timestamp::from_second(1_000_000).unwrap();
        assert_eq!(ago(t, Timestamp::from_second(999_960).unwrap()), "40 s ago");
        assert_eq!(ago(t, Timestamp::from_second(1_000_100).unwrap()), "in 2 min");
        let soon = |millis: i64| until(t, t + SignedDuration::from_millis(millis));
        assert_eq!([soon(0), soon(400), soon(8_000)], ["now", "in 1 s", "in 8 s"]);
        assert_eq!([soon(59 * 60_000 + 59_500), soon(3_600_000)], ["in 1 h", "in 1 h"]);
        assert_eq!([soon(86_400_000 * 90 - 700), soon(86_400_000 * 89)], ["in 90 d", "in 89 d"]);
        assert_eq!(soon(86_400_000 * 2 - 1), "in 2 d");
    }

    proptest! {
        #[test]
        fn safe_text_never_holds_a_control_character(text in "\\PC*|.*") {
            let shown = safe(&text);
            prop_assert!(!shown.chars().any(|c| c.is_control() || drives_terminal(c)));
        }

        #[test]
        fn a_cut_text_is_never_wider_than_asked(text in ".{0,60}", columns in 0_usize..40) {
            prop_assert!(width(&fit(&safe(&text), columns)) <= columns);
        }
    }
}
