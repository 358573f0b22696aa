//! The spellings of the request body: one schema for each tool that prints credentials or makes a proof.

use crate::http::proof_forms::proof_forms;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use utoipa::openapi::schema::{AnyOfBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// The names under which one tool prints the three values.
pub(super) struct Spelling {
    pub name: &'static str,
    pub who: &'static str,
    /// The name of the object around the values.
    container: Option<&'static str>,
    access_key: &'static str,
    secret_key: &'static str,
    /// `None` if the tool prints long-term keys; several names if it prints the token twice.
    session_tokens: &'static [&'static str],
    /// The region hints that it prints.
    region_hints: &'static [&'static str],
}

const fn spelling(
    name: &'static str,
    who: &'static str,
    container: Option<&'static str>,
    [access_key, secret_key]: [&'static str; 2],
    session_tokens: &'static [&'static str],
) -> Spelling {
    Spelling { name, who, container, access_key, secret_key, session_tokens, region_hints: &[] }
}

const CLI: [&str; 2] = ["AccessKeyId", "SecretAccessKey"];
const CAMEL: [&str; 2] = ["accessKeyId", "secretAccessKey"];

/// All spellings, the documented one first.
pub(super) static SPELLINGS: [Spelling; 17] = [
    spelling(
        "function",
        "The function's own names",
        None,
        ["stsAccessKey", "stsSecretKey"],
        &["stsSessionToken"],
    ),
    spelling(
        "aws-cli",
        "AWS CLI: sts assume-role, get-session-token and others",
        Some("Credentials"),
        CLI,
        &["SessionToken"],
    ),
    spelling(
        "credential-process",
        "A credential_process, aws configure export-credentials",
        None,
        CLI,
        &["SessionToken"],
    ),
    spelling("create-access-key", "AWS CLI: iam create-access-key", Some("AccessKey"), CLI, &[]),
    spelling("metadata", "The instance and container metadata services", None, CLI, &["Token"]),
    spelling(
        "cognito",
        "Amazon Cognito: aws cognito-identity get-credentials-for-identity",
        Some("Credentials"),
        ["AccessKeyId", "SecretKey"],
        &["SessionToken"],
    ),
    spelling("gamelift", "Amazon GameLift: uploads", Some("UploadCredentials"), CLI, &["SessionToken"]),
    spelling("javascript", "The JavaScript SDK", None, CAMEL, &["sessionToken"]),
    spelling(
        "javascript-client",
        "The JavaScript SDK, a client's configuration; IoT Core's credential provider",
        Some("credentials"),
        CAMEL,
        &["sessionToken"],
    ),
    spelling(
        "identity-center",
        "IAM Identity Center: aws sso get-role-credentials",
        Some("roleCredentials"),
        CAMEL,
        &["sessionToken"],
    ),
    spelling("aws-login", "The cache of aws login", Some("accessToken"), CAMEL, &["sessionToken"]),
    spelling(
        "boto3",
        "boto3's arguments, the shared credentials file",
        None,
        ["aws_access_key_id", "aws_secret_access_key"],
        &["aws_session_token"],
    ),
    Spelling {
        region_hints: &["AWS_REGION", "AWS_DEFAULT_REGION"],
        ..spelling(
            "environment",
            "The environment",
            None,
            ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
            &["AWS_SESSION_TOKEN"],
        )
    },
    spelling(
        "environment-older",
        "The environment, with names of older SDKs",
        None,
        ["AWS_ACCESS_KEY", "AWS_SECRET_KEY"],
        &["AWS_SECURITY_TOKEN"],
    ),
    spelling(
        "vault",
        "Vault and OpenBao: vault read -format=json aws/creds/ROLE",
        Some("data"),
        ["access_key", "secret_key"],
        &["security_token", "session_token"],
    ),
    spelling("terraform", "Terraform's provider", None, ["access_key", "secret_key"], &["token"]),
    spelling(
        "dotnet",
        "The SDK for .NET: ImmutableCredentials",
        None,
        ["AccessKey", "SecretKey"],
        &["Token"],
    ),
];

