//! Other spellings of a text: in upper or lower case and interrupted by anything other than letters and digits,
//! in base64 and in hexadecimal (interrupted likewise), and with the escapes of URLs, XML, JSON and C.

/// The class of a byte that has no meaning in a spelling.
pub(super) const NONE: u8 = u8::MAX;

/// The meaning of a byte in each spelling.
#[derive(Clone, Copy)]
pub(super) struct Class {
    /// A letter in lower case or a digit.
    pub alphanumeric: u8,
    /// The value of a character of base64, in either of its alphabets.
    pub sextet: u8,
    /// The value of a hexadecimal digit.
    pub nibble: u8,
    /// Whether an escape may begin here.
    pub begins_escape: bool,
}

/// The class of every byte.
pub(super) const CLASSES: [Class; 256] = {
    let mut classes = [Class { alphanumeric: NONE, sextet: NONE, nibble: NONE, begins_escape: false }; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "it is below 256")]
        let class = Class::of(byte as u8);
        classes[byte] = class;
        byte += 1;
    }
    classes
};

impl Class {
    const fn of(byte: u8) -> Self {
        let lower = byte.to_ascii_lowercase();
        Self {
            alphanumeric: if byte.is_ascii_alphanumeric() { lower } else { NONE },
            sextet: match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'+' | b'-' => 62,
                b'/' | b'_' => 63,
                _ => NONE,
            },
            nibble: match lower {
                b'0'..=b'9' => byte - b'0',
                b'a'..=b'f' => lower - b'a' + 10,
                _ => NONE,
            },
            begins_escape: matches!(byte, b'%' | b'&' | b'\\' | b'=' | b'0'),
        }
    }
}

/// The letters and digits of a text, in lower case.
pub(super) fn alphanumeric(text: &[u8]) -> impl Iterator<Item = u8> {
    values(text, |class| class.alphanumeric)
}

/// Decodes a text as hexadecimal and as base64, beginning at each position where a byte may begin.
pub(super) fn decoded(text: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let nibbles: Vec<u8> = values(text, |class| class.nibble).collect();
    let sextets: Vec<u8> = values(text, |class| class.sextet).collect();
    let hex = (0..2).map(move |skip| bytes_of(nibbles.get(skip..).unwrap_or_default(), 4));
    let base64 = (0..4).map(move |skip| bytes_of(sextets.get(skip..).unwrap_or_default(), 6));
    hex.chain(base64)
}

/// The values of a text's bytes in one spelling.
pub(super) fn values(text: &[u8], of: impl Fn(&Class) -> u8) -> impl Iterator<Item = u8> {
    text.iter().map(move |byte| of(&CLASSES[usize::from(*byte)])).filter(|value| *value != NONE)
}

/// Combines values of this many bits into bytes. Incomplete bytes at the end are left out.
#[expect(clippy::cast_possible_truncation, reason = "the bits of one byte")]
fn bytes_of(values: &[u8], bits: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(values.len());
    let (mut buffer, mut filled) = (0_u32, 0);
    for value in values {
        buffer = buffer << bits | u32::from(*value);
        filled += bits;
        if filled >= 8 {
            filled -= 8;
            bytes.push((buffer >> filled) as u8);
        }
    }
    bytes
}

/// A text with its escapes decoded, if there are any.
pub(super) fn without_escapes(text: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, others @ ..] = rest {
        let escape = if CLASSES[usize::from(*first)].begins_escape { escape(rest) } else { None };
        if let Some((length, byte)) = escape {
            plain.extend(Some(byte).filter(|byte| *byte != 0));
            rest = &rest[length..];
        } else {
            plain.push(*first);
            rest = others;
        }
    }
    (plain.len() < text.len()).then_some(plain)
}

/// The length of the escape at the start of a text, and its meaning: an ASCII character, or 0 for any other
/// character.
pub(super) fn escape(text: &[u8]) -> Option<(usize, u8)> {
    match text {
        // URLs and quoted-printable, C and JSON.
        [b'%' | b'=', digits @ ..] => Some((3, number(digits.get(..2)?, 16)?)),
        [b'\\' | b'0', b'x' | b'X', digits @ ..] => Some((4, number(digits.get(..2)?, 16)?)),
        [b'\\', b'u' | b'U', digits @ ..] => Some((6, number(digits.get(..4)?, 16)?)),
        // XML and HTML.
        [b'&', b'#', b'x' | b'X', digits @ ..] => reference(digits, 3, 16),
        [b'&', b'#', digits @ ..] => reference(digits, 2, 10),
        // No named reference stands for a letter or a digit.
        [b'&', name @ ..] => reference(name, 1, 36).map(|(length, _)| (length, 0)),
        _ => None,
    }
}

/// A reference, whose digits (or name) may be followed by a semicolon.
fn reference(text: &[u8], before: usize, radix: u32) -> Option<(usize, u8)> {
    let length = text.iter().take(8).take_while(|byte| char::from(**byte).is_digit(radix)).count();
    let end = usize::from(text.get(length) == Some(&b';'));
    Some((before + length + end, number(&text[..length], radix)?))
}

fn number(digits: &[u8], radix: u32) -> Option<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(radix).map(u64::from);
    let (first, rest) = digits.split_first()?;
    let number =
        rest.iter().try_fold(digit(first)?, |sum, byte| Some(sum * u64::from(radix) + digit(byte)?))?;
    Some(u8::try_from(number).ok().filter(u8::is_ascii).unwrap_or(0))
}
