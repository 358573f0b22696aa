//! The parameters of GetWebIdentityToken, and STS's checks of them.

use std::{collections::BTreeMap, collections::HashSet, fmt};

use time::Duration;

use super::Algorithm;
use crate::{error::StsError, request::Received};

/// The default validity of a token in seconds.
const DEFAULT_DURATION: i64 = 300;

/// The characters of tags, as in STS's messages.
const KEY_PATTERN: &str = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+";
const VALUE_PATTERN: &str = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*";

/// The parameters of a token.
#[derive(Debug)]
pub(crate) struct Parameters {
    pub audiences: Vec<String>,
    pub(super) algorithm: Algorithm,
    pub duration: Duration,
    /// Keys and values, in their order.
    pub tags: Vec<(String, String)>,
}

impl Parameters {
    /// Reads and checks the parameters.
    pub fn read(request: &Received) -> Result<Self, StsError> {
        let mut violations = Violations::default();
        let audiences = audiences(request, &mut violations);
        let algorithm = signing_algorithm(request, &mut violations);
        let duration = duration(request, &mut violations)?;
        let tags = tags(request, &mut violations);
        let mode = request.parameter("SubjectMode");
        if let Some(mode) = mode.as_deref().filter(|mode| !["AWSIdentity", "OriginIdentity"].contains(mode)) {
            violations.add(mode, "subjectMode", "satisfy enum value set: [AWSIdentity, OriginIdentity]");
        }
        violations.into_result()?;
        let mut keys = HashSet::new();
        if !tags.iter().all(|(key, _)| keys.insert(key.to_lowercase())) {
            return Err(StsError::duplicate_tag_keys());
        }
        let algorithm = match algorithm.as_str() {
            "RS256" => Algorithm::Rs256,
            "ES384" => Algorithm::Es384,
            _ => return Err(StsError::validation(UNSUPPORTED_ALGORITHM.to_owned())),
        };
        // Not recorded: AWS documents that both are errors for a caller without an origin identity, and no
        // caller here has one.
        if mode.as_deref() == Some("OriginIdentity") || request.parameter("Scope").is_some() {
            return Err(StsError::validation(NO_ORIGIN_IDENTITY.to_owned()));
        }
        Ok(Self { audiences, algorithm, duration, tags })
    }
}

const UNSUPPORTED_ALGORITHM: &str = "Requested SigningAlgorithm is not supported. See the GetWebIdentityToken documentation for \
                                     supported algorithms";
const NO_ORIGIN_IDENTITY: &str =
    "The calling session has no origin identity in its trusted identity propagation context.";

fn audiences(request: &Received, violations: &mut Violations) -> Vec<String> {
    let audiences: Vec<String> = members(request, "Audience.member.").into_values().collect();
    let given = format!("[{}]", audiences.join(", "));
    if audiences.is_empty() {
        violations.add_null("audience");
    } else if audiences.len() > 10 {
        violations.add(&given, "audience", "have length less than or equal to 10");
    }
    if audiences.iter().any(|audience| !(1..=1000).contains(&audience.chars().count())) {
        let lengths = "satisfy constraint: [Member must have length less than or equal to 1000, Member must have length \
                       greater than or equal to 1]";
        violations.add(&given, "audience", lengths);
    }
    audiences
}

fn signing_algorithm(request: &Received, violations: &mut Violations) -> String {
    let Some(algorithm) = request.parameter("SigningAlgorithm") else {
        violations.add_null("signingAlgorithm");
        return String::new();
    };
    violations.check_length(&algorithm, "signingAlgorithm", 5, 5);
    algorithm
}

fn duration(request: &Received, violations: &mut Violations) -> Result<Duration, StsError> {
    let Some(given) = request.parameter("DurationSeconds") else {
        return Ok(Duration::seconds(DEFAULT_DURATION));
    };
    let seconds: i64 = given.parse().map_err(|_| StsError::malformed_input())?;
    if seconds < 60 {
        violations.add(&given, "durationSeconds", "have value greater than or equal to 60");
    } else if seconds > 3600 {
        violations.add(&given, "durationSeconds", "have value less than or equal to 3600");
    }
    Ok(Duration::seconds(seconds))
}

