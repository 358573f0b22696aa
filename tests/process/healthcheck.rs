//! `sts-verify healthcheck`: the health check of the container.

use crate::program::{Service, run};
use crate::stub::{Reply, Stub, http};
use tokio::net::TcpSocket;

#[tokio::test]
async fn a_running_service_is_healthy() {
    let service = Service::with_arguments(&["serve", "--sandbox"], &[]).await;
    let port = service.address.port();
    // The second is the form of the image's listener, which is not an address to connect to.
    for listen in [format!("127.0.0.1:{port}"), format!("0.0.0.0:{port}")] {
        let end = run(&["healthcheck"], &[("STS_VERIFY_LISTEN", &listen)]).await;
        assert_eq!((end.code, end.stderr.len()), (Some(0), 0), "{listen}: {end:?}");
        let end = run(&["healthcheck", "--listen", &listen], &[]).await;
        assert_eq!((end.code, end.stderr.len()), (Some(0), 0), "{listen}: {end:?}");
    }
    let asked = service.program.lines(4, |line| line.contains("\"request\"")).await;
    assert!(asked.iter().all(|line| line.contains("\"route\":\"/livez\"")), "{asked:?}");
}

#[tokio::test]
async fn no_process_on_the_port_is_unhealthy() {
    // Bound, so that no other process can use the port, and not listening.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listen = socket.local_addr().unwrap().to_string();
    let end = run(&["healthcheck"], &[("STS_VERIFY_LISTEN", &listen)]).await;
    assert_eq!((end.code, end.stdout.len(), end.stderr.len()), (Some(1), 0, 1), "{end:?}");
}

#[tokio::test]
async fn another_process_on_the_port_is_unhealthy() {
    for reply in
        [http(500, &[], ""), http(404, &[], "{}"), http(302, &[("Location", "/livez")], ""), Reply::Close]
    {
        let stub = Stub::always(reply).await;
        let listen = stub.url.strip_prefix("http://").unwrap();
        let end = run(&["healthcheck"], &[("STS_VERIFY_LISTEN", listen)]).await;
        assert_eq!((end.code, end.stdout.len(), end.stderr.len()), (Some(1), 0, 1), "{end:?}");
        assert!(stub.requests()[0].starts_with("GET /livez HTTP/1.1\r\n"), "{:?}", stub.requests());
    }
}

#[tokio::test]
async fn a_proxy_is_not_asked_for_health() {
    let proxy = Stub::always(http(500, &[], "")).await;
    let service = Service::with_arguments(&["serve", "--sandbox"], &[]).await;
    let listen = service.address.to_string();
    let variables = [("STS_VERIFY_LISTEN", listen.as_str()), ("HTTP_PROXY", proxy.url.as_str())];
    let end = run(&["healthcheck"], &variables).await;
    assert_eq!((end.code, proxy.count()), (Some(0), 0), "{end:?}");
}
