//! Protection from other users of the machine: no core dump, and no access to the memory.

use crate::program::{Program, Service, address_of, command};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Debian's `nobody`, for tests that run as root: root may do everything.
const NOBODY: u32 = 65534;

/// A command as a user who is not root.
fn unprivileged(mut command: Command) -> Command {
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// The program, with core dumps allowed up to the limit of this machine.
fn with_core_dumps(arguments: &str) -> Command {
    let program = env!("CARGO_BIN_EXE_sts-verify");
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit -c unlimited 2>/dev/null; exec {program} {arguments}")]);
    shell.env_clear().env("STS_VERIFY_LOG_FORMAT", "json");
    unprivileged(shell)
}

#[tokio::test]
async fn a_crash_of_the_service_leaves_no_core() {
    let service = Program::start(&mut with_core_dumps("serve --sandbox --listen=127.0.0.1:0"));
    service.line(|line| address_of(line, "listening").is_some()).await;
    let limits = fs::read_to_string(format!("/proc/{}/limits", service.id())).unwrap();
    let core = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().take(2).collect::<Vec<_>>(), ["0", "0"], "{limits}");
}

#[tokio::test]
async fn nobody_but_root_can_read_the_memory_of_the_service() {
    let service = Program::start(&mut with_core_dumps("serve --sandbox --listen=127.0.0.1:0"));
    service.line(|line| address_of(line, "listening").is_some()).await;
    let sandbox = Program::start(&mut with_core_dumps("sandbox --listen=127.0.0.1:0"));
    sandbox.line(|line| address_of(line, "sandbox listening").is_some()).await;
    // proc(5): the files of a process that is not dumpable belong to root. The sandbox, which has no secrets,
    // is dumpable.
    let owner = |program: &Program| fs::metadata(format!("/proc/{}/mem", program.id())).unwrap().uid();
    assert_eq!(owner(&service), 0);
    assert_ne!(owner(&sandbox), 0);
    for (program, readable) in [(&service, false), (&sandbox, true)] {
        let mut reader = Command::new("sh");
        reader.args(["-c", &format!("cat /proc/{}/maps > /dev/null 2>&1", program.id())]);
        assert_eq!(unprivileged(reader).status().unwrap().success(), readable);
    }
}

#[tokio::test]
async fn the_service_can_still_read_its_own_process_figures() {
    let mut command = command(&["serve", "--sandbox", "--listen=127.0.0.1:0", "--log-format=json"], &[]);
    let command_user = fs::metadata("/proc/self").unwrap().uid();
    if command_user == 0 {
        command.uid(NOBODY).gid(NOBODY);
    }
    let service = Service::of(Program::start(&mut command)).await;
    let figures = service.get("/metrics").await.text().await.unwrap();
    for name in
        ["process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds", "process_max_fds"]
    {
        assert!(figures.contains(&format!("\n{name} ")), "{name}\n{figures}");
    }
}
