//! The boundary to the terminal: every text for people passes through here before payctl writes it.
//!
//! A name, a tag, a message of AWS or a line of a config may contain characters that control a
//! terminal: colours, cursor movements, right-to-left text. This module escapes such characters.
//! The renderers therefore mark colour with characters that do not occur in texts (`mark`), and
//! only [`shown`] turns them into control codes. A value with such a mark gets at most a colour, up
//! to the end of its line.

use super::style::{Paint, Style};

/// The looks in the order of their marks.
const LOOKS: [(Paint, &str); 6] = [
    (Paint::Bold, "1"),
    (Paint::Dim, "2"),
    (Paint::Good, "32"),
    (Paint::Warn, "33"),
    (Paint::Bad, "31"),
    (Paint::Odd, "35"),
];
/// Unicode keeps these characters free for a program's own use.
const MARKS: std::ops::RangeInclusive<char> = '\u{fdd0}'..='\u{fdd5}';
const END: char = '\u{fddf}';

/// The text between the marks of a look.
pub(super) fn mark(paint: Paint, text: &str) -> String {
    let at = LOOKS.iter().position(|(look, _)| *look == paint);
    let begin = at.and_then(|at| MARKS.clone().nth(at)).unwrap_or(END);
    format!("{begin}{text}{END}")
}

/// The text for a terminal: marks become control codes if colour is on, and other control
/// characters become escapes. Line breaks stay.
pub fn shown(style: Style, text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut is_open = false;
    let close = |shown: &mut String, is_open: &mut bool| {
        if std::mem::take(is_open) {
            shown.push_str("\u{1b}[0m");
        }
    };
    for letter in text.chars() {
        match letter {
            '\n' => {
                close(&mut shown, &mut is_open);
                shown.push('\n');
            }
            END if style.color => close(&mut shown, &mut is_open),
            letter if style.color && MARKS.contains(&letter) => {
                let at = MARKS.clone().position(|mark| mark == letter).unwrap_or_default();
                shown.push_str(&format!("\u{1b}[{}m", LOOKS[at].1));
                is_open = true;
            }
            letter if is_obeyed(letter) => shown.extend(letter.escape_default()),
            letter => shown.push(letter),
        }
    }
    close(&mut shown, &mut is_open);
    shown
}

/// A text on one line: its line breaks become escapes.
pub fn one_line(text: &str) -> String {
    text.replace('\n', "\\n")
}

/// A JSON text with control characters as JSON escapes. In JSON such characters occur only in
/// strings, where an escape means the same.
pub(super) fn json_escaped(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for letter in json.chars() {
        if is_obeyed(letter) {
            let mut units = [0; 2];
            for unit in letter.encode_utf16(&mut units) {
                escaped.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            escaped.push(letter);
        }
    }
    escaped
}

/// Whether a character may control a terminal: control characters (C0, DEL, C1), those that change
/// the direction of text, and invisible ones.
pub fn is_obeyed(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{061c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fdd0}'..='\u{fdef}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const COLORS: Style = Style { color: true };

    /// A text that tries everything: control codes, other directions, marks, a line of its own.
    pub(crate) const HOSTILE: &str = "a\u{1b}[31mb\u{1b}]0;t\u{7}c\rd\u{8}e\u{9b}2Jf\u{7f}g\u{202e}h\u{2066}i\
         \u{200f}j\u{2028}k\u{feff}l\u{e0041}m\tn\u{0}o\nFORGED";

    /// Expects that a text holds nothing that a terminal obeys but line breaks and the codes of
    /// this module.
    #[track_caller]
    pub(crate) fn expect_harmless(style: Style, text: &str) {
        let rest = without_looks(style, &shown(style, text));
        let found = rest.chars().find(|letter| *letter != '\n' && is_obeyed(*letter));
        assert_eq!(found, None, "{rest:?}");
        assert!(!rest.lines().any(|line| line.starts_with("FORGED")), "{rest}");
    }

    /// A written text without the codes that its style may have.
    pub(crate) fn without_looks(style: Style, text: &str) -> String {
        let codes = LOOKS.iter().map(|(_, code)| *code).chain(["0"]);
        let codes = codes.filter(|_| style.color).map(|code| format!("\u{1b}[{code}m"));
        codes.fold(text.to_owned(), |text, code| text.replace(&code, ""))
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(
            shown(COLORS, "a\u{1b}[31mb\r\t\u{9b}\u{202e}\n\u{7f}"),
            "a\\u{1b}[31mb\\r\\t\\u{9b}\\u{202e}\n\\u{7f}"
        );
        assert_eq!(shown(COLORS, "Zürich – 東京 ‘é’"), "Zürich – 東京 ‘é’");
        let green = COLORS.paint(Paint::Good, "ok");
        assert_eq!(shown(COLORS, &green), "\u{1b}[32mok\u{1b}[0m");
        assert_eq!(shown(Style::PLAIN, &green), "\\u{fdd2}ok\\u{fddf}");
        expect_harmless(COLORS, &one_line(HOSTILE));
        expect_harmless(Style::PLAIN, &one_line(HOSTILE));
    }

    #[test]
    fn a_style_ends_with_its_line() {
        assert_eq!(shown(COLORS, "\u{fdd4}a\nb"), "\u{1b}[31ma\u{1b}[0m\nb");
        assert_eq!(shown(COLORS, "\u{fdd4}a"), "\u{1b}[31ma\u{1b}[0m");
        assert_eq!(shown(COLORS, "a\u{fddf}\u{fdd9}b"), "a\\u{fdd9}b");
    }

    #[test]
    fn escaped_json_means_the_same() {
        let value = serde_json::json!({ "key": HOSTILE });
        let escaped = json_escaped(&value.to_string());
        assert!(!escaped.chars().any(is_obeyed), "{escaped:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped).expect("JSON"), value);
    }
}