/// The schema of a request's body. See [`crate::credentials`] for how it is read.
pub struct VerifyRequestSchema;

impl PartialSchema for VerifyRequestSchema {
    fn schema() -> RefOr<Schema> {
        let description = "AWS credentials under the names that any of the tools prints, or one proof in the form that its tool \
                           prints. Names are compared without case, `_` and `-`, at the top level or in an object up to \
                           three levels below it, whatever that object is called. If the access key ID or the secret has a \
                           name with `aws` or `sts` in it, other names without either are ignored. `token` is a session \
                           token beside an access key ID, and a proof otherwise. A value that occurs twice is accepted if \
                           both are equal. Null and empty are not values. Other members are ignored.";
        let any = AnyOfBuilder::new().description(Some(description));
        let any = SPELLINGS.iter().fold(any, |any, spelling| any.item(spelling.schema()));
        let proofs = proof_forms().into_iter().map(|form| form.schema.title(Some(form.who)));
        proofs.fold(any, AnyOfBuilder::item).into()
    }
}

impl ToSchema for VerifyRequestSchema {
    fn name() -> Cow<'static, str> {
        "VerifyRequest".into()
    }
}

impl Spelling {
    /// Whether it has a name for a session token.
    pub fn has_token(&self) -> bool {
        !self.session_tokens.is_empty()
    }

    /// A request in this spelling.
    pub fn example(&self, access_key: &str, secret_key: &str, session_token: Option<&str>) -> Value {
        let mut values = Map::new();
        values.insert(self.access_key.to_owned(), json!(access_key));
        values.insert(self.secret_key.to_owned(), json!(secret_key));
        for name in self.session_tokens.iter().filter(|_| session_token.is_some()) {
            values.insert((*name).to_owned(), json!(session_token));
        }
        for name in self.region_hints {
            values.insert((*name).to_owned(), json!("us-east-1"));
        }
        match self.container {
            Some(container) => json!({ container: values }),
            None => Value::Object(values),
        }
    }

    fn schema(&self) -> ObjectBuilder {
        let region = text("The AWS region whose STS is used; the operator must allow it", 1, 63)
            .pattern(Some("^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"));
        let values = self.values();
        let object = match self.container {
            Some(container) => ObjectBuilder::new().property(container, values).required(container),
            None => values,
        };
        object.title(Some(self.who)).property("region", nullable(region))
    }

    fn values(&self) -> ObjectBuilder {
        let access_key = text("The access key ID", 16, 128).pattern(Some("^[A-Za-z0-9_]+$"));
        let secret_key = text("The secret access key", 1, 128).pattern(Some("^[!-~]+$"));
        let token = || {
            let token = text("The session token; absent, null or empty for a long-term key", 0, 16384);
            // An object is not a value under any name, but is searched for values.
            let types = SchemaType::from_iter([Type::String, Type::Null, Type::Object]);
            token.pattern(Some("^[!-~]*$")).schema_type(types)
        };
        let hint = || ObjectBuilder::new().schema_type(SchemaType::AnyValue).description(Some(REGION_HINT));
        let mut values = ObjectBuilder::new()
            .property(self.access_key, access_key)
            .required(self.access_key)
            .property(self.secret_key, secret_key)
            .required(self.secret_key);
        for name in self.session_tokens {
            values = values.property(*name, token());
        }
        for name in self.region_hints {
            values = values.property(*name, hint());
        }
        values
    }
}

const REGION_HINT: &str = "A region of the environment, used as a hint; AWS_REGION takes precedence. It is used if the operator \
                           allows it; if not, the default region is used, provided that it is in the same partition. \
                           Hints that are not the name of a region are ignored, and `region` takes precedence";

fn text(description: &str, shortest: usize, longest: usize) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(description))
        .min_length(Some(shortest))
        .max_length(Some(longest))
}

fn nullable(object: ObjectBuilder) -> ObjectBuilder {
    object.schema_type(SchemaType::from_iter([Type::String, Type::Null]))
}
