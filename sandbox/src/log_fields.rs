//! The data of a request that may be logged.

use tracing::info;

use crate::{
    authorization::Authorization, caller::Caller, regions::partition_of, response::OutgoingResponse,
};

/// The data of a request that may be logged. A request may contain anything, even a secret instead of the key.
/// So only the ends of a key of the usual form are logged, and only a region of the right form. Because several
/// keys may have the same ends, the line also contains the caller's description.
#[derive(Debug)]
pub(crate) struct LogFields {
    access_key: String,
    region: String,
    caller: String,
}

impl LogFields {
    /// The fields of a request with this authorization, if it is readable, and of this caller, if there is one.
    pub fn of(authorization: Option<&Authorization>, caller: Option<&Caller>) -> Self {
        let region =
            authorization.map(|it| &*it.scope.region).filter(|region| partition_of(region).is_some());
        Self {
            access_key: authorization
                .and_then(|it| masked(&it.access_key_id))
                .unwrap_or_else(|| "-".to_owned()),
            region: region.unwrap_or("-").to_owned(),
            caller: caller.map_or("-", |caller| &caller.description).to_owned(),
        }
    }

    /// Logs the line of a request that got this response, or none.
    pub fn log(&self, response: Option<&OutgoingResponse>) {
        let Self { access_key, region, caller } = self;
        let code = response.map_or("(none)", |response| &response.label);
        let status = response.map_or(0, |response| response.status.as_u16());
        info!(code, status, access_key, region, caller, "sandbox answered");
    }
}

/// The first four and last four characters, if the text is a key.
fn masked(key: &str) -> Option<String> {
    let usual = key.len() == 20 && key.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    usual.then(|| format!("{}…{}", &key[..4], &key[16..]))
}
