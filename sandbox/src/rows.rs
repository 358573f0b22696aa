//! The rows of the table. All credentials here are invented: no AWS account ever had them, and their names end in
//! EXAMPLE so that secret scanners leave them alone.

use std::time::Duration as Wait;

use http::StatusCode;
use time::Duration;

use super::{
    refusal::Refusal,
    table::{Alteration, Behaviour, Caller, Identity, Reply, Standing},
};

/// Real tokens are some 300 to 1500 characters of base64 and begin like this one.
const LONG_TOKEN: &str = concat!(
    "IQoJb3JpZ2luX2VjEXAMPLE//////////wEaCXVzLWVhc3QtMSJHMEUCIQDNotARealToken+NotARealToken/NotARealToken",
    "SandboxSession0+NotARealToken/KKKKKKKKKKKKKKKKKKKKKKKKKKKKKK/NotARealToken+kkkkkkkkkkkkkkkkkkkk/NotARealToken0",
    "SandboxSession1+NotARealToken/LLLLLLLLLLLLLLLLLLLLLLLLLLLLLL/NotARealToken+llllllllllllllllllll/NotARealToken0",
    "SandboxSession2+NotARealToken/MMMMMMMMMMMMMMMMMMMMMMMMMMMMMM/NotARealToken+mmmmmmmmmmmmmmmmmmmm/NotARealToken0",
    "SandboxSession3+NotARealToken/NNNNNNNNNNNNNNNNNNNNNNNNNNNNNN/NotARealToken+nnnnnnnnnnnnnnnnnnnn/NotARealToken0",
    "EXAMPLETOKEN==",
);

