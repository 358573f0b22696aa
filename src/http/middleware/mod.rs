//! The layers around the routes.

pub(crate) mod access_log;
pub(crate) mod allowed_hosts;
pub(crate) mod authentication;
pub(crate) mod client_address;
pub(crate) mod default_headers;
pub(crate) mod rate_limit;
pub(crate) mod request_id;
