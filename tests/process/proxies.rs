//! The host that is called for each setting, as seen by a proxy, and the hosts that bypass the proxy.

use crate::helpers::{expected, someone, summary};
use crate::program::{Scratch, Service};
use crate::stub::{Reply, Stub, http_bytes, identity};
use crate::wire::{Authority, tls, tunnel};
use serde_json::json;

/// The host of an HTTPS endpoint if everything goes through a proxy.
const STS: &str = "sts.us-east-1.amazonaws.com";

/// A proxy that records the target hosts, and refuses all connections.
async fn refusing_proxy() -> Stub {
    Stub::always(Reply::Last(http_bytes(403, &[], ""))).await
}

/// The target hosts of a proxy's clients.
fn wanted(proxy: &Stub) -> Vec<String> {
    proxy.requests().iter().map(|request| request.lines().next().unwrap().to_owned()).collect()
}

/// A service that uses this proxy. The certificates are never used, but have to exist.
async fn behind(proxy: &Stub, authority: &Authority, variables: &[(&str, &str)]) -> Service {
    let usual = [
        ("HTTPS_PROXY", proxy.url.as_str()),
        ("AWS_CA_BUNDLE", authority.bundle.as_str()),
        ("AWS_MAX_ATTEMPTS", "1"),
    ];
    Service::start(&[&usual, variables].concat()).await
}

#[tokio::test]
async fn the_settings_of_aws_choose_the_host() {
    let cases: [(&[(&str, &str)], &str); 11] = [
        (&[], STS),
        (&[("AWS_REGION", "eu-west-1")], "sts.eu-west-1.amazonaws.com"),
        (&[("AWS_USE_FIPS_ENDPOINT", "true")], "sts-fips.us-east-1.amazonaws.com"),
        (&[("AWS_USE_DUALSTACK_ENDPOINT", "true")], "sts.us-east-1.api.aws"),
        (
            &[("AWS_USE_FIPS_ENDPOINT", "true"), ("AWS_USE_DUALSTACK_ENDPOINT", "true")],
            "sts-fips.us-east-1.api.aws",
        ),
        (&[("AWS_REGION", "cn-north-1")], "sts.cn-north-1.amazonaws.com.cn"),
        (&[("AWS_REGION", "me-west-1")], "sts.me-west-1.amazonaws.com"),
        (&[("AWS_STS_REGIONAL_ENDPOINTS", "regional")], STS),
        (&[("AWS_STS_REGIONAL_ENDPOINTS", "legacy")], "sts.amazonaws.com"),
        // Not one of the regions that existed when the setting was introduced.
        (
            &[("AWS_STS_REGIONAL_ENDPOINTS", "legacy"), ("AWS_REGION", "eu-south-1")],
            "sts.eu-south-1.amazonaws.com",
        ),
        (&[("AWS_ENDPOINT_URL", "https://sts.example.com:8443")], "sts.example.com:8443"),
    ];
    let authority = Authority::new("hosts");
    for (variables, host) in cases {
        let proxy = refusing_proxy().await;
        behind(&proxy, &authority, variables).await.verify_someone().await;
        let port = if host.contains(':') { "" } else { ":443" };
        assert_eq!(wanted(&proxy), [format!("CONNECT {host}{port} HTTP/1.1")], "{variables:?}");
    }
}

#[tokio::test]
async fn the_settings_of_the_profile_choose_the_host() {
    let (authority, files) = (Authority::new("profile-hosts"), Scratch::new("profile-hosts-config"));
    for (settings, host) in [
        ("region = eu-west-1", "sts.eu-west-1.amazonaws.com"),
        ("use_fips_endpoint = true", "sts-fips.us-east-1.amazonaws.com"),
        ("use_dualstack_endpoint = TRUE", "sts.us-east-1.api.aws"),
        ("sts_regional_endpoints = legacy", "sts.amazonaws.com"),
    ] {
        let proxy = refusing_proxy().await;
        let file = files.file("config", &format!("[default]\n{settings}\n"));
        behind(&proxy, &authority, &[("AWS_CONFIG_FILE", &file)]).await.verify_someone().await;
        assert_eq!(wanted(&proxy), [format!("CONNECT {host}:443 HTTP/1.1")], "{settings}");
    }
}