fn tags(request: &Received, violations: &mut Violations) -> Vec<(String, String)> {
    let mut tags: BTreeMap<usize, [Option<String>; 2]> = BTreeMap::new();
    for (position, part) in [".Key", ".Value"].into_iter().enumerate() {
        for (name, value) in named(request, "Tags.member.") {
            if let Some(index) = name.strip_suffix(part).and_then(|index| index.parse().ok()) {
                tags.entry(index).or_default()[position] = Some(value);
            }
        }
    }
    let tags: Vec<_> = tags.into_values().collect();
    for (number, [key, value]) in (1..).zip(&tags) {
        violations.check_text(key.as_ref(), &format!("tags.{number}.member.key"), (1, 128), KEY_PATTERN);
        violations.check_text(
            value.as_ref(),
            &format!("tags.{number}.member.value"),
            (0, 256),
            VALUE_PATTERN,
        );
    }
    let tags: Vec<_> =
        tags.into_iter().map(|tag| tag.map(Option::unwrap_or_default)).map(<(_, _)>::from).collect();
    if tags.len() > 50 {
        let given: Vec<_> =
            tags.iter().map(|(key, value)| format!("Tag(key={key}, value={value})")).collect();
        violations.add(&format!("[{}]", given.join(", ")), "tags", "have length less than or equal to 50");
    }
    tags
}

/// A list: the values of `PREFIX1`, `PREFIX2` and so on, ordered by number.
fn members(request: &Received, prefix: &str) -> BTreeMap<usize, String> {
    named(request, prefix).filter_map(|(name, value)| Some((name.parse().ok()?, value))).collect()
}

/// The parameters whose names have this prefix, without the prefix.
fn named<'a>(request: &'a Received, prefix: &'a str) -> impl Iterator<Item = (String, String)> + 'a {
    request.parameters().filter_map(move |(name, value)| Some((name.strip_prefix(prefix)?.to_owned(), value)))
}

/// The violations of the operation's model: STS reports all of them in one message.
#[derive(Default)]
struct Violations(Vec<String>);

impl Violations {
    fn add(&mut self, value: &str, member: &str, constraint: &str) {
        self.add_quoted(format_args!("'{value}'"), member, constraint);
    }

    fn add_null(&mut self, member: &str) {
        self.add_quoted(format_args!("null"), member, "not be null");
    }

    fn add_quoted(&mut self, value: fmt::Arguments<'_>, member: &str, constraint: &str) {
        self.0.push(format!(
            "Value {value} at '{member}' failed to satisfy constraint: Member must {constraint}"
        ));
    }

    fn check_length(&mut self, value: &str, member: &str, least: usize, most: usize) {
        let length = value.chars().count();
        if length < least {
            self.add(value, member, &format!("have length greater than or equal to {least}"));
        } else if length > most {
            self.add(value, member, &format!("have length less than or equal to {most}"));
        }
    }

    fn check_text(&mut self, value: Option<&String>, member: &str, length: (usize, usize), pattern: &str) {
        let Some(value) = value else { return self.add_null(member) };
        self.check_length(value, member, length.0, length.1);
        if !value.chars().all(is_of_a_tag) || (value.is_empty() && pattern.ends_with('+')) {
            self.add(value, member, &format!("satisfy regular expression pattern: {pattern}"));
        }
    }

    fn into_result(self) -> Result<(), StsError> {
        let errors = match self.0.len() {
            0 => return Ok(()),
            1 => "1 validation error".to_owned(),
            more => format!("{more} validation errors"),
        };
        Err(StsError::validation(format!("{errors} detected: {}", self.0.join("; "))))
    }
}

/// Letters, numbers and separators of any script, and some punctuation.
fn is_of_a_tag(character: char) -> bool {
    let separator = character.is_whitespace() && !character.is_control();
    character.is_alphanumeric() || separator || "_.:/=+-@".contains(character)
}