/// See [`super::table::table`].
pub(super) static CALLERS: &[Caller] = &[
    // Callers that STS names.
    Caller {
        access_key_id: "AKIASBXUSER00EXAMPLE",
        secret_access_key: "sbx/USER00+NotARealSecret/Key0EXAMPLEKEY",
        session_token: None,
        region: "us-east-1",
        what: "an IAM user, with a path",
        behaviour: Behaviour::Answers(Reply::Identity(Identity {
            arn: "arn:aws:iam::123456789012:user/division_abc/subdivision_xyz/Zhang@example.com-CLI",
            user_id: "AIDASBXUSER000EXAMPLE",
            account: "123456789012",
        })),
    },
    Caller {
        access_key_id: "ASIASBXROLE00EXAMPLE",
        secret_access_key: "sbx/ROLE00+NotARealSecret/Key0EXAMPLEKEY",
        session_token: Some(LONG_TOKEN),
        region: "us-east-1",
        what: "an assumed role, its token of a usual length",
        behaviour: Behaviour::Answers(Reply::Identity(Identity {
            arn: "arn:aws:sts::123456789012:assumed-role/SandboxRole/session-1",
            user_id: "AROASBXROLE000EXAMPLE:session-1",
            account: "123456789012",
        })),
    },
    Caller {
        access_key_id: "ASIASBXFEDERAEXAMPLE",
        secret_access_key: "sbx/FEDERA+NotARealSecret/Key0EXAMPLEKEY",
        session_token: Some("SandboxSession/FEDERA+NotARealToken/EXAMPLETOKEN=="),
        region: "us-east-1",
        what: "a federated user",
        behaviour: Behaviour::Answers(Reply::Identity(Identity {
            arn: "arn:aws:sts::123456789012:federated-user/Bob",
            user_id: "123456789012:Bob",
            account: "123456789012",
        })),
    },
    Caller {
        access_key_id: "AKIASBXROOT00EXAMPLE",
        secret_access_key: "sbx/ROOT00+NotARealSecret/Key0EXAMPLEKEY",
        session_token: None,
        region: "us-east-1",
        what: "the root user of an account",
        behaviour: Behaviour::Answers(Reply::Identity(Identity {
            arn: "arn:aws:iam::123456789012:root",
            user_id: "123456789012",
            account: "123456789012",
        })),
    },
    Caller {
        access_key_id: "AKIASBXCHINA0EXAMPLE",
        secret_access_key: "sbx/CHINA0+NotARealSecret/Key0EXAMPLEKEY",
        session_token: None,
        region: "cn-north-1",
        what: "an IAM user in China (aws-cn)",
        behaviour: Behaviour::Answers(Reply::Identity(Identity {
            arn: "arn:aws-cn:iam::111122223333:user/Li",
            user_id: "AIDASBXCHINA00EXAMPLE",
            account: "111122223333",
        })),
    },
    Caller {
        access_key_id: "ASIASBXGOVROLEXAMPLE",
        secret_access_key: "sbx/GOVROL+NotARealSecret/Key0EXAMPLEKEY",
        session_token: Some("SandboxSession/GOVROL+NotARealToken/EXAMPLETOKEN=="),
        region: "us-gov-west-1",
        what: "an assumed role in GovCloud (aws-us-gov)",
        behaviour: Behaviour::Answers(Reply::Identity(Identity {
            arn: "arn:aws-us-gov:sts::444455556666:assumed-role/SandboxRole/session-1",
            user_id: "AROASBXGOVROL0EXAMPLE:session-1",
            account: "444455556666",
        })),
    },
    Caller {
        access_key_id: "AKIASBXEUSC00EXAMPLE",
        secret_access_key: "sbx/EUSC00+NotARealSecret/Key0EXAMPLEKEY",
        session_token: None,
        region: "eusc-de-east-1",
        what: "an IAM user in the European Sovereign Cloud (aws-eusc)",
        behaviour: Behaviour::Answers(Reply::Identity(Identity {
            arn: "arn:aws-eusc:iam::777788889999:user/Anna",
            user_id: "AIDASBXEUSC000EXAMPLE",
            account: "777788889999",
        })),
    },
    // Refusals before the signature is looked at.
    Caller {
        access_key_id: "AKIASBXNOAUTHEXAMPLE",
        secret_access_key: "sbx/NOAUTH+NotARealSecret/Key0EXAMPLEKEY",
        session_token: None,
        region: "us-east-1",
        what: "MissingAuthenticationToken: Authorization lost on the way",
        behaviour: Behaviour::Altered(Alteration::Unsigned),
    },
    Caller {
        access_key_id: "AKIASBXMANGLEEXAMPLE",
        secret_access_key: "sbx/MANGLE+NotARealSecret/Key0EXAMPLEKEY",
        session_token: None,
        region: "us-east-1",
        what: "IncompleteSignature: Authorization mangled on the way",
        behaviour: Behaviour::Altered(Alteration::Mangled),
    },
    Caller {
        access_key_id: "AKIASBXBEHINDEXAMPLE",
        secret_access_key: "sbx/BEHIND+NotARealSecret/Key0EXAMPLEKEY",
        session_token: None,
        region: "us-east-1",
        what: "SignatureDoesNotMatch: the client's clock an hour slow",
        behaviour: Behaviour::ClockAhead(Duration::HOUR),
    },
    Caller {
        access_key_id: "AKIASBXAHEAD0EXAMPLE",
        secret_access_key: "sbx/AHEAD0+NotARealSecret/Key0EXAMPLEKEY",
        session_token: None,
        region: "us-east-1",
        what: "SignatureDoesNotMatch: the client's clock an hour fast",
        behaviour: Behaviour::ClockAhead(Duration::hours(-1)),
    },
    Caller {
        access_key_id: "AKIASBXREGIONEXAMPLE",
        secret_access_key: "sbx/REGION+NotARealSecret/Key0EXAMPLEKEY",
        session_token: None,
        region: "us-east-1",
        what: "SignatureDoesNotMatch: signed for no valid region",
        behaviour: Behaviour::Altered(Alteration::OtherRegion),
    },
    Caller {
        access_key_id: "AKIASBXDELETEEXAMPLE",
        secret_access_key: "sbx/DELETE+NotARealSecret/Key0EXAMPLEKEY",
        session_token: None,
        region: "us-east-1",
        what: "InvalidClientTokenId: a deleted key",
        behaviour: Behaviour::Key(Standing::Deleted),
    },
    Caller {
        access_key_id: "AKIASBXAWAY00EXAMPLE",
        secret_access_key: "sbx/AWAY00+NotARealSecret/Key0EXAMPLEKEY",
        session_token: None,
        region: "us-east-1",
        what: "InvalidClientTokenId without a dot: not known in the region",
        behaviour: Behaviour::Key(Standing::Elsewhere),
    },
    Caller {
        access_key_id: "ASIASBXEXPIREEXAMPLE",
        secret_access_key: "sbx/EXPIRE+NotARealSecret/Key0EXAMPLEKEY",
        session_token: Some("SandboxSession/EXPIRE+NotARealToken/EXAMPLETOKEN=="),
        region: "us-east-1",
        what: "ExpiredToken: a session that is over",
        behaviour: Behaviour::Key(Standing::Expired),
    },
    // Refusals of a request that is signed well.
    Caller {
        access_key_id: "AKIASBXDENIEDEXAMPLE",
        secret_access_key: "sbx/DENIED+NotARealSecret/Key0EXAMPLEKEY",
        session_token: None,
        region: "us-east-1",
        what: "AccessDenied: by the policy of a VPC endpoint",
        behaviour: Behaviour::Answers(Reply::Refusal(Refusal::fixed(
            StatusCode::FORBIDDEN,
            "AccessDenied",
            "User: arn:aws:iam::123456789012:user/sandbox/denied is not authorized to perform: sts:GetCallerIdentity \
             because no VPC endpoint policy allows the sts:GetCallerIdentity action",
        ))),
    },
    Caller {
        access_key_id: "AKIASBXREQOLDEXAMPLE",
        secret_access_key: "sbx/REQOLD+NotARealSecret/Key0EXAMPLEKEY",
        session_token: None,
        region: "us-east-1",
        what: "RequestExpired, status 400",
        behaviour: Behaviour::Answers(Reply::Refusal(Refusal::fixed(
            StatusCode::BAD_REQUEST,
            "RequestExpired",
            "Request has expired.",
        ))),
    },
    Caller {
        access_key_id: "AKIASBXOPTOUTEXAMPLE",
        secret_access_key: "sbx/OPTOUT+NotARealSecret/Key0EXAMPLEKEY",
        session_token: None,
        region: "us-east-1",
        what: "RegionDisabledException: STS not active in the region",
        behaviour: Behaviour::Answers(Reply::Refusal(Refusal::fixed(
            StatusCode::FORBIDDEN,
            "RegionDisabledException",
            "STS is not activated in this region for account:123456789012. \
             Your account administrator can activate STS in this region using the IAM Console.",
        ))),
    },
    Caller {
        access_key_id: "AKIASBXTHROTLEXAMPLE",
        secret_access_key: "sbx/THROTL+NotARealSecret/Key0EXAMPLEKEY",
        session_token: None,
        region: "us-east-1",
        what: "Throttling, status 400, always",
        behaviour: Behaviour::Answers(Reply::Refusal(Refusal::fixed(
            StatusCode::BAD_REQUEST,
            "Throttling",
            "Rate exceeded",
        ))),
    },
    Caller {
        access_key_id: "AKIASBXERR500EXAMPLE",
        secret_access_key: "sbx/ERR500+NotARealSecret/Key0EXAMPLEKEY",
        session_token: None,
        region: "us-east-1",
        what: "InternalFailure, status 500, always",
        behaviour: Behaviour::Answers(Reply::Refusal(Refusal::fixed(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalFailure",
            "The request processing has failed because of an unknown error, exception or failure.",
        ))),
    },
    Caller {
        access_key_id: "AKIASBXERR503EXAMPLE",
        secret_access_key: "sbx/ERR503+NotARealSecret/Key0EXAMPLEKEY",
        session_token: None,
        region: "us-east-1",
        what: "ServiceUnavailable, status 503, always",
        behaviour: Behaviour::Answers(Reply::Refusal(Refusal::fixed(
            StatusCode::SERVICE_UNAVAILABLE,
            "ServiceUnavailable",
            "The request has failed due to a temporary failure of the server.",
        ))),
    },
    // No answer of STS's, or not at once.
    Caller {
        access_key_id: "AKIASBXFLAKY0EXAMPLE",
        secret_access_key: "sbx/FLAKY0+NotARealSecret/Key0EXAMPLEKEY",
        session_token: None,
        region: "us-east-1",
        what: "two InternalFailures, then good, again and again",
        behaviour: Behaviour::Answers(Reply::Flaky(Identity {
            arn: "arn:aws:iam::123456789012:user/sandbox/flaky",
            user_id: "AIDASBXFLAKY00EXAMPLE",
            account: "123456789012",
        })),
    },
    Caller {
        access_key_id: "AKIASBXSLOW00EXAMPLE",
        secret_access_key: "sbx/SLOW00+NotARealSecret/Key0EXAMPLEKEY",
        session_token: None,
        region: "us-east-1",
        what: "good, after three seconds",
        behaviour: Behaviour::Answers(Reply::Slow(
            Wait::from_secs(3),
            Identity {
                arn: "arn:aws:iam::123456789012:user/sandbox/slow",
                user_id: "AIDASBXSLOW000EXAMPLE",
                account: "123456789012",
            },
        )),
    },
    Caller {
        access_key_id: "AKIASBXSILENTEXAMPLE",
        secret_access_key: "sbx/SILENT+NotARealSecret/Key0EXAMPLEKEY",
        session_token: None,
        region: "us-east-1",
        what: "never an answer, the connection stays open",
        behaviour: Behaviour::Answers(Reply::Silence),
    },
    Caller {
        access_key_id: "AKIASBXHANGUPEXAMPLE",
        secret_access_key: "sbx/HANGUP+NotARealSecret/Key0EXAMPLEKEY",
        session_token: None,
        region: "us-east-1",
        what: "the connection closed without an answer",
        behaviour: Behaviour::Answers(Reply::HangUp),
    },
    Caller {
        access_key_id: "AKIASBXEMPTY0EXAMPLE",
        secret_access_key: "sbx/EMPTY0+NotARealSecret/Key0EXAMPLEKEY",
        session_token: None,
        region: "us-east-1",
        what: "503 with an empty body, as from a load balancer",
        behaviour: Behaviour::Answers(Reply::EmptyUnavailable),
    },
    Caller {
        access_key_id: "AKIASBXPROXY0EXAMPLE",
        secret_access_key: "sbx/PROXY0+NotARealSecret/Key0EXAMPLEKEY",
        session_token: None,
        region: "us-east-1",
        what: "200 with HTML, as from a proxy's sign-in page",
        behaviour: Behaviour::Answers(Reply::ProxyPage),
    },
    Caller {
        access_key_id: "AKIASBXCUT200EXAMPLE",
        secret_access_key: "sbx/CUT200+NotARealSecret/Key0EXAMPLEKEY",
        session_token: None,
        region: "us-east-1",
        what: "200 whose XML stops in the middle",
        behaviour: Behaviour::Answers(Reply::CutShort(Identity {
            arn: "arn:aws:iam::123456789012:user/sandbox/cut",
            user_id: "AIDASBXCUT2000EXAMPLE",
            account: "123456789012",
        })),
    },
];
