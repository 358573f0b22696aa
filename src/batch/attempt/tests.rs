//! How attempts are classified and combined: throttling, failures, and several partitions.

use super::*;

fn attempt(verdict: Verdict, code: &str, kind: AttemptKind) -> Attempt {
    Attempt { answer: Answer { verdict, ..indeterminate(Some(code.to_owned()), None) }, kind }
}

#[test]
fn several_partitions_make_one_answer() {
    use AttemptKind::{Failed, Final, UnknownKey};
    let valid = || attempt(Verdict::Valid, "", Final);
    let dotted = || attempt(Verdict::Invalid, "dotted", UnknownKey { dot: true });
    let dotless = || attempt(Verdict::Indeterminate, "dotless", UnknownKey { dot: false });
    let silent = || attempt(Verdict::Indeterminate, "silent", Failed);
    let expired = || attempt(Verdict::Invalid, "expired", Final);
    for (heard, verdict, code) in [
        (vec![dotted(), valid()], Verdict::Valid, ""),
        (vec![silent(), valid()], Verdict::Valid, ""),
        (vec![dotless(), dotted(), dotted()], Verdict::Invalid, "dotted"),
        (vec![dotless(), expired()], Verdict::Invalid, "expired"),
        (vec![dotted(), silent(), dotless()], Verdict::Indeterminate, "silent"),
        (vec![silent(), expired()], Verdict::Indeterminate, "silent"),
        (vec![dotless(), dotless()], Verdict::Indeterminate, "dotless"),
    ] {
        let answer = combine(heard);
        assert_eq!((answer.verdict, answer.error_code.as_deref()), (verdict, Some(code)));
    }
}

#[test]
fn throttling_is_distinguished_from_other_failures() {
    let rejection = |status: u16, code: &str| Rejection {
        code: code.to_owned(),
        message: None,
        status,
        request_id: None,
        verdict: crate::sts::Verdict::Indeterminate,
    };
    for (status, code, kind) in [
        (400, "BandwidthLimitExceeded", AttemptKind::Throttled),
        (403, "RequestLimitExceeded", AttemptKind::Throttled),
        (503, "RequestThrottled", AttemptKind::Throttled),
        (500, "LimitExceededException", AttemptKind::Throttled),
        (429, "429", AttemptKind::Throttled),
        (400, "RequestTimeout", AttemptKind::Failed),
        (408, "RequestTimeoutException", AttemptKind::Failed),
        (400, "IDPCommunicationError", AttemptKind::Failed),
        (503, "503", AttemptKind::Failed),
        (403, "AccessDenied", AttemptKind::Final),
    ] {
        assert_eq!(kind_of(&rejection(status, code)), kind, "{status} {code}");
    }
    for (status, well_formed, code, kind) in [
        (429, false, None, AttemptKind::Throttled),
        (429, true, None, AttemptKind::Throttled),
        (400, true, Some("Throttling"), AttemptKind::Throttled),
        (503, true, Some("SlowDown"), AttemptKind::Throttled),
        (503, true, None, AttemptKind::Failed),
        (503, false, None, AttemptKind::Final),
        (200, true, Some("RequestTimeout"), AttemptKind::Final),
    ] {
        let endpoint = crate::sts::Endpoint::new("http://sts.example");
        let failure = StsFailure::NotSts { endpoint, status, well_formed, code: code.map(str::to_owned) };
        assert_eq!(failed(&failure).kind, kind, "{status} {well_formed} {code:?}");
    }
}

#[test]
fn every_partition_has_a_default_region_of_its_own() {
    for partition in PARTITIONS {
        let region = GLOBAL_REGIONS.iter().find(|(name, _)| *name == partition.name).unwrap().1;
        assert!(partition.regions.contains(&region), "{region}");
    }
}