#[tokio::test]
async fn a_request_s_region_chooses_the_host_in_every_partition() {
    let hosts = [
        ("ap-southeast-7", "sts.ap-southeast-7.amazonaws.com"),
        ("cn-north-1", "sts.cn-north-1.amazonaws.com.cn"),
        ("us-gov-west-1", "sts.us-gov-west-1.amazonaws.com"),
        ("eusc-de-east-1", "sts.eusc-de-east-1.amazonaws.eu"),
        ("us-iso-east-1", "sts.us-iso-east-1.c2s.ic.gov"),
        ("us-isob-east-1", "sts.us-isob-east-1.sc2s.sgov.gov"),
        ("eu-isoe-west-1", "sts.eu-isoe-west-1.cloud.adc-e.uk"),
        ("us-isof-south-1", "sts.us-isof-south-1.csp.hci.ic.gov"),
    ];
    let (proxy, authority) = (refusing_proxy().await, Authority::new("partitions"));
    let service = behind(&proxy, &authority, &[("STS_VERIFY_ALLOWED_REGIONS", "*")]).await;
    for (region, _) in hosts {
        let mut body = someone();
        body["region"] = json!(region);
        let answer = summary(service.verify(&body).await).await;
        assert_eq!(answer, expected(502, "indeterminate", "EndpointConnectionError"), "{region}");
    }
    assert_eq!(wanted(&proxy), hosts.map(|(_, host)| format!("CONNECT {host}:443 HTTP/1.1")));
}

#[tokio::test]
async fn a_refusing_proxy_makes_the_verdict_indeterminate() {
    let (proxy, authority) = (refusing_proxy().await, Authority::new("refusing"));
    let answer = behind(&proxy, &authority, &[]).await.verify_someone().await;
    assert!(answer.headers().contains_key("retry-after"));
    assert_eq!(summary(answer).await, expected(502, "indeterminate", "EndpointConnectionError"));
}

#[tokio::test]
async fn each_proxy_variable_is_used() {
    let authority = Authority::new("variables");
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        let proxy = refusing_proxy().await;
        let bundle = ("AWS_CA_BUNDLE", authority.bundle.as_str());
        let service = Service::start(&[(variable, &proxy.url), bundle, ("AWS_MAX_ATTEMPTS", "1")]).await;
        service.verify_someone().await;
        assert_eq!(wanted(&proxy), [format!("CONNECT {STS}:443 HTTP/1.1")], "{variable}");
    }
}

#[tokio::test]
async fn a_lower_case_proxy_variable_takes_precedence_and_an_empty_one_is_unset() {
    let authority = Authority::new("twins");
    let bundle = ("AWS_CA_BUNDLE", authority.bundle.as_str());
    for (upper, lower) in
        [("HTTPS_PROXY", "https_proxy"), ("ALL_PROXY", "all_proxy"), ("HTTPS_PROXY", "ALL_PROXY")]
    {
        let (used, other) = (refusing_proxy().await, refusing_proxy().await);
        let first = if lower == "ALL_PROXY" { (upper, lower) } else { (lower, upper) };
        for (first_value, second_value) in [(&*used.url, &*other.url), ("", &*used.url), ("\n", &*used.url)] {
            let variables =
                [(first.0, first_value), (first.1, second_value), bundle, ("AWS_MAX_ATTEMPTS", "1")];
            Service::start(&variables).await.verify_someone().await;
        }
        assert_eq!((used.count(), other.count()), (3, 0), "{first:?}");
    }
}

#[tokio::test]
async fn a_proxy_s_url_may_have_a_line_end_and_signs_in_its_password() {
    let authority = Authority::new("odd-urls");
    for (userinfo, line_end, told) in [
        ("", "\n", None),
        ("", "/\r\n", None),
        // base64 of operator:a"b^c|d
        ("operator:a\"b^c|d@", "", Some("b3BlcmF0b3I6YSJiXmN8ZA==")),
        ("operator:a%22b%5Ec%7Cd@", "\n", Some("b3BlcmF0b3I6YSJiXmN8ZA==")),
        // base64 of operator:p@ss
        ("operator:p@ss@", "", Some("b3BlcmF0b3I6cEBzcw==")),
    ] {
        for scheme in ["http://", ""] {
            let proxy = refusing_proxy().await;
            let url = proxy.url.replace("http://", &format!("{scheme}{userinfo}")) + line_end;
            behind(&proxy, &authority, &[("HTTPS_PROXY", &url)]).await.verify_someone().await;
            assert_eq!(wanted(&proxy), [format!("CONNECT {STS}:443 HTTP/1.1")], "{url:?}");
            let request = proxy.requests().remove(0).to_ascii_lowercase();
            let basic =
                told.map(|told| format!("proxy-authorization: basic {}\r\n", told.to_ascii_lowercase()));
            assert!(basic.is_none_or(|basic| request.contains(&basic)), "{url:?}: {request}");
        }
    }
}

#[tokio::test]
async fn a_port_in_no_proxy_is_heeded() {
    let (proxy, stub) = (Stub::always(identity()).await, Stub::always(identity()).await);
    let host = stub.url.strip_prefix("http://").unwrap();
    for (direct, hosts) in [(1, host), (1, &*format!("a.example, {host}")), (0, "127.0.0.1:1")] {
        let before = stub.count();
        let service = Service::asking(&stub.url, &[("HTTP_PROXY", &proxy.url), ("NO_PROXY", hosts)]).await;
        service.verify_someone().await;
        assert_eq!(stub.count() - before, direct, "{hosts}");
    }
    assert_eq!(proxy.count(), 1);
}

