//! The request body, as its callers spell it: one schema for each tool that prints credentials.

use serde_json::{Map, Value, json};
use std::borrow::Cow;
use utoipa::openapi::schema::{AnyOfBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// The names under which one tool prints the three values.
pub(super) struct Spelling {
    pub name: &'static str,
    pub who: &'static str,
    container: Option<&'static str>,
    access_key: &'static str,
    secret_key: &'static str,
    session_token: &'static str,
}

const fn spelling(
    name: &'static str,
    who: &'static str,
    container: Option<&'static str>,
    [access_key, secret_key, session_token]: [&'static str; 3],
) -> Spelling {
    Spelling { name, who, container, access_key, secret_key, session_token }
}

const CLI: [&str; 3] = ["AccessKeyId", "SecretAccessKey", "SessionToken"];
const CAMEL: [&str; 3] = ["accessKeyId", "secretAccessKey", "sessionToken"];

/// Every spelling, the documented one first.
pub(super) const SPELLINGS: [Spelling; 10] = [
    spelling(
        "function",
        "The function's own names",
        None,
        ["stsAccessKey", "stsSecretKey", "stsSessionToken"],
    ),
    spelling("aws-cli", "AWS CLI: sts assume-role, get-session-token and others", Some("Credentials"), CLI),
    spelling("credential-process", "A credential_process, aws configure export-credentials", None, CLI),
    spelling(
        "metadata",
        "The instance and container metadata services",
        None,
        ["AccessKeyId", "SecretAccessKey", "Token"],
    ),
    spelling("javascript", "The JavaScript SDK", None, CAMEL),
    spelling("javascript-client", "The JavaScript SDK, a client's configuration", Some("credentials"), CAMEL),
    spelling(
        "javascript-output",
        "The JavaScript SDK, keys of the CLI's case around it",
        Some("Credentials"),
        CAMEL,
    ),
    spelling(
        "identity-center",
        "IAM Identity Center: aws sso get-role-credentials",
        Some("roleCredentials"),
        CAMEL,
    ),
    spelling(
        "boto3",
        "boto3's arguments, the shared credentials file",
        None,
        ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"],
    ),
    spelling(
        "environment",
        "The environment",
        None,
        ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"],
    ),
];

/// The body of a request: see [`crate::credentials`] for what is really read.
pub struct VerifyRequestSchema;

impl PartialSchema for VerifyRequestSchema {
    fn schema() -> RefOr<Schema> {
        let description = "AWS credentials under the names of any of the tools that print them. Each value is given \
                           once; other members are passed over.";
        let any = AnyOfBuilder::new().description(Some(description));
        SPELLINGS.iter().fold(any, |any, spelling| any.item(spelling.schema())).into()
    }
}

impl ToSchema for VerifyRequestSchema {
    fn name() -> Cow<'static, str> {
        "VerifyRequest".into()
    }
}

impl Spelling {
    /// A request in this spelling.
    pub fn example(&self, access_key: &str, secret_key: &str, session_token: Option<&str>) -> Value {
        let mut values = Map::new();
        values.insert(self.access_key.to_owned(), json!(access_key));
        values.insert(self.secret_key.to_owned(), json!(secret_key));
        if let Some(token) = session_token {
            values.insert(self.session_token.to_owned(), json!(token));
        }
        match self.container {
            Some(container) => json!({ container: values }),
            None => Value::Object(values),
        }
    }

    fn schema(&self) -> ObjectBuilder {
        let region = text("The AWS region whose STS is asked; one that the operator allows", 1, 63)
            .pattern(Some("^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"));
        let values = self.values();
        let object = match self.container {
            Some(container) => ObjectBuilder::new().property(container, values).required(container),
            None => values,
        };
        object.title(Some(self.who)).property("region", nullable(region))
    }

    fn values(&self) -> ObjectBuilder {
        let access_key = text("The access key id", 16, 128).pattern(Some("^[A-Za-z0-9_]+$"));
        let secret_key = text("The secret access key", 1, 128).pattern(Some("^[!-~]+$"));
        let token = text("The session token; absent, null or empty for a long-term key", 0, 8192);
        ObjectBuilder::new()
            .property(self.access_key, access_key)
            .required(self.access_key)
            .property(self.secret_key, secret_key)
            .required(self.secret_key)
            .property(self.session_token, nullable(token.pattern(Some("^[!-~]*$"))))
    }
}

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
