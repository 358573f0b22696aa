//! Parses `STS_VERIFY_REDIS_URL`.

use percent_encoding::percent_decode_str;
use rustls_pki_types::ServerName;
use secrecy::SecretString;
use url::{Host, Url};

const DEFAULT_PORT: u16 = 6379;

const WANTED: &str = "must be redis:// or rediss:// with [[USER]:PASSWORD@]HOST[:PORT][/DATABASE], USER and PASSWORD percent-encoded";

/// The address of Redis, and the login. Its `Debug` does not show the password.
#[derive(Debug, Clone)]
pub struct RedisUrl {
    pub(super) host: String,
    pub(super) port: u16,
    /// The name in the server's certificate, if TLS is used.
    pub(super) tls_name: Option<ServerName<'static>>,
    pub(super) user: Option<String>,
    pub(super) password: Option<SecretString>,
    pub(super) database: u32,
}

impl RedisUrl {
    /// Parses `redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]`; `rediss` means TLS.
    ///
    /// # Errors
    ///
    /// The expected form, in one line that does not repeat the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::read(text.trim()).ok_or_else(|| WANTED.to_owned())
    }

    /// Whether the connection is to be encrypted.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.tls_name.is_some()
    }

    fn read(text: &str) -> Option<Self> {
        // The URL parser skips tabs and line ends, which a password may contain by mistake.
        let url = Url::parse(text).ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_graphic()))?;
        let is_encrypted = match url.scheme() {
            "redis" => false,
            "rediss" => true,
            _ => return None,
        };
        let user = Some(url.username()).filter(|user| !user.is_empty());
        let password = url.password().filter(|password| !password.is_empty());
        let has_more = url.query().is_some() || url.fragment().is_some();
        if has_more || (user.is_some() && password.is_none()) {
            return None;
        }
        let host = host(&url)?;
        Some(Self {
            tls_name: if is_encrypted { Some(ServerName::try_from(host.clone()).ok()?) } else { None },
            host,
            port: url.port().unwrap_or(DEFAULT_PORT),
            user: user.map_or(Some(None), |user| decoded(user).map(Some))?,
            password: password.map_or(Some(None), |text| decoded(text).map(SecretString::from).map(Some))?,
            database: database(url.path())?,
        })
    }
}

/// A name or an address. For an unknown scheme the URL parser accepts any host.
fn host(url: &Url) -> Option<String> {
    match url.host()? {
        Host::Domain(name) => {
            let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            Some(name).filter(|name| !name.is_empty() && name.bytes().all(is_part)).map(str::to_owned)
        }
        Host::Ipv4(address) => Some(address.to_string()),
        Host::Ipv6(address) => Some(address.to_string()),
    }
}

fn decoded(text: &str) -> Option<String> {
    Some(percent_decode_str(text).decode_utf8().ok()?.into_owned())
}

fn database(path: &str) -> Option<u32> {
    match path.strip_prefix('/').unwrap_or_default() {
        "" => Some(0),
        digits => digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    /// Host, port, TLS, user, password, database.
    type Parts<'a> = (&'a str, u16, bool, Option<&'a str>, Option<&'a str>, u32);

    fn parts(url: &RedisUrl) -> Parts<'_> {
        let password = url.password.as_ref().map(ExposeSecret::expose_secret);
        (&url.host, url.port, url.is_encrypted(), url.user.as_deref(), password, url.database)
    }

    #[test]
    fn a_url_has_the_address_of_redis_and_the_login() {
        let expected: [(&str, Parts<'_>); 8] = [
            ("redis://localhost", ("localhost", 6379, false, None, None, 0)),
            (" redis://localhost/\n", ("localhost", 6379, false, None, None, 0)),
            ("rediss://a.example:6380/3", ("a.example", 6380, true, None, None, 3)),
            ("redis://:p%40ss@10.0.0.1", ("10.0.0.1", 6379, false, None, Some("p@ss"), 0)),
            ("redis://us%3Aer:p@[::1]:1/12", ("::1", 1, false, Some("us:er"), Some("p"), 12)),
            ("rediss://u:p@10.0.0.1", ("10.0.0.1", 6379, true, Some("u"), Some("p"), 0)),
            ("rediss://[::1]", ("::1", 6379, true, None, None, 0)),
            (
                "redis://my_redis.default.svc.cluster.local.",
                ("my_redis.default.svc.cluster.local.", 6379, false, None, None, 0),
            ),
        ];
        for (text, expected) in expected {
            assert_eq!(parts(&RedisUrl::parse(text).unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn other_texts_are_rejected_and_not_repeated() {
        for text in [
            "",
            "localhost:6379",
            "http://localhost",
            "valkey://localhost",
            "redis+unix:///s3cret",
            "redis:s3cret",
            "redis:///0",
            "redis://:s3cret@",
            "redis://s3cret@localhost",
            "redis://user:@localhost",
            "redis://:s3cret@localhost/x",
            "redis://:s3cret@localhost/+1",
            "redis://:s3cret@localhost/0/1",
            "redis://:s3cret@localhost//1",
            "redis://:s3cret@localhost/99999999999",
            "redis://:s3cret@localhost?protocol=resp3",
            "rediss://:s3cret@localhost/#insecure",
            "redis://:s3cret@local%20host",
            "redis://:s3\tcret@localhost",
            "redis://:s3 cret@localhost",
            "redis://:%ff@localhost",
            "redis://:s3cret@localhost:x",
            "redis://:s3cret@localhost:65536",
            "redis://:s3cr\u{e9}t@localhost",
            "rediss://:s3cret@under_score..example",
        ] {
            assert_eq!(RedisUrl::parse(text).unwrap_err(), WANTED, "{text}");
        }
    }

    #[test]
    fn the_password_is_not_printed() {
        let url = RedisUrl::parse("redis://user:s3cret@localhost").unwrap();
        assert!(!format!("{url:?}").contains("s3cret"), "{url:?}");
    }
}
