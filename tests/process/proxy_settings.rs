//! An invalid proxy variable: exit code 64, and one line that names the variable but not the value.

use crate::program::run;
use crate::settings::{PROXIES, assert_refused, run_with};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

#[tokio::test]
async fn nonsense_in_a_proxy_s_variable_is_refused() {
    for variable in PROXIES {
        for value in
            ["http://operator:zqxj@", "zqxj.example:port", "http://", "http://zqxj.example/proxy.pac"]
        {
            let end = run_with(&[], variable, value).await;
            assert_refused(&end, variable);
            assert!(!end.stderr[0].contains("zqxj"), "{end:?}");
        }
    }
}

#[tokio::test]
async fn an_unsupported_proxy_is_refused_where_it_would_be_used() {
    let endpoint = ("AWS_ENDPOINT_URL_STS", "http://sts.example.com");
    let cases: [(&str, &[(&str, &str)]); 6] = [
        ("HTTPS_PROXY", &[]),
        ("https_proxy", &[("HTTPS_PROXY", "proxy.example:3128")]),
        ("ALL_PROXY", &[]),
        ("all_proxy", &[("HTTP_PROXY", "proxy.example:3128")]),
        ("HTTP_PROXY", &[endpoint]),
        ("ALL_PROXY", &[endpoint, ("HTTPS_PROXY", "proxy.example:3128")]),
    ];
    for (variable, others) in cases {
        for value in ["socks5h://zqxj.example:1080", "ftp://zqxj.example"] {
            let end = run(&["--listen=127.0.0.1:0"], &[others, &[(variable, value)]].concat()).await;
            assert_refused(&end, variable);
            assert!(!end.stderr[0].contains("zqxj"), "{end:?}");
        }
    }
}

#[tokio::test]
async fn a_list_of_hosts_without_proxy_is_refused_if_one_could_never_match() {
    for variable in ["NO_PROXY", "no_proxy"] {
        let variables = [("HTTPS_PROXY", "proxy.example:3128"), (variable, "a.example;zqxj.example")];
        let end = run(&["--listen=127.0.0.1:0"], &variables).await;
        assert_refused(&end, variable);
        assert!(!end.stderr[0].contains("zqxj"), "{end:?}");
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_are_refused_in_a_proxy_s_variable() {
    for variable in PROXIES {
        assert_refused(&run_with(&[], variable, OsStr::from_bytes(b"http://proxy\xff:3128")).await, variable);
    }
}
