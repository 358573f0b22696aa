//! What replicas share in Redis, against a real one: redis-server has to be installed (Debian's package of that name).

mod limits;
mod proofs;
mod proxy;
mod replicas;
pub mod server;
mod settings;
mod trouble;
