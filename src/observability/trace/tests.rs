//! Trace headers, valid and invalid.

use super::*;
use http::HeaderValue;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";
const ROOT: &str = "Root=1-67891233-abcdef012345678912345678";

fn origin(headers: &[(&'static str, &str)]) -> Origin {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    Origin::of(&map)
}

/// Whether a new trace was made.
fn is_new(origin: &Origin) -> bool {
    let id = origin.trace_id.to_string();
    let given = [TRACE, "67891233abcdef012345678912345678", "abcdef", "ABCDEF"];
    origin.parent.is_none() && origin.sampled.is_none() && !given.iter().any(|part| id.contains(part))
}

#[test]
fn a_traceparent_is_used() {
    for (flags, sampled) in [("00", false), ("01", true), ("02", false), ("03", true), ("ff", true)] {
        let origin = origin(&[("traceparent", &format!("00-{TRACE}-{PARENT}-{flags}"))]);
        assert_eq!(origin.trace_id.to_string(), TRACE);
        assert_eq!(origin.parent.unwrap().to_string(), PARENT);
        assert_eq!(origin.sampled, Some(sampled), "{flags}");
    }
}

#[test]
fn a_later_version_is_read_as_far_as_it_is_known() {
    for rest in ["01", "01-", "01-what-the-future-will-be-like"] {
        let origin = origin(&[("traceparent", &format!("cc-{TRACE}-{PARENT}-{rest}"))]);
        assert_eq!((origin.trace_id.to_string().as_str(), origin.sampled), (TRACE, Some(true)), "{rest}");
    }
}

#[test]
fn a_malformed_traceparent_is_ignored() {
    let (zeros, short) = ("0".repeat(32), &TRACE[1..]);
    for text in [
        "",
        "00",
        &format!("ff-{TRACE}-{PARENT}-01"),
        &format!("0-{TRACE}-{PARENT}-01"),
        &format!("0g-{TRACE}-{PARENT}-01"),
        &format!("00-{zeros}-{PARENT}-01"),
        &format!("00-{TRACE}-0000000000000000-01"),
        &format!("00-{short}-{PARENT}-01"),
        &format!("00-{TRACE}0-{PARENT}-01"),
        &format!("00-{}-{PARENT}-01", TRACE.to_uppercase()),
        &format!("00-{TRACE}-{}-01", PARENT.to_uppercase()),
        &format!("00-{TRACE}-{PARENT}"),
        &format!("00-{TRACE}-{PARENT}-1"),
        &format!("00-{TRACE}-{PARENT}-0x"),
        &format!("00-{TRACE}-{PARENT}-01-"),
        &format!("00-{TRACE}-{PARENT}-01-more"),
        &format!("cc-{TRACE}-{PARENT}-01.more"),
        &format!("00_{TRACE}_{PARENT}_01"),
        &format!("00-+{short}-{PARENT}-01"),
        "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-01",
    ] {
        assert!(is_new(&origin(&[("traceparent", text)])), "{text}");
        // Its tracestate is ignored, too.
        assert_eq!(origin(&[("traceparent", text), ("tracestate", "a=b")]).state, TraceState::default());
    }
}

#[test]
fn two_traceparents_are_ignored() {
    let good = format!("00-{TRACE}-{PARENT}-01");
    assert!(is_new(&origin(&[("traceparent", &good), ("traceparent", &good)])));
}

#[test]
fn tracestates_are_joined_in_their_order_or_dropped() {
    let parent = ("traceparent", &*format!("00-{TRACE}-{PARENT}-01"));
    let state = |states: &[&str]| {
        let headers: Vec<_> =
            std::iter::once(parent).chain(states.iter().map(|s| ("tracestate", *s))).collect();
        origin(&headers).state.header()
    };
    assert_eq!(state(&["rojo=1,congo=2", "x@y=3"]), "rojo=1,congo=2,x@y=3");
    assert_eq!(state(&[]), "");
    for bad in ["no-equals-sign", "UPPER=1", "a=1,b"] {
        assert_eq!(state(&[bad]), "", "{bad}");
    }
    assert_eq!(state(&[&format!("a={}", "b".repeat(511))]), "");
}

#[test]
fn a_load_balancer_s_trace_is_used() {
    for text in [
        ROOT,
        &format!("Self=1-67891234-12456789abcdef012345678;{ROOT}"),
        &format!("{ROOT};CalledFrom=app"),
        &format!("Lineage=a87bd80c:1|68fd508a:5;{ROOT}"),
    ] {
        let origin = origin(&[("x-amzn-trace-id", text)]);
        assert_eq!(origin.trace_id.to_string(), "67891233abcdef012345678912345678", "{text}");
        assert_eq!((origin.parent, origin.sampled), (None, None), "{text}");
    }
}

#[test]
fn the_parent_and_the_decision_of_x_ray_are_used() {
    for (sampled, decision) in [("1", Some(true)), ("0", Some(false)), ("?", None), ("yes", None)] {
        let text = format!("{ROOT};Parent=53995c3f42cd8ad8;Sampled={sampled}");
        let origin = origin(&[("x-amzn-trace-id", &text)]);
        assert_eq!(origin.parent.unwrap().to_string(), "53995c3f42cd8ad8");
        assert_eq!(origin.sampled, decision, "{text}");
    }
    let origin = origin(&[("x-amzn-trace-id", &format!("{ROOT}; Sampled=0; Parent=0000000000000000"))]);
    assert_eq!((origin.parent, origin.sampled), (None, Some(false)));
}

#[test]
fn a_malformed_trace_of_a_load_balancer_is_ignored() {
    for text in [
        "",
        "Root=",
        "Self=1-67891233-abcdef012345678912345678",
        "root=1-67891233-abcdef012345678912345678",
        "Root=2-67891233-abcdef012345678912345678",
        "Root=1-67891233-abcdef01234567891234567",
        "Root=1-6789123-abcdef0123456789123456789",
        "Root=1-67891233abcdef012345678912345678",
        "Root=1-67891233-ABCDEF012345678912345678",
        "Root=1-00000000-000000000000000000000000",
        "Root=1-67891233-abcdef012345678912345678-1",
    ] {
        assert!(is_new(&origin(&[("x-amzn-trace-id", text)])), "{text}");
    }
    assert!(is_new(&origin(&[("x-amzn-trace-id", ROOT), ("x-amzn-trace-id", ROOT)])));
}

#[test]
fn a_good_traceparent_takes_precedence_over_a_load_balancer_s_trace_and_a_bad_one_does_not() {
    let good = format!("00-{TRACE}-{PARENT}-01");
    let both =
        |parent: &str| origin(&[("x-amzn-trace-id", ROOT), ("traceparent", parent)]).trace_id.to_string();
    assert_eq!(both(&good), TRACE);
    assert_eq!(both("nonsense"), "67891233abcdef012345678912345678");
}

#[test]
fn without_headers_every_request_has_a_trace_of_its_own() {
    let ids: std::collections::HashSet<_> = (0..1000).map(|_| origin(&[]).trace_id.to_string()).collect();
    assert_eq!(ids.len(), 1000);
    assert!(ids.iter().all(|id| id.len() == 32));
}
