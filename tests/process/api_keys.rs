//! API keys, from `sts-verify api-key` to the log line: the file, invalid files, SIGHUP.

use crate::program::{Scratch, Service, run};
use crate::stub::{Stub, identity};
use reqwest::Response;
use serde_json::json;

/// Runs `sts-verify api-key` and returns the key and its digest line.
pub async fn new_key(arguments: &[&str]) -> (String, String) {
    let end = run(&[&["api-key"], arguments].concat(), &[]).await;
    assert_eq!((end.code, end.stderr.len()), (Some(0), 0), "{end:?}");
    let values: Vec<_> = end.stdout.iter().filter(|line| !line.starts_with('#')).collect();
    let [key, line] = values[..] else { panic!("a key and a line: {}", values.len()) };
    (key.clone(), line.clone())
}

pub async fn ask(service: &Service, key: &str) -> Response {
    let body = json!({"stsAccessKey": "AKIAIOSFODNN7EXAMPLE", "stsSecretKey": "wJalrXUtnFEMI"});
    service.request(&body).bearer_auth(key).send().await.unwrap()
}

#[tokio::test]
async fn a_new_key_is_random_can_be_found_by_scanners_and_comes_with_its_digest() {
    let (key, line) = new_key(&["team-a"]).await;
    let (other, nameless) = new_key(&[]).await;
    assert_ne!(key, other);
    for key in [&key, &other] {
        let random = key.strip_prefix("stsv_").unwrap();
        assert!(random.len() == 64 && random.bytes().all(|b| b"0123456789abcdef".contains(&b)));
    }
    assert!(line.starts_with("sha256:") && line.ends_with(" team-a"), "{line}");
    assert_eq!(nameless.len(), "sha256:".len() + 64, "{nameless}");
    for bad in ["two words", "", "stsv_1", "line\nline", &"x".repeat(65)] {
        let end = run(&["api-key", bad], &[]).await;
        assert_eq!((end.code, end.stdout.len(), end.stderr.len()), (Some(64), 0, 1), "{end:?}");
    }
}

#[tokio::test]
async fn sighup_loads_new_keys_and_removes_old_ones() {
    let (files, stub) = (Scratch::new("rotation"), Stub::always(identity()).await);
    let ((old, old_line), (new, new_line)) = (new_key(&["old"]).await, new_key(&[]).await);
    let file = files.file("keys", &format!("{old_line}\n"));
    let talkative = ("STS_VERIFY_LOG", "trace");
    let service = Service::asking(&stub.url, &[("STS_VERIFY_API_KEYS_FILE", &file), talkative]).await;
    let statuses =
        async || (ask(&service, &old).await.status().as_u16(), ask(&service, &new).await.status().as_u16());
    let mut again = 0;
    assert_eq!(statuses().await, (200, 401));
    for (content, expected) in
        [(format!("{old_line}\n{new_line}\n"), (200, 200)), (format!("# rotated\n{new_line}\n"), (401, 200))]
    {
        files.file("keys", &content);
        service.program.signal("HUP");
        again += 1;
        let lines = service.program.lines(again, |line| line.contains("\"reloaded\"")).await;
        assert!(lines[again - 1].contains("\"file\":\"api_keys\""), "{lines:?}");
        assert_eq!(statuses().await, expected);
    }
    let named = service.program.lines(6, |line| line.contains("\"request\"")).await;
    assert!(named[0].contains("\"api_key\":\"old\""), "{named:?}");
    assert!(!named[1].contains("\"api_key\""), "{named:?}");
    let start_of_digest = format!("\"api_key\":\"{}\"", &new_line[.."sha256:".len() + 8]);
    assert!(named[3].contains(&start_of_digest), "{named:?}");
    let end = service.stop().await;
    assert!(end.stdout.iter().all(|line| !line.contains("stsv_")), "{end:?}");
}

