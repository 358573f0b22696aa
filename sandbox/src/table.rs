//! The sandbox's own callers, for first steps and demonstrations. All credentials here are invented: no AWS
//! account ever had them, and they end in EXAMPLE so that secret scanners ignore them.

use std::{fmt::Write as _, time::Duration};

use serde_json::json;

use crate::{
    caller::{Behaviour, Caller},
    error::StsError,
};

const ACCOUNT: &str = "123456789012";
const ORGANIZATION: &str = "o-abc1234567";
const FUNCTION: &str = "arn:aws:lambda:us-east-1:123456789012:function:sandbox";
const INSTANCE: &str = "arn:aws-us-gov:ec2:us-gov-west-1:444455556666:instance/i-0123456789abcdef0";
const HOUR: Duration = Duration::from_hours(1);

/// Real tokens are some 300 to 1500 characters of base64 and begin like this one.
const LONG_TOKEN: &str = concat!(
    "IQoJb3JpZ2luX2VjEXAMPLE//////////wEaCXVzLWVhc3QtMSJHMEUCIQDNotARealToken+NotARealToken/NotARealToken",
    "SandboxSession0+NotARealToken/KKKKKKKKKKKKKKKKKKKKKKKKKKKKKK/NotARealToken+kkkkkkkkkkkkkkkkkkkk/NotARealToken0",
    "SandboxSession1+NotARealToken/LLLLLLLLLLLLLLLLLLLLLLLLLLLLLL/NotARealToken+llllllllllllllllllll/NotARealToken0",
    "SandboxSession2+NotARealToken/MMMMMMMMMMMMMMMMMMMMMMMMMMMMMM/NotARealToken+mmmmmmmmmmmmmmmmmmmm/NotARealToken0",
    "SandboxSession3+NotARealToken/NNNNNNNNNNNNNNNNNNNNNNNNNNNNNN/NotARealToken+nnnnnnnnnnnnnnnnnnnn/NotARealToken0",
    "EXAMPLETOKEN==",
);

/// The sandbox's own callers: one for each kind of principal, partition, error and failure.
///
/// `sts-verify sandbox` and `sts-verify serve --sandbox` have these callers. Any other sandbox can have them,
/// too: `Sandbox::builder().callers(table())`.
#[must_use]
pub fn table() -> Vec<Caller> {
    [
        valid(),
        valid_in_other_partitions(),
        valid_without_tokens(),
        rejected_before_the_signature(),
        rejected_after_the_signature(),
        failing(),
    ]
    .concat()
}

/// Callers that STS names.
fn valid() -> Vec<Caller> {
    vec![
        row(
            "USER00",
            "an IAM user, with a path",
            Caller::user(ACCOUNT, "division_abc/subdivision_xyz/Zhang@example.com-CLI"),
        )
        .with_token_claim("org_id", ORGANIZATION)
        .with_token_claim("ou_path", json!([format!("{ORGANIZATION}/r-ab12/ou-ab12-11111111/")]))
        .with_token_claim("principal_tags", json!({"team": "platform"})),
        row(
            "ROLE00",
            "an assumed role, its token of a usual length",
            Caller::role(ACCOUNT, "service-role/SandboxRole", "session-1"),
        )
        .with_session_token(LONG_TOKEN)
        .with_token_claim("org_id", ORGANIZATION)
        .with_token_claim("ou_path", json!([format!("{ORGANIZATION}/r-ab12/ou-ab12-22222222/")]))
        .with_token_claim("principal_tags", json!({"environment": "production"}))
        .with_token_claim("lambda_source_function_arn", FUNCTION)
        .with_token_claim("source_identity", "Zhang@example.com"),
        row("FEDERA", "a federated user", Caller::federated_user(ACCOUNT, "Bob")),
        row("ROOT00", "the root user of an account", Caller::root(ACCOUNT)),
    ]
}

