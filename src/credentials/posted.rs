//! The contents of a body: credentials, or a proof instead. The texts of a proof are extracted here and parsed
//! by [`crate::proof`].

use super::fields::CredentialFields;
use super::proof_members::{Part, ProofMember, ProofValue};
use super::{ValidationError, VerifyRequest};
use secrecy::{ExposeSecret as _, SecretString};

/// The prefix of a token of `aws eks get-token`.
pub const EKS_TOKEN_PREFIX: &str = "k8s-aws-v1.";

/// What was posted.
pub enum Posted {
    /// An access key with its secret, and perhaps a session token.
    Credentials(VerifyRequest),
    /// A proof that the caller has such credentials.
    Proof(PostedProof),
}

/// A proof as it was posted. The texts are secret: anybody who has them can use the proof.
pub enum PostedProof {
    /// A token of `aws eks get-token`, or a JWT.
    Token(PostedText),
    /// A presigned URL.
    PresignedUrl(PostedText),
    /// The login of Vault, OpenBao and Consul.
    IamLogin(PostedLogin),
}

impl PostedProof {
    /// All of its texts: two proofs with the same texts are the same.
    pub(crate) fn texts(&self) -> Vec<&str> {
        match self {
            Self::Token(posted) | Self::PresignedUrl(posted) => vec![posted.text.expose_secret()],
            Self::IamLogin(PostedLogin { method, url, body, headers }) => {
                let headers = headers.as_ref().map(|headers| match headers {
                    PostedHeaders::Text(text) | PostedHeaders::Object(text) => text,
                });
                let all = [method.as_ref(), url.as_ref(), body.as_ref(), headers];
                all.map(|text| text.map_or("", |text| text.expose_secret())).to_vec()
            }
        }
    }
}

/// A text with the name of its member.
pub struct PostedText {
    /// The name in its documented spelling.
    pub member: &'static str,
    /// The text; never empty.
    pub text: SecretString,
}

/// The members of a login. `None` for one that is absent, null or empty.
#[derive(Default)]
pub struct PostedLogin {
    /// `iam_http_request_method`.
    pub method: Option<SecretString>,
    /// `iam_request_url`.
    pub url: Option<SecretString>,
    /// `iam_request_body`.
    pub body: Option<SecretString>,
    /// `iam_request_headers`, as a string or as an object's text.
    pub headers: Option<PostedHeaders>,
}

/// The headers of a login.
pub enum PostedHeaders {
    /// A string.
    Text(SecretString),
    /// A JSON object's text.
    Object(SecretString),
}

/// The values that belong to proofs.
#[derive(Default)]
pub(super) struct ProofFields(Vec<(ProofMember, ProofValue)>);

/// The names of two values that contradict each other, or of two proofs.
struct Contradiction(&'static str, &'static str);

impl ProofFields {
    /// Adds a value. A value that is already there changes nothing.
    pub fn put(&mut self, member: ProofMember, value: Option<ProofValue>) {
        let Some(value) = value else { return };
        // Two different values are an error, however many follow, so no further one is kept.
        let known = self.0.iter().filter(|(known, _)| known.part == member.part);
        let is_new = known.clone().all(|(_, known)| !known.is_same(&value));
        if is_new && known.count() < 2 {
            self.0.push((member, value));
        }
    }

    /// Removes the tokens that do not look like a proof: beside credentials they belong to something else.
    fn drop_other_tokens(&mut self) {
        self.0.retain(|(member, value)| *member != ProofMember::TOKEN || looks_like_a_proof(value));
    }

    fn contradiction(&self) -> Option<Contradiction> {
        let (first, _) = self.0.first()?;
        let is_login = |part| !matches!(part, Part::Token | Part::PresignedUrl);
        let other = self.0.iter().enumerate().skip(1).find(|(index, (member, _))| {
            let same_part = self.0[..*index].iter().any(|(earlier, _)| earlier.part == member.part);
            same_part || is_login(member.part) != is_login(first.part) || !is_login(member.part)
        });
        other.map(|(_, (member, _))| Contradiction(first.name, member.name))
    }