#[tokio::test]
async fn an_invalid_key_file_leaves_the_old_keys_in_use_and_is_logged_and_counted() {
    let (files, stub) = (Scratch::new("went-bad"), Stub::always(identity()).await);
    let (key, line) = new_key(&[]).await;
    let file = files.file("keys", &line);
    let service = Service::asking(&stub.url, &[("STS_VERIFY_API_KEYS_FILE", &file)]).await;
    for (count, content) in ["", "zqxj\n", &format!("{line}\n{key}\n")].iter().enumerate() {
        files.file("keys", content);
        service.program.signal("HUP");
        let errors = service.program.lines(count + 1, |line| line.contains("\"ERROR\"")).await;
        let error = &errors[count];
        assert!(error.contains("STS_VERIFY_API_KEYS_FILE") && error.contains("\"api_keys\""), "{error}");
        assert!(!error.contains("zqxj") && !error.contains("stsv_"), "{error}");
        assert_eq!(ask(&service, &key).await.status(), 200);
        assert_eq!(ask(&service, "stsv_").await.status(), 401);
    }
    let figures = service.get("/metrics").await.text().await.unwrap();
    assert!(figures.contains("sts_verify_reload_failures_total{file=\"api_keys\"} 3\n"), "{figures}");
    assert!(!figures.contains("{file=\"tls\"}"), "{figures}");
}

#[tokio::test]
async fn sighup_without_any_file_has_no_effect() {
    let service = Service::with_arguments(&["serve", "--sandbox"], &[]).await;
    service.program.signal("HUP");
    service.program.line(|line| line.contains("no file to reload")).await;
    assert_eq!(service.get("/livez").await.status(), 200);
}

#[tokio::test]
async fn a_file_that_cannot_be_used_keeps_the_service_from_starting() {
    let files = Scratch::new("unusable-keys");
    let (key, line) = new_key(&[]).await;
    for (file, says) in [
        (files.path("missing"), "cannot be read"),
        (files.path(""), "cannot be read"),
        (files.file("empty", ""), "no digest"),
        (files.file("comments", "# one\n\n  # two\n"), "no digest"),
        (files.file("short", &format!("# one\n\n{line}\n{}", &line[..line.len() - 1])), "line 4 "),
        (files.file("key", &format!("{line}\n{key}\n")), "line 2 "),
        (files.file("key-as-name", &format!("{line} {key}\n")), "line 1 "),
        (files.file("text", "zqxj"), "line 1 "),
    ] {
        let variables = [("STS_VERIFY_API_KEYS_FILE", file.as_str())];
        let end = run(&["serve", "--sandbox", "--listen=127.0.0.1:0"], &variables).await;
        assert_eq!((end.code, end.stdout.len(), end.stderr.len()), (Some(64), 0, 1), "{end:?}");
        let error = &end.stderr[0];
        assert!(error.contains("STS_VERIFY_API_KEYS_FILE: ") && error.contains(says), "{end:?}");
        let repeated =
            ["stsv_", "zqxj", &line[10..30], file.as_str()].iter().any(|text| error.contains(text));
        assert!(!repeated, "{end:?}");
    }
}

#[tokio::test]
async fn digests_in_the_variable_work_like_those_in_a_file() {
    let stub = Stub::always(identity()).await;
    let ((one, one_line), (other, other_line)) = (new_key(&["one"]).await, new_key(&[]).await);
    let (none, _) = new_key(&[]).await;
    // Including lines that YAML has folded.
    for between in [",", ";", " ", "\t", "\n", "\r\n", "\r", " ,\n", "; ", "\n\n"] {
        let digests = format!("{one_line}{between}{other_line}");
        let service = Service::asking(&stub.url, &[("STS_VERIFY_API_KEYS", &digests)]).await;
        for (key, status) in [(&one, 200), (&other, 200), (&none, 401)] {
            assert_eq!(ask(&service, key).await.status(), status);
        }
        let lines = service.program.lines(3, |line| line.contains("\"request\"")).await;
        assert!(lines[0].contains("\"api_key\":\"one\""), "{lines:?}");
        service.program.signal("HUP");
        service.program.line(|line| line.contains("no file to reload")).await;
        assert_eq!(ask(&service, &one).await.status(), 200);
    }
}