#[tokio::test]
async fn an_unsupported_proxy_is_ignored_where_it_is_not_used() {
    let (proxy, authority) = (refusing_proxy().await, Authority::new("socks"));
    let socks = [("ALL_PROXY", "socks5h://127.0.0.1:1"), ("HTTP_PROXY", "socks5://127.0.0.1:1")];
    behind(&proxy, &authority, &socks).await.verify_someone().await;
    assert_eq!(wanted(&proxy), [format!("CONNECT {STS}:443 HTTP/1.1")]);
}

#[tokio::test]
async fn a_variable_of_web_servers_switches_no_proxy_off() {
    let (proxy, authority) = (refusing_proxy().await, Authority::new("cgi"));
    behind(&proxy, &authority, &[("REQUEST_METHOD", "GET")]).await.verify_someone().await;
    assert_eq!(proxy.count(), 1);
}

#[tokio::test]
async fn a_plain_http_endpoint_is_called_through_the_http_proxy() {
    for variable in ["HTTP_PROXY", "http_proxy"] {
        let (proxy, stub) = (Stub::always(identity()).await, Stub::always(identity()).await);
        let service = Service::asking(&stub.url, &[(variable, &proxy.url)]).await;
        assert_eq!(summary(service.verify_someone().await).await, expected(200, "valid", ""), "{variable}");
        assert_eq!(wanted(&proxy), [format!("POST {}/ HTTP/1.1", stub.url)], "{variable}");
        assert_eq!(stub.count(), 0, "{variable}");
    }
}

#[tokio::test]
async fn a_plain_http_endpoint_in_no_proxy_is_called_directly() {
    for variable in ["NO_PROXY", "no_proxy"] {
        let (proxy, stub) = (refusing_proxy().await, Stub::always(identity()).await);
        let proxies = [("HTTP_PROXY", proxy.url.as_str()), (variable, "elsewhere.example,127.0.0.1")];
        let service = Service::asking(&stub.url, &proxies).await;
        assert_eq!(summary(service.verify_someone().await).await, expected(200, "valid", ""), "{variable}");
        assert_eq!((proxy.count(), stub.count()), (0, 1), "{variable}");
    }
}

#[tokio::test]
async fn an_https_endpoint_in_no_proxy_is_asked_directly() {
    let (proxy, stub, authority) =
        (refusing_proxy().await, Stub::always(identity()).await, Authority::new("direct"));
    let front = tls(&authority, &["127.0.0.1"], &stub.url).await;
    let endpoint = format!("https://{}", front.address);
    let variables = [("AWS_ENDPOINT_URL", endpoint.as_str()), ("NO_PROXY", "127.0.0.1")];
    let service = behind(&proxy, &authority, &variables).await;
    assert_eq!(summary(service.verify_someone().await).await, expected(200, "valid", ""));
    assert_eq!((proxy.count(), stub.count()), (0, 1));
}

#[tokio::test]
async fn aws_s_own_endpoint_is_asked_through_a_proxy_and_has_to_prove_its_name() {
    let (stub, authority) = (Stub::always(identity()).await, Authority::new("tunnel"));
    for (name, answer) in [
        (STS, expected(200, "valid", "")),
        ("sts.example.com", expected(502, "indeterminate", "EndpointConnectionError")),
    ] {
        let front = tls(&authority, &[name], &stub.url).await;
        let proxy = tunnel(&front.address).await;
        let url = format!("http://{}", proxy.address);
        let bundle = ("AWS_CA_BUNDLE", authority.bundle.as_str());
        let service = Service::start(&[("HTTPS_PROXY", &url), bundle, ("AWS_MAX_ATTEMPTS", "1")]).await;
        assert_eq!(summary(service.verify_someone().await).await, answer, "{name}");
    }
    let [request] = stub.requests().try_into().unwrap();
    assert!(request.to_ascii_lowercase().contains(&format!("\r\nhost: {STS}\r\n")), "{request}");
}

#[tokio::test]
async fn a_proxy_s_password_reaches_the_proxy_and_nobody_else() {
    let (proxy, authority) = (refusing_proxy().await, Authority::new("password"));
    let url = proxy.url.replace("http://", "http://operator:the-proxy-s-password@");
    let variables = [("HTTPS_PROXY", url.as_str()), ("STS_VERIFY_LOG", "trace")];
    let service = behind(&proxy, &authority, &variables).await;
    let answer = service.verify_someone().await;
    assert!(!answer.text().await.unwrap().contains("password"));
    // base64 of operator:the-proxy-s-password
    let proof = "b3BlcmF0b3I6dGhlLXByb3h5LXMtcGFzc3dvcmQ=";
    assert!(proxy.requests()[0].contains(&format!("Basic {proof}")), "{}", proxy.requests()[0]);
    let end = service.stop().await;
    let written = [end.stdout, end.stderr].concat().join("\n");
    assert!(!written.contains("password") && !written.contains(proof), "{written}");
}
