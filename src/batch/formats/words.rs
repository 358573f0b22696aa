//! Splits a shell's line into words, and removes the quotes.

use zeroize::Zeroizing;

/// A word.
#[derive(Debug, Default)]
pub(super) struct Word {
    pub(super) text: Zeroizing<String>,
    /// Whether any part of it was in quotes.
    pub(super) quoted: bool,
}

impl Word {
    /// Whether it ends a command.
    pub(super) fn is_separator(&self) -> bool {
        !self.quoted && self.text.as_str() == ";"
    }
}

/// A quote is not closed. Contains the words up to it; the last one continues to the end of the line.
#[derive(Debug)]
pub(super) struct Unclosed(pub(super) Vec<Word>);

/// The words of a line up to a comment. `;` and `&` outside of quotes become words `;`.
pub(super) fn words(line: &str) -> Result<Vec<Word>, Unclosed> {
    let mut words = Vec::new();
    let mut word: Option<Word> = None;
    let mut is_closed = true;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '\'' | '"' => {
                let word = word.get_or_insert_default();
                word.quoted = true;
                is_closed = take_quoted(character, &mut characters, &mut word.text);
            }
            '#' if word.is_none() => break,
            ';' | '&' => {
                words.extend(word.take());
                words.push(Word { text: Zeroizing::new(";".to_owned()), quoted: false });
            }
            character if character.is_whitespace() => words.extend(word.take()),
            character => word.get_or_insert_default().text.push(character),
        }
    }
    words.extend(word);
    if is_closed { Ok(words) } else { Err(Unclosed(words)) }
}

/// Reads a quoted text. In double quotes a backslash escapes the next character, in single quotes it does not.
/// Returns whether the quote is closed.
fn take_quoted(quote: char, characters: &mut std::str::Chars<'_>, text: &mut String) -> bool {
    while let Some(character) = characters.next() {
        match character {
            character if character == quote => return true,
            '\\' if quote == '"' => text.extend(characters.next()),
            character => text.push(character),
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_comments_and_separators_are_those_of_a_shell() {
        for (line, expected) in [
            (r#"export A="b c"'d' # e"#, &["export", "A=b cd"][..]),
            (r#"A="x\"y\\z" B='\'"#, &[r#"A=x"y\z"#, r"B=\"]),
            ("A=1;B=2&&C=3", &["A=1", ";", "B=2", ";", ";", "C=3"]),
            ("A=a#b", &["A=a#b"]),
            ("   ", &[]),
        ] {
            let words = words(line).unwrap();
            assert_eq!(words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>(), expected, "{line}");
        }
        assert!(words("A='b").is_err() && words("A=\"b\\\"").is_err());
    }
}
