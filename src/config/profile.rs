//! The profile of the AWS config file, read by aws-config's own parser.
//!
//! aws-config's loader of whole configurations is not used: it also reads the credentials file; it only warns
//! of a wrong value, before there is a log; it panics on `retry_mode = legacy`, which is the default here; and
//! it requests the region from the instance metadata service. The environment variables are read by clap, like
//! all others.

use aws_config::profile::ProfileSet;
use aws_runtime::env_config::EnvConfigValue;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_types::os_shim_internal::{Env, Fs};
use std::fmt::Display;
use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// The maximum length of a config file.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// The service's name in the `services` section.
const SERVICE: &str = "STS";

/// A profile, and the file that it is from.
#[derive(Debug, Default)]
pub(super) struct AwsProfile {
    file: PathBuf,
    values: ProfileSet,
}

/// A value, with the name of its setting for messages.
#[derive(Debug, Clone)]
pub(super) struct Named<T> {
    pub(super) name: String,
    pub(super) value: T,
}

impl AwsProfile {
    /// Reads the profile of this name, or else `default`, from this file, or else from `~/.aws/config`.
    ///
    /// # Errors
    ///
    /// One line: the file was named and cannot be read, it is not a config file, or it has no such profile.
    pub(super) fn read(file: Option<&Path>, name: Option<&str>) -> Result<Self, String> {
        let Some((path, content)) = content(file)? else { return Ok(Self::default()) };
        let selected = name.unwrap_or("default").to_owned();
        let files = EnvConfigFiles::builder()
            .with_contents(EnvConfigFileKind::Config, content.trim_start_matches('\u{feff}'))
            .build();
        // The content is passed in, so that neither files nor variables are read, and the future never waits.
        let (no_files, no_variables) = (Fs::from_slice(&[]), Env::from_slice(&[]));
        let loading =
            aws_config::profile::load(&no_files, &no_variables, &files, Some(selected.clone().into()));
        let Poll::Ready(loaded) = pin!(loading).poll(&mut Context::from_waker(Waker::noop())) else {
            return Err("AWS_CONFIG_FILE: the parser waits".to_owned());
        };
        let values = loaded.map_err(|error| malformed(&path, &error))?;
        if name.is_some() && values.get_profile(&selected).is_none() && !may_be_in_the_credentials_file() {
            return Err("AWS_PROFILE: the config file has no profile of this name".to_owned());
        }
        Ok(Self { file: path, values })
    }

    /// The value of a key.
    ///
    /// # Errors
    ///
    /// One line with the profile, its file, and the expected form.
    pub(super) fn get<T>(
        &self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<Named<T>>, String> {
        self.parsed(&EnvConfigValue::new().profile(key), key, parse)
    }

    /// The same, where the `services` section takes precedence.
    ///
    /// # Errors
    ///
    /// The same.
    pub(super) fn get_of_service<T>(
        &self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<Named<T>>, String> {
        self.parsed(&EnvConfigValue::new().profile(key).service_id(SERVICE), key, parse)
    }

    fn parsed<T>(
        &self,
        wanted: &EnvConfigValue<'_>,
        key: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<Named<T>>, String> {
        let no_variables = Env::from_slice(&[]);
        let found = wanted.load(&no_variables, Some(&self.values)).map(|(value, _)| value.into_owned());
        let Some(text) = found.filter(|text| !text.is_empty()) else { return Ok(None) };
        let (profile, file) = (self.values.selected_profile(), self.file.display());
        let name = format!("AWS_CONFIG_FILE ({file}), profile {profile}, {key}");
        match parse(&text) {
            Ok(value) => Ok(Some(Named { name, value })),
            Err(wanted) => Err(format!("{name}: {wanted}")),
        }
    }
}

/// The config file's path and content, or `None` if it was not named and is not there.
fn content(named: Option<&Path>) -> Result<Option<(PathBuf, String)>, String> {
    let home = variable("HOME");
    let path = match (named, &home) {
        (Some(path), Some(home)) => path.strip_prefix("~").map_or(path.to_owned(), |rest| home.join(rest)),
        (Some(path), None) => path.to_owned(),
        (None, Some(home)) => home.join(".aws/config"),
        (None, None) => return Ok(None),
    };
    let absent = |error: &io::Error| {
        matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::PermissionDenied)
    };
    match read(&path) {
        Ok(content) => Ok(Some((path, content))),
        // The home directory may not exist, or may belong to another user.
        Err(error) if named.is_none() && absent(&error) => Ok(None),
        Err(error) if named.is_some() => Err(format!("AWS_CONFIG_FILE: the file cannot be read: {error}")),
        Err(error) => Err(format!("AWS_CONFIG_FILE ({}): the file cannot be read: {error}", path.display())),
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut content = String::new();
    File::open(path)?.take(MAX_FILE_BYTES).read_to_string(&mut content)?;
    Ok(content)
}

/// The parser's messages contain the line and the expected syntax, not the content.
fn malformed(path: &Path, error: &(dyn std::error::Error + 'static)) -> String {
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    let position = cause.find("on line").map_or("", |at| &cause[at..]);
    let position = position.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("AWS_CONFIG_FILE ({}): no AWS config file: {position}", path.display())
}

/// A profile may be defined only in the credentials file. That file is not opened: it counts if it exists and
/// is not /dev/null.
fn may_be_in_the_credentials_file() -> bool {
    let default = || variable("HOME").map(|home| home.join(".aws/credentials"));
    let found = variable("AWS_SHARED_CREDENTIALS_FILE").or_else(default);
    let found = found.and_then(|path| path.metadata().ok());
    found.is_some_and(|found| !found.file_type().is_char_device())
}

/// The path in a variable.
fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

impl<T> Named<T> {
    pub(super) fn new(name: impl Display, value: T) -> Self {
        Self { name: name.to_string(), value }
    }
}
