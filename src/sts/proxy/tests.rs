//! Values as operators write them, and how the connector reads them.

use super::*;
use base64::Engine as _;

const AWS: &str = "https://sts.us-east-1.amazonaws.com/";

fn route(https_proxy: &str, no_proxy: &str, endpoint: &str) -> Result<ProxyRules, String> {
    let https = Some(Proxy::new("HTTPS_PROXY", https_proxy)?);
    let no_proxy = Some(("NO_PROXY", no_proxy.to_owned()));
    ProxyRules::new(&Proxies { https, no_proxy, ..Proxies::default() }, &Url::parse(endpoint).unwrap())
}

fn via(https_proxy: &str, no_proxy: &str, endpoint: &str) -> Via {
    route(https_proxy, no_proxy, endpoint).unwrap().via(&endpoint.parse().unwrap())
}

/// The user and password that are sent to the proxy.
fn authorization(https_proxy: &str) -> String {
    let route = route(https_proxy, "", AWS).unwrap();
    let proxy = route.proxy(&AWS.parse().unwrap()).unwrap();
    let basic = proxy.basic_auth().unwrap().to_str().unwrap().strip_prefix("Basic ").unwrap().to_owned();
    String::from_utf8(base64::prelude::BASE64_STANDARD.decode(basic).unwrap()).unwrap()
}

#[test]
fn a_proxy_is_used_however_its_url_is_written() {
    for text in [
        "http://proxy.example:3128",
        "http://proxy.example:3128/",
        "HTTP://Proxy.Example:3128",
        "proxy.example:3128",
        "proxy.example:3128/",
        "//proxy.example:3128",
        "http://proxy.example:3128\n",
        "\u{feff}http://proxy.example:3128".trim_start_matches('\u{feff}'),
        " http://proxy.example:3128\r\n",
        "operator:p\"w@proxy.example:3128",
    ] {
        assert_eq!(via(text, "", AWS), Via::Proxy("proxy.example:3128".to_owned()), "{text:?}");
    }
    assert_eq!(via("http://proxy.example", "", AWS), Via::Proxy("proxy.example".to_owned()));
    assert_eq!(via("https://[2001:db8::1]:3129", "", AWS), Via::Proxy("[2001:db8::1]:3129".to_owned()));
}

