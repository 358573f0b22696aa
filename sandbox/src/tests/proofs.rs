//! Signed requests that are made for somebody else to send: with headers that bind them to their receiver.

use http::{HeaderValue, Method};

use super::{BODY, answer, received, rejection};
use crate::request::Received;

/// As botocore 1.44.8 signed it at [`super::NOW`], with `x-k8s-aws-id` added before: what `aws eks get-token`
/// makes.
fn eks_token() -> Received {
    let query = "Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=ASIASBXFEDERAEXAMPLE%2F20261123%2Fus-east-1%2Fsts%2Faws4_request\
        &X-Amz-Date=20261123T120000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id\
        &X-Amz-Security-Token=SandboxSession%2FFEDERA%2BNotARealToken%2FEXAMPLETOKEN%3D%3D\
        &X-Amz-Signature=9fca625df5f9ce3f61e628530f9646c20200592c133493883dc8b0e616ff8383";
    received(Method::GET, query, &[("host", "127.0.0.1:8090"), ("x-k8s-aws-id", "sandbox")], "")
}

/// As botocore 1.44.8 signed it at [`super::NOW`]: what a login of Vault sends.
fn vault_login() -> Received {
    let headers = [
        ("host", "127.0.0.1:8090"),
        ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
        ("x-vault-aws-iam-server-id", "vault.example.com"),
        ("x-amz-date", "20261123T120000Z"),
        ("x-amz-security-token", "SandboxSession/FEDERA+NotARealToken/EXAMPLETOKEN=="),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=ASIASBXFEDERAEXAMPLE/20261123/us-east-1/sts/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-vault-aws-iam-server-id, \
             Signature=c3c0d0c4cf27b4864203857ea14d074e24ceac1e9745b92290b8f3cccc16f2e8",
        ),
    ];
    received(Method::POST, "", &headers, BODY)
}

#[test]
fn a_header_that_a_signature_names_is_verified() {
    for (request, name) in [(eks_token(), "x-k8s-aws-id"), (vault_login(), "x-vault-aws-iam-server-id")] {
        assert_eq!(answer(request.clone()).status, 200, "{name}");
        let mut other = request.clone();
        other.headers.insert(name, HeaderValue::from_static("other.example.com"));
        assert_eq!(rejection(other).1, "SignatureDoesNotMatch", "{name}");
        let mut twice = request.clone();
        twice.headers.append(name, HeaderValue::from_static("other.example.com"));
        assert_eq!(rejection(twice).1, "SignatureDoesNotMatch", "{name}");
        let mut without = request;
        without.headers.remove(name);
        assert_eq!(rejection(without).1, "SignatureDoesNotMatch", "{name}");
    }
}

#[test]
fn a_header_that_a_signature_does_not_name_may_be_anything() {
    for mut request in [eks_token(), vault_login()] {
        request.headers.insert("x-sts-verify-audience", HeaderValue::from_static("anything"));
        assert_eq!(answer(request).status, 200);
    }
}
