//! Files that change while the program runs, without a signal: a file is rewritten, replaced, or reached
//! through a link that is swapped, as Kubernetes does with Secrets and ConfigMaps.

use crate::api_keys::{ask, new_key};
use crate::helpers::value_in;
use crate::program::{Scratch, Service};
use crate::stub::{Stub, identity};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

/// A folder as Kubernetes mounts it: each name is a link through `..data`, which is a link to the current
/// folder.
pub struct Mounted(Scratch);

impl Mounted {
    pub fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let mounted = Self(Scratch::new(name));
        mounted.swap("day-0", files);
        for (name, _) in files {
            symlink(Path::new("..data").join(name), mounted.0.path(name)).unwrap();
        }
        mounted
    }

    /// Creates a new folder, and atomically replaces the link with one to the new folder.
    pub fn swap(&self, folder: &str, files: &[(&str, &str)]) {
        for (name, content) in files {
            self.0.file(&format!("{folder}/{name}"), content);
        }
        symlink(folder, self.0.path("..data_tmp")).unwrap();
        fs::rename(self.0.path("..data_tmp"), self.0.path("..data")).unwrap();
    }

    /// Overwrites a file in place.
    pub fn rewrite(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).unwrap();
    }

    /// Replaces a file by renaming another one over it.
    pub fn replace(&self, name: &str, content: &str) {
        fs::rename(self.0.file("next", content), self.path(name)).unwrap();
    }

    pub fn path(&self, name: &str) -> String {
        self.0.path(name)
    }
}

/// Waits for this many log lines with this message about a file.
pub async fn lines(service: &Service, count: usize, message: &str, file: &str) -> Vec<String> {
    let (message, file) = (format!("\"message\":\"{message}"), format!("\"file\":\"{file}\""));
    service.program.lines(count, |line| line.contains(&message) && line.contains(&file)).await
}

#[tokio::test]
async fn api_keys_are_loaded_however_their_file_is_changed() {
    let stub = Stub::always(identity()).await;
    let keys = [new_key(&[]).await, new_key(&[]).await, new_key(&[]).await, new_key(&[]).await];
    let mounted = Mounted::new("keys-change", &[("keys", &keys[0].1)]);
    let file = mounted.path("keys");
    let service = Service::asking(&stub.url, &[("STS_VERIFY_API_KEYS_FILE", &file)]).await;
    assert_eq!(ask(&service, &keys[0].0).await.status(), 200);
    mounted.swap("day-1", &[("keys", &keys[1].1)]);
    lines(&service, 1, "reloaded", "api_keys").await;
    assert_eq!(ask(&service, &keys[0].0).await.status(), 401);
    assert_eq!(ask(&service, &keys[1].0).await.status(), 200);
    mounted.rewrite("keys", &keys[2].1);
    lines(&service, 2, "reloaded", "api_keys").await;
    assert_eq!(ask(&service, &keys[2].0).await.status(), 200);
    mounted.replace("keys", &keys[3].1);
    lines(&service, 3, "reloaded", "api_keys").await;
    assert_eq!(ask(&service, &keys[2].0).await.status(), 401);
    assert_eq!(ask(&service, &keys[3].0).await.status(), 200);
}

#[tokio::test]
async fn a_bad_file_is_logged_once_and_counted_and_the_old_content_stays_in_use() {
    let (files, stub) = (Scratch::new("bad-change"), Stub::always(identity()).await);
    let ((key, line), (other, other_line)) = (new_key(&[]).await, new_key(&[]).await);
    let file = files.file("keys", &line);
    let service = Service::asking(&stub.url, &[("STS_VERIFY_API_KEYS_FILE", &file)]).await;
    let loaded = async || {
        let figures = service.get("/metrics").await.text().await.unwrap();
        let count = value_in(&figures, "sts_verify_reload_failures_total{file=\"api_keys\"}").unwrap();
        (count, value_in(&figures, "sts_verify_file_loaded_timestamp_seconds{file=\"api_keys\"}").unwrap())
    };
    let (none, at_start) = loaded().await;
    assert!(none.abs() < 0.5 && at_start > 1.7e9, "{none} {at_start}");
    // The state of a file while it is being written.
    files.file("keys", &other_line[..other_line.len() - 1]);
    lines(&service, 1, "not reloaded", "api_keys").await;
    assert_eq!(loaded().await, (1.0, at_start));
    assert_eq!(ask(&service, &key).await.status(), 200);
    files.file("keys", &other_line);
    lines(&service, 1, "reloaded", "api_keys").await;
    assert_eq!(ask(&service, &other).await.status(), 200);
    let (failures, at_end) = loaded().await;
    assert!((failures - 1.0).abs() < 0.5 && at_end >= at_start, "{failures} {at_end}");
    let end = service.stop().await;
    assert_eq!(end.stdout.iter().filter(|line| line.contains("\"ERROR\"")).count(), 1, "{end:?}");
}

#[tokio::test]
async fn policies_are_loaded_and_errors_name_the_line() {
    let policy = |name: &str| format!("[policy.{name}]\naccounts = [\"123456789012\"]\n");
    let mounted = Mounted::new("policies-change", &[("policies.toml", &policy("one"))]);
    let file = mounted.path("policies.toml");
    let variables = [("STS_VERIFY_POLICIES_FILE", file.as_str())];
    let service = Service::with_arguments(&["serve", "--sandbox"], &variables).await;
    let statuses = async || {
        (service.get("/auth/one").await.status().as_u16(), service.get("/auth/two").await.status().as_u16())
    };
    assert_eq!(statuses().await, (401, 404));
    mounted.swap("day-1", &[("policies.toml", &policy("two"))]);
    lines(&service, 1, "reloaded", "policies").await;
    assert_eq!(statuses().await, (404, 401));
    mounted.swap("day-2", &[("policies.toml", &format!("{}zqxj = 1\n", policy("one")))]);
    let error = lines(&service, 1, "not reloaded", "policies").await.concat();
    assert!(error.contains("STS_VERIFY_POLICIES_FILE: ") && error.contains("line 3"), "{error}");
    assert_eq!(statuses().await, (404, 401));
}
