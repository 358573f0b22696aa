use super::*;
use crate::config::Cli;
use crate::sts::{Proxies, StsSettings};
use bytes::Bytes;
use clap::Parser as _;
use futures_util::future::join_all;
use http_body_util::{BodyExt as _, Full};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;

/// The time after which a test fails. No result depends on it.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server that answers every request and counts the connections that it has accepted and those that have
/// ended.
struct Host {
    route: Route,
    accepted: watch::Receiver<usize>,
    ended: watch::Receiver<usize>,
}

async fn host() -> Host {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let route = Route::Direct(format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap());
    let ((accepting, accepted), (ending, ended)) = (watch::channel(0), watch::channel(0));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            accepting.send_modify(|count| *count += 1);
            let ending = ending.clone();
            tokio::spawn(async move {
                let mut request = [0; 1024];
                while stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
                }
                ending.send_modify(|count| *count += 1);
            });
        }
    });
    Host { route, accepted, ended }
}

fn pool(max_connections: usize, hosts: usize) -> Arc<Pool> {
    let settings = Cli::parse_from(["sts-verify"]).serve.sts.settings(false).unwrap();
    let url = Some("http://127.0.0.1:1".to_owned());
    let settings = StsSettings { endpoint_url: url, proxies: Proxies::default(), ..settings };
    Pool::new(Transport::new(&settings).unwrap(), max_connections, hosts)
}

/// Sends one request to a host. Returns the connection, before it is kept or closed, and its permit.
async fn ask(pool: &Arc<Pool>, number: usize, host: &Host) -> (Permit, Connection) {
    let permit = pool.acquire(number).await;
    let Ok(mut connection) = pool.connection(&permit, number, &host.route).await else {
        panic!("no connection")
    };
    let request = Request::get("/").header("host", "sts").body(Full::<Bytes>::default()).unwrap();
    let response = connection.send(request).await.unwrap_or_else(|error| panic!("{}", error.error()));
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "ok");
    (permit, connection)
}

async fn ask_and_keep(pool: &Arc<Pool>, number: usize, host: &Host) -> bool {
    let (_permit, connection) = ask(pool, number, host).await;
    let is_reused = connection.is_reused;
    pool.keep(connection);
    is_reused
}

/// Waits until this many connections of a host have ended.
async fn ended(host: &Host, count: usize) {
    let come = timeout(PATIENCE, host.ended.clone().wait_for(|ended| *ended == count)).await.map(drop);
    come.unwrap_or_else(|_| panic!("{} have ended", *host.ended.borrow()));
}

#[tokio::test]
async fn a_kept_connection_is_reused_for_its_own_host_and_one_that_is_dropped_is_closed() {
    let (pool, first, second) = (pool(2, 2), host().await, host().await);
    assert!(!ask_and_keep(&pool, 0, &first).await);
    assert!(!ask_and_keep(&pool, 1, &second).await);
    assert!(ask_and_keep(&pool, 0, &first).await);
    assert!(ask_and_keep(&pool, 1, &second).await);
    drop(ask(&pool, 0, &first).await);
    ended(&first, 1).await;
    assert!(!ask_and_keep(&pool, 0, &first).await);
    assert_eq!((*first.accepted.borrow(), *second.accepted.borrow(), *second.ended.borrow()), (2, 1, 0));
}

#[tokio::test]
async fn at_the_limit_the_connection_that_was_idle_the_longest_is_closed() {
    let (pool, hosts) = (pool(2, 3), [host().await, host().await, host().await]);
    ask_and_keep(&pool, 0, &hosts[0]).await;
    ask_and_keep(&pool, 1, &hosts[1]).await;
    ask_and_keep(&pool, 0, &hosts[0]).await;
    assert!(!ask_and_keep(&pool, 2, &hosts[2]).await);
    ended(&hosts[1], 1).await;
    assert!(ask_and_keep(&pool, 0, &hosts[0]).await);
    assert!(!ask_and_keep(&pool, 1, &hosts[1]).await);
    ended(&hosts[2], 1).await;
    assert_eq!(*hosts[0].ended.borrow(), 0);
}

#[tokio::test]
async fn a_host_whose_calls_hang_leaves_permits_to_the_others() {
    let (pool, good) = (pool(2, 2), host().await);
    // This host never answers, and the calls to it hold all permits that they can get.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let route = Route::Direct(format!("http://{}/", silent.local_addr().unwrap()).parse().unwrap());
    let route = Arc::new(route);
    let stuck = |pool: Arc<Pool>, route: Arc<Route>| async move {
        let permit = pool.acquire(0).await;
        let connection = pool.connection(&permit, 0, &route).await;
        std::future::pending::<()>().await;
        drop(connection);
    };
    let stuck: Vec<_> = (0..20).map(|_| tokio::spawn(stuck(pool.clone(), route.clone()))).collect();
    while pool.open.available_permits() == 2 {
        tokio::task::yield_now().await;
    }
    let both = async { (ask_and_keep(&pool, 1, &good).await, ask_and_keep(&pool, 1, &good).await) };
    assert_eq!(timeout(PATIENCE, both).await.expect("nothing is waited for"), (false, true));
    assert!(stuck.iter().all(|call| !call.is_finished()));
}

/// Makes calls to three hosts. Some keep the connection, some close it, and some are cancelled before the
/// answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_call_waits_forever_and_no_connection_is_lost() {
    const MOST: usize = 3;
    let pool = pool(MOST, 3);
    let hosts = Arc::new([host().await, host().await, host().await]);
    let calls = (0..600).map(|n| {
        let (pool, hosts) = (pool.clone(), hosts.clone());
        tokio::spawn(async move {
            let number = n % 3;
            let call = async {
                let (_permit, connection) = ask(&pool, number, &hosts[number]).await;
                if n % 5 != 0 {
                    pool.keep(connection);
                }
            };
            let patience = if n % 7 == 0 { Duration::from_micros(n as u64 * 13 % 3_000) } else { PATIENCE };
            timeout(patience, call).await.is_ok() || n % 7 == 0
        })
    });
    let answered = join_all(calls).await;
    assert!(answered.into_iter().all(Result::unwrap), "calls that were not cancelled are answered");
    // All open connections are idle, and nothing else holds a permit.
    while pool.open.available_permits() + pool.idle().connections.len() != MOST {
        tokio::task::yield_now().await;
    }
    let sum = |count: fn(&Host) -> usize| hosts.iter().map(count).sum::<usize>();
    while sum(|host| *host.accepted.borrow()) - sum(|host| *host.ended.borrow()) > MOST {
        tokio::task::yield_now().await;
    }
    for number in 0..3 {
        ask_and_keep(&pool, number, &hosts[number]).await;
    }
}

#[tokio::test]
async fn a_connection_that_is_idle_for_too_long_is_closed() {
    let host = host().await;
    let pool = Arc::into_inner(pool(4, 1)).unwrap();
    let pool = Arc::new(Pool { idle_timeout: Duration::from_millis(20), ..pool });
    for _ in 0..2 {
        let (one, other) = (ask(&pool, 0, &host).await, ask(&pool, 0, &host).await);
        for (_permit, connection) in [one, other] {
            pool.keep(connection);
        }
        ended(&host, *host.accepted.borrow()).await;
        assert_eq!(pool.idle().connections.len(), 0);
    }
}
