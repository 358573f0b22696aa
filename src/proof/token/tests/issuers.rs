use super::*;

#[test]
fn an_issuer_of_aws_is_recognised_by_its_whole_form() {
    let id = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";
    for (issuer, partition) in [
        (format!("https://{id}.tokens.sts.global.api.aws"), Some("aws")),
        (format!("https://{id}.tokens.sts.global.api.amazonwebservices.com.cn"), Some("aws-cn")),
        (format!("http://{id}.tokens.sts.global.api.aws"), None),
        (format!("https://{id}.tokens.sts.global.api.aws/"), None),
        (format!("https://{id}.tokens.sts.global.api.aws:443"), None),
        (format!("https://{id}.tokens.sts.global.api.aws.example"), None),
        (format!("https://x.{id}.tokens.sts.global.api.aws"), None),
        (format!("https://{}.tokens.sts.global.api.aws", id.to_uppercase()), None),
        ("https://attacker.tokens.sts.global.api.aws".to_owned(), None),
        (format!("https://{id}@evil.tokens.sts.global.api.aws"), None),
    ] {
        assert_eq!(partition_of_issuer(&issuer), partition, "{issuer}");
        assert_eq!(AcceptedIssuers::Any.accepts(&issuer), partition.is_some(), "{issuer}");
    }
}

#[test]
fn an_operator_s_issuers_are_urls_over_tls_or_on_this_machine() {
    assert_eq!(AcceptedIssuers::parse(" * "), Ok(AcceptedIssuers::Any));
    for good in [
        "https://issuer.example",
        "https://issuer.example/",
        "https://a.example/x,https://b.example",
        "http://127.0.0.1:8090",
        "http://[::1]:1",
        "http://localhost",
    ] {
        assert!(AcceptedIssuers::parse(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        ",",
        "https://a.example,",
        "issuer.example",
        "http://issuer.example",
        "https://u@issuer.example",
        "https://issuer.example?x",
        "https://issuer.example#x",
        "https://ISSUER.example",
        "https://issuer.example:443",
        "https://a.example,*",
        "ftp://a.example",
        "http://10.0.0.1",
    ] {
        assert!(AcceptedIssuers::parse(bad).is_err(), "{bad}");
    }
}