#[tokio::test]
async fn a_variable_that_cannot_be_used_keeps_the_service_from_starting() {
    let files = Scratch::new("unusable-variable");
    let (key, line) = new_key(&[]).await;
    let file = files.file("keys", &line);
    let bad = format!("{line},zqxj");
    let (_, other) = new_key(&[]).await;
    let swallowed = format!("# ours {line}");
    let damaged = format!("{line} {}", &other[.."sha256:".len() + 63]);
    let two_names = format!("{line} one\n{line} two");
    for (digests, file, says) in [
        ("zqxj", "", "line 1 "),
        (bad.as_str(), "", "line 2 "),
        (key.as_str(), "", "a key itself"),
        (",", "", "no digest"),
        (swallowed.as_str(), "", "line 1 has a digest inside a comment"),
        (damaged.as_str(), "", "line 1 "),
        (two_names.as_str(), "", "line 2 has a digest that occurred before with another name"),
        (line.as_str(), file.as_str(), "STS_VERIFY_API_KEYS_FILE"),
    ] {
        let variables = [("STS_VERIFY_API_KEYS", digests), ("STS_VERIFY_API_KEYS_FILE", file)];
        let end = run(&["serve", "--sandbox", "--listen=127.0.0.1:0"], &variables).await;
        assert_eq!((end.code, end.stdout.len(), end.stderr.len()), (Some(64), 0, 1), "{end:?}");
        let error = &end.stderr[0];
        assert!(error.contains("STS_VERIFY_API_KEYS: ") && error.contains(says), "{end:?}");
        assert!(!["stsv_", "zqxj", &line[10..30]].iter().any(|text| error.contains(text)), "{end:?}");
    }
}

#[tokio::test]
async fn a_file_may_be_of_any_editor_that_writes_utf_8() {
    let (files, stub) = (Scratch::new("editors"), Stub::always(identity()).await);
    let ((one, one_line), (other, other_line)) = (new_key(&["one"]).await, new_key(&["other"]).await);
    for content in [
        format!("\u{feff}{one_line}\r\n{other_line}\r\n"),
        format!("\u{feff}# ours, so far\r{one_line}\r{other_line}"),
        format!("{one_line} {other_line}\n"),
        format!("{one_line};{other_line};"),
        format!("{one_line}\n\u{feff}{other_line}\n{one_line}\n"),
    ] {
        let file = files.file("keys", &content);
        let service = Service::asking(&stub.url, &[("STS_VERIFY_API_KEYS_FILE", &file)]).await;
        for key in [&one, &other] {
            assert_eq!(ask(&service, key).await.status(), 200, "{content:?}");
        }
        let lines = service.program.lines(2, |line| line.contains("\"request\"")).await;
        for (line, name) in lines.iter().zip(["one", "other"]) {
            assert!(line.contains(&format!("\"api_key\":\"{name}\"")), "{line}");
        }
    }
}

#[tokio::test]
async fn bytes_that_are_not_utf_8_are_refused_as_such() {
    let files = Scratch::new("no-text");
    let (_, line) = new_key(&[]).await;
    let utf16 = |bytes: fn(u16) -> [u8; 2], mark: &[u8]| -> Vec<u8> {
        mark.iter().copied().chain(line.encode_utf16().flat_map(bytes)).collect()
    };
    for content in [
        b"\xff\xfe\n".to_vec(),
        utf16(u16::to_le_bytes, b"\xff\xfe"),
        utf16(u16::to_be_bytes, b"\xfe\xff"),
        utf16(u16::to_le_bytes, b""),
    ] {
        let file = files.file("keys", "");
        std::fs::write(&file, content).unwrap();
        let end = run(&["serve", "--listen=127.0.0.1:0"], &[("STS_VERIFY_API_KEYS_FILE", &file)]).await;
        assert_eq!((end.code, end.stderr.len()), (Some(64), 1), "{end:?}");
        assert!(end.stderr[0].contains("STS_VERIFY_API_KEYS_FILE: the file is not in UTF-8"), "{end:?}");
    }
}
