//! The forms of a proof in the OpenAPI document: one schema and one example for each tool that makes it.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use utoipa::openapi::Schema;
use utoipa::openapi::schema::{AnyOfBuilder, ObjectBuilder, SchemaType, Type};

/// A presigned URL for the audience `verify.example.com`, signed with the key in AWS's documentation, which
/// belongs to nobody.
const PRESIGNED_URL: &str = "https://sts.us-east-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256\
    &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20260113%2Fus-east-1%2Fsts%2Faws4_request&X-Amz-Date=20260113T000348Z&X-Amz-Expires=900\
    &X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&X-Amz-Signature=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A form of a proof.
pub(crate) struct ProofForm {
    pub name: &'static str,
    pub who: &'static str,
    /// An example request. It has expired: each proof is valid for at most 15 minutes.
    pub example: Value,
    pub schema: ObjectBuilder,
}

/// All forms.
pub(crate) fn proof_forms() -> Vec<ProofForm> {
    let eks_token = format!("k8s-aws-v1.{}", BASE64_URL_SAFE_NO_PAD.encode(PRESIGNED_URL));
    let form = |name, who, example, schema| ProofForm { name, who, example, schema };
    let inside = |outer, inner| ObjectBuilder::new().property(outer, inner).required(outer);
    vec![
        form(
            "eks-get-token",
            "AWS CLI: eks get-token --cluster-name AUDIENCE",
            json!({"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1beta1", "spec": {}, "status": {"token": eks_token}}),
            inside("status", member("token", EKS_TOKEN, 12_288)),
        ),
        form(
            "token-review",
            "A Kubernetes TokenReview",
            json!({"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "spec": {"token": eks_token}}),
            inside("spec", member("token", TOKEN, 16_384)),
        ),
        form("token", "A token of EKS or a JWT", json!({"token": eks_token}), member("token", TOKEN, 16_384)),
        form(
            "web-identity-token",
            "AWS CLI: sts get-web-identity-token --audience AUDIENCE --signing-algorithm ES384",
            json!({"WebIdentityToken": web_identity_token(), "Expiration": "2026-01-13T00:08:48.000Z"}),
            member("WebIdentityToken", "A JWT of STS's GetWebIdentityToken", 16_384),
        ),
        form(
            "presigned-url",
            "boto3: generate_presigned_url(\"get_caller_identity\"), with a binding",
            json!({"presigned_url": PRESIGNED_URL}),
            member("presigned_url", PRESIGNED, 8_192),
        ),
        form(
            "presigned-url-camel-case",
            "The same URL from a JavaScript client",
            json!({"presignedUrl": PRESIGNED_URL}),
            member("presignedUrl", PRESIGNED, 8_192),
        ),
        form(
            "iam-login",
            "The AWS logins of Vault, OpenBao and Consul",
            login("x-vault-aws-iam-server-id"),
            login_schema(),
        ),
        form(
            "consul-login",
            "A login to Consul, as its API takes it",
            json!({"AuthMethod": "aws-iam", "BearerToken": login("x-consul-iam-serverid").to_string()}),
            ObjectBuilder::new()
                .property("BearerToken", encoded("The members of an AWS login, as the text of a JSON object"))
                .required("BearerToken"),
        ),
    ]
}

const EKS_TOKEN: &str = "k8s-aws-v1. and a presigned GetCallerIdentity URL in base64url without padding";
const PRESIGNED: &str = "A presigned GetCallerIdentity URL, a binding among its signed headers";
const TOKEN: &str = "The same as of aws eks get-token, or a JWT of STS's GetWebIdentityToken";

fn member(name: &str, description: &str, longest: usize) -> ObjectBuilder {
    ObjectBuilder::new().property(name, text(description, longest)).required(name)
}

fn text(description: &str, longest: usize) -> ObjectBuilder {
    encoded(description).max_length(Some(longest))
}

/// Limited only by the maximum length of the body.
fn encoded(description: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).description(Some(description)).min_length(Some(1))
}

/// A login whose binding is in this header.
fn login(binding: &str) -> Value {
    let mut signed = ["content-type", "host", "x-amz-date", binding];
    signed.sort_unstable();
    let signature = "0123456789abcdef".repeat(4);
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260113/us-east-1/sts/aws4_request, SignedHeaders={}, \
        Signature={signature}",
        signed.join(";")
    );
    let headers = json!({
        "Authorization": [authorization],
        "Content-Type": ["application/x-www-form-urlencoded; charset=utf-8"],
        "X-Amz-Date": ["20260113T000348Z"],
        binding: ["verify.example.com"],
    });
    json!({
        "iam_http_request_method": "POST",
        "iam_request_url": BASE64_STANDARD.encode("https://sts.us-east-1.amazonaws.com/"),
        "iam_request_body": BASE64_STANDARD.encode("Action=GetCallerIdentity&Version=2011-06-15"),
        "iam_request_headers": BASE64_STANDARD.encode(headers.to_string()),
    })
}

fn login_schema() -> ObjectBuilder {
    let method = text("How the request is sent", 4).enum_values(Some(["POST", "GET"]));
    let headers = AnyOfBuilder::new()
        .description(Some("The headers as base64 of a JSON object, as its text, or as the object; a value is a string, a number, or an array of one of these"))
        .item(encoded("base64 of a JSON object, or its text"))
        .item(ObjectBuilder::new());
    let body = ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Null]));
    ObjectBuilder::new()
        .property("iam_http_request_method", method)
        .required("iam_http_request_method")
        .property("iam_request_url", encoded("base64 of the URL"))
        .required("iam_request_url")
        .property(
            "iam_request_body",
            body.description(Some("base64 of the body; absent, null or empty for a GET")),
        )
        .property("iam_request_headers", Schema::AnyOf(headers.build()))
        .required("iam_request_headers")
}

fn web_identity_token() -> String {
    let head = json!({"kid": "EC384_0", "typ": "JWT", "alg": "ES384"});
    let part = |json: &Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
    format!("{}.{}.{}", part(&head), part(&claims()), BASE64_URL_SAFE_NO_PAD.encode([0; 96]))
}

fn claims() -> Value {
    json!({
        "aud": "verify.example.com",
        "sub": "arn:aws:iam::123456789012:role/example-role",
        "https://sts.amazonaws.com/": {
            "aws_account": "123456789012",
            "source_region": "us-east-1",
            "org_id": "o-abc1234567",
            "principal_id": "arn:aws:iam::123456789012:role/example-role"
        },
        "iss": "https://0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0.tokens.sts.global.api.aws",
        "exp": 1_768_262_928,
        "iat": 1_768_262_628,
        "jti": "5e3c1f2a-8f0b-4f6e-9c39-0d8f4f6a1b2c"
    })
}

/// The response for a valid token.
pub(crate) fn token_identity() -> Value {
    let aws_res = json!({"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:role/example-role"});
    json!({"aws_res": aws_res, "claims": claims()})
}