#[test]
fn user_and_password_reach_the_proxy_as_they_are() {
    for (userinfo, sent) in [
        ("operator:secret", "operator:secret"),
        ("operator:p%40ss%3Aw", "operator:p@ss:w"),
        (r#"operator:"<>{}|^`\[]"#, r#"operator:"<>{}|^`\[]"#),
        ("operator:two words", "operator:two words"),
        ("operator:a@b:c", "operator:a@b:c"),
        ("operator:50%", "operator:50%"),
        ("operator:50%zz", "operator:50%zz"),
        ("op%C3%A9rateur:é", "opérateur:é"),
        ("token", "token:"),
    ] {
        // A backslash ends the host in the URLs of browsers.
        let written = userinfo.replace('\\', "%5C");
        assert_eq!(authorization(&format!("http://{written}@proxy.example:3128")), sent, "{userinfo}");
    }
}

#[test]
fn a_value_that_is_not_a_proxy_is_rejected_without_being_repeated() {
    for text in [
        "http://",
        "http://operator:zqxj@",
        "zqxj.example:port",
        "zqxj.example:99999",
        "http://zqxj.example:3128 http://zqxj.example:3129",
        "http://zqxj.example:3128/proxy.pac",
        "http://zqxj.example:3128?a=b",
        // Characters that a password may contain only as %23, %3F and %2F.
        "http://operator:zq#xj@proxy.example:3128",
        "http://operator:12#zqxj@proxy.example:3128",
        "http://operator:12/zqxj@proxy.example:3128",
        "http://operator:12?zqxj@proxy.example:3128",
        r"http://operator:12\zqxj@proxy.example:3128",
        "http://zqxj.exa\nmple:3128",
        "socks5://zqxj.example:1080",
        "socks5h://operator:zqxj@proxy.example:1080",
        "ftp://zqxj.example",
    ] {
        let error = route(text, "", AWS).unwrap_err();
        assert!(error.starts_with("HTTPS_PROXY: must be ") && !error.contains("zqxj"), "{text}: {error}");
    }
}

#[test]
fn only_the_proxy_that_is_used_must_be_of_a_supported_kind() {
    let socks = || Some(Proxy::new("ALL_PROXY", "socks5://proxy.example:1080").unwrap());
    let https = Some(Proxy::new("HTTPS_PROXY", "proxy.example:3128").unwrap());
    let of = |proxies: &Proxies, url: &str| ProxyRules::new(proxies, &Url::parse(url).unwrap());
    let both = Proxies { https, all: socks(), ..Proxies::default() };
    assert!(of(&both, AWS).is_ok());
    assert!(of(&both, "http://sts.example.com/").unwrap_err().starts_with("ALL_PROXY: "));
    assert!(of(&Proxies { http: socks(), ..Proxies::default() }, AWS).is_ok());
    assert!(of(&Proxies { all: socks(), ..Proxies::default() }, AWS).is_err());
    for (hosts, good) in [("sts.example.com", true), ("*", true), ("sts.example.org", false)] {
        let no_proxy = Some(("NO_PROXY", hosts.to_owned()));
        let proxies = Proxies { all: socks(), no_proxy, ..Proxies::default() };
        assert_eq!(of(&proxies, "https://sts.example.com/").is_ok(), good, "{hosts}");
    }
}

#[test]
fn hosts_in_no_proxy_are_reached_directly() {
    let endpoint = "https://sts.a.example:8443/";
    for hosts in [
        "sts.a.example",
        "STS.A.Example",
        "a.example",
        ".a.example",
        "*.a.example",
        "a.example.",
        "example",
        "*",
        "elsewhere.example, sts.a.example",
        "elsewhere.example sts.a.example",
        "elsewhere.example,,sts.a.example\n",
        "sts.a.example:8443",
        ".a.example:8443",
        "*.a.example:8443,elsewhere.example",
    ] {
        assert_eq!(via("proxy.example:3128", hosts, endpoint), Via::NoProxy, "{hosts:?}");
    }
    for hosts in [
        "",
        "ts.a.example",
        "xsts.a.example",
        "sts.a.example:443",
        "b.example:8443",
        "10.0.0.0/8",
        "x.sts.a.example",
    ] {
        let proxy = Via::Proxy("proxy.example:3128".to_owned());
        assert_eq!(via("proxy.example:3128", hosts, endpoint), proxy, "{hosts:?}");
    }
    assert_eq!(via("proxy.example:3128", "sts.us-east-1.amazonaws.com:443", AWS), Via::NoProxy);
}

#[test]
fn addresses_and_networks_in_no_proxy_are_reached_directly() {
    for (hosts, endpoint) in [
        ("10.1.2.3", "https://10.1.2.3/"),
        ("10.1.2.3:443", "https://10.1.2.3/"),
        ("10.0.0.0/8", "https://10.1.2.3/"),
        ("::1", "https://[::1]:8443/"),
        ("[::1]", "https://[::1]:8443/"),
        ("[::1]:8443", "https://[::1]:8443/"),
        ("2001:db8::/32", "https://[2001:db8::5]/"),
        ("*", "https://10.1.2.3/"),
        ("*", "https://[::1]:8443/"),
    ] {
        assert_eq!(via("proxy.example:3128", hosts, endpoint), Via::NoProxy, "{hosts}");
    }
    let proxy = Via::Proxy("proxy.example:3128".to_owned());
    assert_eq!(via("proxy.example:3128", "[::1]:443", "https://[::1]:8443/"), proxy);
}

#[test]
fn an_entry_of_no_proxy_that_could_never_match_is_rejected() {
    for hosts in [
        "a.example;b.example",
        "https://sts.a.example",
        "sts.a.example/",
        "sts.*.example",
        "10.*",
        "192.168.",
        "10.0.0.0/33",
        "10.0.0.0/x",
        "a.example:https",
        "a.example:",
        "operator@a.example",
        ".",
        "<local>",
    ] {
        let error = route("proxy.example:3128", hosts, AWS).unwrap_err();
        assert!(
            error.starts_with("NO_PROXY: must be ") && (hosts.len() < 4 || !error.contains(hosts)),
            "{hosts}: {error}"
        );
    }
    // Without a proxy the variable has no effect.
    let alone = Proxies { no_proxy: Some(("NO_PROXY", "10.*".to_owned())), ..Proxies::default() };
    assert!(ProxyRules::new(&alone, &Url::parse(AWS).unwrap()).is_ok());
}
