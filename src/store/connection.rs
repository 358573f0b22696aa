//! The connection to Redis, and the task that makes it and reconnects.

use super::{OnFailure, Operation, RESPONSE_TIMEOUT, RedisFailure, RedisUrl};
use crate::tls::{ClientTls, ClientTlsError, Trust};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisConnectionInfo, Value, cmd};
use secrecy::ExposeSecret as _;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tracing::info;

/// The time limit for name look-up, connection, and Redis's first answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The waits between attempts: the first, which doubles each time, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// How often an idle connection is tested, so that a broken one is found before a request uses it.
const PING_EVERY: Duration = Duration::from_secs(10);

/// The address of Redis, and the CA certificates for it.
#[derive(Clone)]
pub struct RedisServer {
    url: RedisUrl,
    tls: Option<ClientTls>,
}

/// The state of the connection.
pub(super) enum LinkState {
    /// The first attempt is in progress, or the first after a working connection was lost.
    Connecting,
    /// There is a connection, unless it was abandoned.
    Up(Arc<Link>),
    /// The last attempt failed, and another one follows.
    Away,
}

/// A connection.
pub(super) struct Link {
    pub(super) connection: MultiplexedConnection,
    /// Whether Redis has answered on this connection.
    has_answered: AtomicBool,
    given_up: AtomicBool,
    lost: Notify,
}

/// Moves bytes between the connection and its socket while it is polled.
type Driver = Pin<Box<dyn Future<Output = ()> + Send>>;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl RedisServer {
    /// The variable of the CA bundle.
    pub const CA_BUNDLE: &str = "STS_VERIFY_REDIS_CA_BUNDLE";

    /// Reads the CA certificates for `rediss://`: a PEM file's, or the system's.
    ///
    /// # Errors
    ///
    /// One line that names [`RedisServer::CA_BUNDLE`].
    pub fn new(url: RedisUrl, ca_bundle: Option<&Path>) -> Result<Self, ClientTlsError> {
        let trust = || Trust {
            variable: Self::CA_BUNDLE.to_owned(),
            bundle: ca_bundle.map(Path::to_owned),
            is_needed: true,
            protocol: None,
        };
        let tls = url.is_encrypted().then(|| ClientTls::read(trust())).transpose()?;
        Ok(Self { url, tls })
    }

    /// The CA certificates for encrypted connections.
    #[must_use]
    pub fn tls(&self) -> Option<&ClientTls> {
        self.tls.as_ref()
    }

    async fn connect(&self) -> Result<(Link, Driver), RedisFailure> {
        let unreachable = |error: io::Error| RedisFailure::Unreachable(error.to_string());
        let stream = self.stream().await.map_err(unreachable)?;
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let connected = MultiplexedConnection::new_with_config(&self.greeting(), stream, config).await;
        let (mut connection, driver) = connected.map_err(RedisFailure::from)?;
        let mut driver: Driver = Box::pin(driver);
        // Without a password Redis has not answered so far: the system also accepts connections for a stopped
        // process.
        let ping = cmd("PING");
        let answered = tokio::select! {
            answered = ping.query_async::<Value>(&mut connection) => answered.map_err(RedisFailure::from),
            () = &mut driver => Err(RedisFailure::Lost),
        };
        answered?;
        Ok((Link::new(connection), driver))
    }

    async fn stream(&self) -> io::Result<Box<dyn Stream>> {
        let stream = TcpStream::connect((self.url.host.as_str(), self.url.port)).await?;
        stream.set_nodelay(true)?;
        match (&self.tls, &self.url.tls_name) {
            (Some(tls), Some(name)) => {
                Ok(Box::new(TlsConnector::from(tls.config()).connect(name.clone(), stream).await?))
            }
            _ => Ok(Box::new(stream)),
        }
    }

    /// The first command for Redis.
    fn greeting(&self) -> RedisConnectionInfo {
        // Does not set the connection's name, because the user would need a further permission for that.
        let mut greeting =
            RedisConnectionInfo::default().set_db(self.url.database.into()).set_skip_set_lib_name();
        if let Some(user) = &self.url.user {
            greeting = greeting.set_username(user);
        }
        if let Some(password) = &self.url.password {
            greeting = greeting.set_password(password.expose_secret());
        }
        greeting
    }
}

impl Link {
    fn new(connection: MultiplexedConnection) -> Self {
        let flag = AtomicBool::default;
        Self { connection, has_answered: flag(), given_up: flag(), lost: Notify::new() }
    }

    pub(super) fn note_answer(&self) {
        self.has_answered.store(true, Ordering::Relaxed);
    }

    /// Marks the connection as unusable, so that another one is made.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::Release);
        self.lost.notify_one();
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Acquire)
    }

    /// Ends when the connection does not answer.
    async fn ping(&self) -> RedisFailure {
        loop {
            sleep(PING_EVERY).await;
            let (ping, mut connection) = (cmd("PING"), self.connection.clone());
            match timeout(RESPONSE_TIMEOUT, ping.query_async::<Value>(&mut connection)).await {
                Ok(Ok(_)) => self.note_answer(),
                Ok(Err(error)) => return error.into(),
                Err(_) => return RedisFailure::TimedOut,
            }
        }
    }
}

/// Connects, and reconnects after the connection is lost, until the last handle is dropped.
pub(super) async fn keep(server: RedisServer, state: watch::Sender<LinkState>, on_failure: OnFailure) {
    tokio::select! {
        () = reconnect(&server, &state, &on_failure) => {}
        () = state.closed() => {}
    }
}

async fn reconnect(server: &RedisServer, state: &watch::Sender<LinkState>, on_failure: &OnFailure) {
    let (mut wait, mut is_away) = (BACKOFF.0, true);
    loop {
        match timeout(CONNECT_TIMEOUT, server.connect()).await.unwrap_or(Err(RedisFailure::TimedOut)) {
            Ok((link, driver)) => {
                if is_away {
                    info!("connected to Redis");
                }
                let link = Arc::new(link);
                state.send_replace(LinkState::Up(link.clone()));
                let failure = tokio::select! {
                    () = driver => RedisFailure::Lost,
                    () = link.lost.notified() => RedisFailure::Lost,
                    failure = link.ping() => failure,
                };
                link.give_up();
                on_failure(Operation::Connect, &failure);
                is_away = false;
                if link.has_answered.load(Ordering::Relaxed) {
                    state.send_replace(LinkState::Connecting);
                    wait = BACKOFF.0;
                    continue;
                }
            }
            Err(failure) => {
                on_failure(Operation::Connect, &failure);
                is_away = true;
            }
        }
        state.send_replace(LinkState::Away);
        // Half of the wait is random, so that replicas do not all reconnect at once.
        sleep(wait.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        wait = BACKOFF.1.min(wait * 2);
    }
}
