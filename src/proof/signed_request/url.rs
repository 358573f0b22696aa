//! Splits the text of a URL into its parts, strictly by RFC 3986.
//!
//! A URL library corrects what it reads (case, escapes, dots, backslashes, line ends), and two libraries may
//! read different hosts. Nothing is corrected here: a URL must be written exactly as it would be sent.

use zeroize::Zeroizing;

/// The parts of a URL as they are written. It holds a signature, so it has no `Debug`.
pub(super) struct UrlText<'a> {
    pub scheme: &'a str,
    /// User, host and port.
    pub authority: &'a str,
    pub path: &'a str,
    pub query: Option<&'a str>,
    pub has_fragment: bool,
}

/// A parameter of a query.
pub(super) struct Parameter<'a> {
    /// The name as it is written.
    pub name: &'a str,
    /// The value without its escapes.
    pub value: Zeroizing<String>,
}

/// The text is not a URL, or has an invalid escape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotAUrl;

impl<'a> UrlText<'a> {
    pub fn read(text: &'a str) -> Result<Self, NotAUrl> {
        if !has_only_url_characters(text) {
            return Err(NotAUrl);
        }
        let (scheme, rest) = text.split_once("://").ok_or(NotAUrl)?;
        let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        let (rest, fragment) =
            rest.split_once('#').map_or((rest, None), |(rest, fragment)| (rest, Some(fragment)));
        let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let stray = |text: &str| text.contains(['#', '[', ']']);
        if !is_scheme
            || !has_host(authority)
            || stray(path)
            || query.is_some_and(stray)
            || fragment.is_some_and(stray)
        {
            return Err(NotAUrl);
        }
        Ok(Self { scheme, authority, path, query, has_fragment: fragment.is_some() })
    }

    /// The parameters of the query, in their order.
    pub fn parameters(&self) -> Result<Vec<Parameter<'a>>, NotAUrl> {
        let pairs = self.query.into_iter().flat_map(|query| query.split('&'));
        pairs
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Ok(Parameter { name, value: unescape(value)? })
            })
            .collect()
    }
}

/// Decodes the escapes of a text. The result must be printable ASCII.
pub(super) fn unescape(text: &str) -> Result<Zeroizing<String>, NotAUrl> {
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8().map_err(|_| NotAUrl)?;
    let printable = decoded.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    printable.then(|| Zeroizing::new(decoded.into_owned())).ok_or(NotAUrl)
}

/// RFC 3986, section 2: unreserved and reserved characters, and complete escapes.
fn has_only_url_characters(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().all(|(at, byte)| match byte {
        b'%' => bytes.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)),
        _ => byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=".contains(byte),
    })
}

/// Whether an authority has a host besides its user and port.
fn has_host(authority: &str) -> bool {
    let (user, host_and_port) = authority.split_once('@').unwrap_or(("", authority));
    if user.contains(['[', ']']) || host_and_port.contains('@') {
        return false;
    }
    // IPv6 addresses, and only these, are in brackets.
    let address = host_and_port.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    if let Some((address, port)) = address {
        return !address.is_empty()
            && !port.contains(['[', ']'])
            && (port.is_empty() || port.starts_with(':'));
    }
    let host = host_and_port.rsplit_once(':').map_or(host_and_port, |(host, _)| host);
    !host.is_empty() && !host_and_port.contains(['[', ']'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(text: &str) -> Option<(&str, &str, &str, Option<&str>, bool)> {
        let url = UrlText::read(text).ok()?;
        Some((url.scheme, url.authority, url.path, url.query, url.has_fragment))
    }

    #[test]
    fn a_url_is_read_as_it_is_written() {
        for (text, expected) in [
            (
                "https://sts.amazonaws.com/?a=1&b=2",
                ("https", "sts.amazonaws.com", "/", Some("a=1&b=2"), false),
            ),
            ("https://sts.amazonaws.com?a=/b?c", ("https", "sts.amazonaws.com", "", Some("a=/b?c"), false)),
            ("https://sts.amazonaws.com", ("https", "sts.amazonaws.com", "", None, false)),
            (
                "HTTPS://u:p@STS.amazonaws.com:443//x#f",
                ("HTTPS", "u:p@STS.amazonaws.com:443", "//x", None, true),
            ),
            ("https://a%2eb/%2e", ("https", "a%2eb", "/%2e", None, false)),
            ("https://[::1]/", ("https", "[::1]", "/", None, false)),
        ] {
            assert_eq!(parts(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn text_that_is_not_a_url_is_rejected() {
        for text in [
            "",
            "sts.amazonaws.com",
            "https:/sts.amazonaws.com",
            "https://",
            "https:///",
            "https://:443/",
            "https://u@/",
            "https://u@:443/",
            "1https://a/",
            "://a/",
            "https://a b/",
            "https://a\\b/",
            "https://a/\n",
            "https://a/%",
            "https://a/%4",
            "https://a/%zz",
            "https://a/?x=%2",
            "https://a/?x=\"",
            "https://a/?x=é",
            "https://a/#b#c",
            "https://a/[x]",
            " https://a/",
        ] {
            assert!(UrlText::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn values_are_unescaped_and_must_be_printable() {
        let values = |text: &str| {
            let url = UrlText::read(text).ok()?;
            let parameters = url.parameters().ok()?;
            Some(
                parameters.iter().map(|one| (one.name.to_owned(), one.value.to_string())).collect::<Vec<_>>(),
            )
        };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            values("https://a/?X=a%2Fb%20c&&Y%2d=&Z"),
            Some(vec![pair("X", "a/b c"), pair("", ""), pair("Y%2d", ""), pair("Z", "")])
        );
        assert_eq!(values("https://a/?X=a=b+c"), Some(vec![pair("X", "a=b+c")]));
        for text in [
            "https://a/?x=%00",
            "https://a/?x=%0a",
            "https://a/?x=%7f",
            "https://a/?x=%c3%a9",
            "https://a/?x=%ff",
        ] {
            assert_eq!(values(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_parts_add_up_to_the_text(text in "[a-z]{1,5}://[a-z%4-5@:\\[\\]]{1,8}[/?#a-z%4-5=&]{0,20}") {
            if let Ok(url) = UrlText::read(&text) {
                let query = url.query.map(|query| format!("?{query}")).unwrap_or_default();
                let without_fragment = format!("{}://{}{}{query}", url.scheme, url.authority, url.path);
                let same = if url.has_fragment { text.starts_with(&format!("{without_fragment}#")) } else { text == without_fragment };
                prop_assert!(same);
            }
        }
    }
}