/// Callers in other partitions that STS names.
fn valid_in_other_partitions() -> Vec<Caller> {
    vec![
        row("CHINA0", "an IAM user in China (aws-cn)", Caller::user("111122223333", "Li"))
            .in_region("cn-north-1"),
        row(
            "CHIROL",
            "an assumed role in China (aws-cn)",
            Caller::role("111122223333", "SandboxRole", "session-1"),
        )
        .in_region("cn-north-1"),
        row("GOVUSR", "an IAM user in GovCloud (aws-us-gov)", Caller::user("444455556666", "Grace"))
            .in_region("us-gov-west-1"),
        row(
            "GOVROL",
            "an assumed role in GovCloud (aws-us-gov)",
            Caller::role("444455556666", "SandboxRole", "session-1"),
        )
        .in_region("us-gov-west-1")
        .with_token_claim("ec2_source_instance_arn", INSTANCE)
        .with_token_claim("ec2_instance_source_vpc", "vpc-0123456789abcdef0")
        .with_token_claim("ec2_instance_source_private_ipv4", "10.0.1.25")
        .with_token_claim("ec2_role_delivery", "2"),
        row(
            "EUSC00",
            "an IAM user in the European Sovereign Cloud (aws-eusc)",
            Caller::user("777788889999", "Anna"),
        )
        .in_region("eusc-de-east-1"),
        row(
            "EUSROL",
            "an assumed role in the European Sovereign Cloud (aws-eusc)",
            Caller::role("777788889999", "SandboxRole", "session-1"),
        )
        .in_region("eusc-de-east-1"),
    ]
}

/// Callers that STS names, and that get no web identity token, or an expired one.
fn valid_without_tokens() -> Vec<Caller> {
    vec![
        row(
            "NOJWT0",
            "good, but its account has web identity tokens switched off",
            Caller::user(ACCOUNT, "sandbox/no-tokens").behaving(Behaviour::FederationDisabled),
        ),
        row(
            "OLDJWT",
            "good, but the web identity tokens it gets have expired",
            Caller::user(ACCOUNT, "sandbox/old-tokens").behaving(Behaviour::TokensExpired),
        ),
    ]
}

/// Callers that STS rejects before it checks the signature.
fn rejected_before_the_signature() -> Vec<Caller> {
    let expired = Caller::role(ACCOUNT, "SandboxRole", "expired").behaving(Behaviour::Expired);
    vec![
        odd("NOAUTH", "MissingAuthenticationToken: Authorization lost on the way", Behaviour::SignatureLost),
        odd("MANGLE", "IncompleteSignature: Authorization mangled on the way", Behaviour::SignatureMangled),
        odd("BEHIND", "SignatureDoesNotMatch: the client's clock an hour slow", Behaviour::ClockAhead(HOUR)),
        odd("AHEAD0", "SignatureDoesNotMatch: the client's clock an hour fast", Behaviour::ClockBehind(HOUR)),
        odd("REGION", "SignatureDoesNotMatch: signed for no valid region", Behaviour::OtherRegion),
        odd("DELETE", "InvalidClientTokenId: a deleted key", Behaviour::Deleted),
        odd(
            "AWAY00",
            "InvalidClientTokenId without a dot: not known in the region",
            Behaviour::UnknownInRegion,
        ),
        row("EXPIRE", "ExpiredToken: a session that is over", expired),
    ]
}

/// Callers that STS rejects although their signature is valid.
fn rejected_after_the_signature() -> Vec<Caller> {
    let rejected = |label, description, status, code, message| {
        odd(label, description, Behaviour::Error(StsError::new(status, code, message)))
    };
    vec![
        rejected(
            "DENIED",
            "AccessDenied: by the policy of a VPC endpoint",
            403,
            "AccessDenied",
            "User: arn:aws:iam::123456789012:user/sandbox/denied is not authorized to perform: sts:GetCallerIdentity \
             because no VPC endpoint policy allows the sts:GetCallerIdentity action",
        ),
        rejected("REQOLD", "RequestExpired, status 400", 400, "RequestExpired", "Request has expired."),
        rejected(
            "OPTOUT",
            "RegionDisabledException: STS not active in the region",
            403,
            "RegionDisabledException",
            "STS is not activated in this region for account:123456789012. \
             Your account administrator can activate STS in this region using the IAM Console.",
        ),
        odd("THROTL", "Throttling, status 400, always", Behaviour::Error(StsError::throttling())),
        rejected(
            "ERR500",
            "InternalFailure, status 500, always",
            500,
            "InternalFailure",
            "The request processing has failed because of an unknown error, exception or failure.",
        ),
        rejected(
            "ERR503",
            "ServiceUnavailable, status 503, always",
            503,
            "ServiceUnavailable",
            "The request has failed due to a temporary failure of the server.",
        ),
    ]
}