    fn check(mut self) -> Result<Option<PostedProof>, ValidationError> {
        if let Some(Contradiction(one, other)) = self.contradiction() {
            return Err(ValidationError::Duplicate(one, other));
        }
        let not_a_string = |member: ProofMember| ValidationError::Invalid(member.name, "must be a string");
        let mut login = PostedLogin::default();
        for (member, value) in self.0.drain(..) {
            let text = match (member.part, value) {
                (Part::Headers, ProofValue::Object(text)) => {
                    login.headers = Some(PostedHeaders::Object(text));
                    continue;
                }
                (_, ProofValue::Text(text)) => text,
                (_, ProofValue::Contradicted(_)) => {
                    return Err(ValidationError::Duplicate(member.name, member.name));
                }
                _ => return Err(not_a_string(member)),
            };
            match member.part {
                Part::Token => return Ok(Some(PostedProof::Token(PostedText { member: member.name, text }))),
                Part::PresignedUrl => {
                    return Ok(Some(PostedProof::PresignedUrl(PostedText { member: member.name, text })));
                }
                Part::Method => login.method = Some(text),
                Part::Url => login.url = Some(text),
                Part::Body => login.body = Some(text),
                Part::Headers => login.headers = Some(PostedHeaders::Text(text)),
            }
        }
        let is_login =
            login.method.is_some() || login.url.is_some() || login.body.is_some() || login.headers.is_some();
        Ok(is_login.then_some(PostedProof::IamLogin(login)))
    }
}

/// Whether a value is an EKS token, or three parts separated by dots.
fn looks_like_a_proof(value: &ProofValue) -> bool {
    let (ProofValue::Text(text) | ProofValue::Contradicted(text)) = value else { return false };
    let text = text.expose_secret();
    text.starts_with(EKS_TOKEN_PREFIX) || (text.starts_with("ey") && text.matches('.').count() == 2)
}

/// All known values in a body.
#[derive(Default)]
pub(super) struct PostedFields {
    pub credentials: CredentialFields,
    pub proofs: ProofFields,
}