/// Callers that get a response late, sometimes, or not at all, or one that is not from STS.
fn failing() -> Vec<Caller> {
    vec![
        row(
            "FLAKY0",
            "two InternalFailures, then good, again and again",
            Caller::user(ACCOUNT, "sandbox/flaky").behaving(Behaviour::FailsTwice),
        ),
        row(
            "SLOW00",
            "good, after three seconds",
            Caller::user(ACCOUNT, "sandbox/slow").behaving(Behaviour::Slow(Duration::from_secs(3))),
        ),
        odd("SILENT", "never an answer, the connection stays open", Behaviour::Silent),
        odd("HANGUP", "the connection closed without an answer", Behaviour::HangUp),
        odd("EMPTY0", "503 with an empty body, as from a load balancer", Behaviour::EmptyUnavailable),
        odd("PROXY0", "200 with HTML, as from a proxy's sign-in page", Behaviour::ProxyPage),
        row(
            "CUT200",
            "200 whose XML stops in the middle",
            Caller::user(ACCOUNT, "sandbox/cut").behaving(Behaviour::CutShort),
        ),
    ]
}

/// A row whose credentials and IDs all contain its six characters.
fn row(label: &str, description: &str, caller: Caller) -> Caller {
    let session = caller.session_token.is_some();
    let (key, id) = if session { ("ASIA", "AROA") } else { ("AKIA", "AIDA") };
    let caller = caller
        .with_credentials(
            format!("{key}SBX{label}EXAMPLE"),
            format!("sbx/{label}+NotARealSecret/Key0EXAMPLEKEY"),
        )
        .with_unique_id(format!("{id}SBX{label}0EXAMPLE"))
        .described_as(description);
    if session {
        caller.with_session_token(format!("SandboxSession/{label}+NotARealToken/EXAMPLETOKEN=="))
    } else {
        caller
    }
}

/// A row of a user whom STS names only if a client compensates the behaviour, for example by setting its clock
/// to the sandbox's.
fn odd(label: &str, description: &str, behaviour: Behaviour) -> Caller {
    row(label, description, Caller::user(ACCOUNT, "sandbox/anyone"))
        .with_unique_id("AIDASBXANYONE0EXAMPLE")
        .behaving(behaviour)
}

/// The callers as text: one line for each, then the session tokens, which are too long for a column.
#[must_use]
pub fn render_table(callers: &[Caller]) -> String {
    let mut text = format!("{:<20}  {:<40}  {:<14}  shows\n", "access key id", "secret access key", "region");
    for Caller { access_key_id, secret_access_key, region, description, .. } in callers {
        // Writing to a String cannot fail.
        _ = writeln!(text, "{access_key_id}  {secret_access_key}  {region:<14}  {description}");
    }
    text.push_str("\nKeys that begin with ASIA need their session token:\n\n");
    for caller in callers {
        if let Some(token) = &caller.session_token {
            _ = writeln!(text, "{}  {token}", caller.access_key_id);
        }
    }
    text.push_str(
        "\nAny row with another secret answers SignatureDoesNotMatch; an ASIA row without its token, or with another's,\n\
         and any key that is not in the table, InvalidClientTokenId; a row asked in another partition the same, but\n\
         without the dot at the end of its message.\n",
    );
    text
}