impl PostedFields {
    /// Checks the values. A body without a proof is treated as credentials, even if it is incomplete. If
    /// credentials are not accepted, their values are not checked.
    pub fn check(self, credentials_accepted: bool) -> Result<Posted, ValidationError> {
        let Self { credentials, mut proofs } = self;
        let given = credentials.first_name();
        if given.is_some() && !credentials_accepted {
            return Err(ValidationError::NotAccepted);
        }
        if given.is_some() {
            proofs.drop_other_tokens();
        }
        let proof = match (given, proofs.0.first()) {
            (Some(given), Some((proof, _))) => return Err(ValidationError::Duplicate(given, proof.name)),
            _ => proofs.check()?,
        };
        proof.map_or_else(|| credentials.check().map(Posted::Credentials), |proof| Ok(Posted::Proof(proof)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// A short description of what a body contains.
    fn kind(body: &Value) -> String {
        match Posted::from_json(body.to_string().as_bytes()) {
            Ok(Posted::Credentials(_)) => "credentials".to_owned(),
            Ok(Posted::Proof(PostedProof::Token(PostedText { member, text }))) => {
                format!("{member} {}", text.expose_secret())
            }
            Ok(Posted::Proof(PostedProof::PresignedUrl(text))) => {
                format!("url {}", text.text.expose_secret())
            }
            Ok(Posted::Proof(PostedProof::IamLogin(login))) => {
                let headers = match login.headers {
                    Some(PostedHeaders::Object(text)) => format!("object {}", text.expose_secret()),
                    Some(PostedHeaders::Text(text)) => format!("text {}", text.expose_secret()),
                    None => "none".to_owned(),
                };
                format!(
                    "login {} {headers}",
                    login.method.map_or(String::new(), |text| text.expose_secret().to_owned())
                )
            }
            Err(error) => error.to_string(),
        }
    }

    fn with_credentials(mut more: Value) -> Value {
        let own = json!({"AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": "secret"});
        more.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        more
    }

    #[test]
    fn a_proof_is_found_where_its_tool_puts_it() {
        let eks = format!("{EKS_TOKEN_PREFIX}aHR0cHM");
        for (body, expected) in [
            (json!({"kind": "ExecCredential", "spec": {}, "status": {"token": eks}}), format!("token {eks}")),
            (json!({"kind": "TokenReview", "spec": {"token": "a.b.c"}}), "token a.b.c".to_owned()),
            (json!({"token": "anything"}), "token anything".to_owned()),
            (json!({"Token": "a.b.c", "x": {"TOKEN": "a.b.c"}}), "token a.b.c".to_owned()),
            (json!({"WebIdentityToken": "a.b.c", "Expiration": "soon"}), "WebIdentityToken a.b.c".to_owned()),
            (
                json!({"a": {"b": {"c": {"web_identity_token": "a.b.c"}}}}),
                "WebIdentityToken a.b.c".to_owned(),
            ),
            (json!({"presigned_url": "u"}), "url u".to_owned()),
            (json!({"presignedUrl": "u", "presigned_url": "u"}), "url u".to_owned()),
            (
                json!({"iam_http_request_method": "POST", "iam_request_headers": {"token": "x", "AccessKeyId": "y"}}),
                r#"login POST object {"token":"x","AccessKeyId":"y"}"#.to_owned(),
            ),
            (json!({"data": {"iam_request_headers": "e30="}}), "login  text e30=".to_owned()),
            (
                json!({"AuthMethod": "aws", "BearerToken": r#" {"iam_http_request_method":"POST"}"#}),
                "login POST none".to_owned(),
            ),
        ] {
            assert_eq!(kind(&body), expected, "{body}");
        }
    }

    #[test]
    fn a_proof_beside_credentials_or_another_is_an_error() {
        for body in [
            with_credentials(json!({"presigned_url": "u"})),
            with_credentials(json!({"WebIdentityToken": "a.b.c"})),
            with_credentials(json!({"status": {"token": format!("{EKS_TOKEN_PREFIX}x")}})),
            with_credentials(json!({"iam_request_url": "u"})),
            json!({"stsSecretKey": "secret", "presigned_url": "u"}),
            json!({"presigned_url": "u", "x": {"presignedUrl": "v"}}),
            json!({"token": "a.b.c", "status": {"token": "d.e.f"}}),
            json!({"token": "a.b.c", "WebIdentityToken": "d.e.f"}),
            json!({"token": "a.b.c", "TOKEN": "d.e.f"}),
            json!({"status": {"token": "a.b.c", "Token": "d.e.f"}}),
            with_credentials(json!({"status": {"token": format!("{EKS_TOKEN_PREFIX}x"), "Token": "d.e.f"}})),
            json!({"token": "a.b.c", "presigned_url": "u"}),
            json!({"presigned_url": "u", "iam_request_url": "v"}),
            json!({"iam_request_url": "u", "x": {"iam_request_url": "v"}}),
        ] {
            let error = kind(&body);
            assert!(error.contains("name the same value and differ"), "{body}: {error}");
        }
    }

    #[test]
    fn an_unrelated_token_beside_credentials_is_ignored() {
        for body in [
            with_credentials(json!({"status": {"token": "ghp_something"}})),
            with_credentials(json!({"spec": {"Token": 7}})),
            json!({"token": "s.vault", "data": {"access_key": "AKIAIOSFODNN7EXAMPLE", "secret_key": "secret"}}),
            json!({"TOKEN": "a.b.c", "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}),
        ] {
            assert_eq!(kind(&body), "credentials", "{body}");
        }
    }

    #[test]
    fn invalid_values_are_rejected_by_member_and_not_repeated() {
        for (body, expected) in [
            (json!({"token": 7}), "token must be a string."),
            (json!({"presigned_url": ["u"]}), "presigned_url must be a string."),
            (
                json!({"iam_http_request_method": "POST", "iam_request_headers": [1]}),
                "iam_request_headers must be a string.",
            ),
            (json!({"token": ""}), "stsAccessKey is missing or empty."),
            (json!({"token": null}), "stsAccessKey is missing or empty."),
            (json!({"a": {"b": {"c": {"d": {"presigned_url": "u"}}}}}), "stsAccessKey is missing or empty."),
            (json!({"list": [{"presigned_url": "u"}]}), "stsAccessKey is missing or empty."),
            // Logins to Consul that are not by AWS.
            (json!({"AuthMethod": "jwt", "BearerToken": "a.b.c"}), "stsAccessKey is missing or empty."),
            (json!({"BearerToken": r#"{"presigned_url":"u""#}), "stsAccessKey is missing or empty."),
            (json!({"BearerToken": 7}), "stsAccessKey is missing or empty."),
        ] {
            assert_eq!(kind(&body), expected, "{body}");
        }
    }
}
