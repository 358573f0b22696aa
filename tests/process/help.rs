//! `--help` is the reference for the settings.

use crate::program::run;
use clap::CommandFactory as _;
use sts_verify::config::Cli;

/// Each command that has settings, with their variables: first the default command, then the others.
pub fn invocations() -> Vec<(Vec<&'static str>, Vec<String>)> {
    let variables = |command: &clap::Command| -> Vec<String> {
        let variables = command.get_arguments().filter_map(clap::Arg::get_env);
        variables.map(|name| name.to_str().unwrap().to_owned()).collect()
    };
    let command = Cli::command();
    let mut invocations = vec![(Vec::new(), variables(&command))];
    for (name, command) in ["serve", "verify", "sandbox", "healthcheck", "check"]
        .map(|name| (name, command.find_subcommand(name)))
    {
        invocations.push((vec![name], variables(command.expect("the command is there"))));
    }
    invocations
}

#[test]
fn every_command_with_settings_is_tried_here() {
    let tried = invocations();
    let command = Cli::command();
    let all = command.get_subcommands().flat_map(clap::Command::get_arguments);
    let all = all.filter(|argument| argument.get_env().is_some()).count();
    let of_commands: usize = tried[1..].iter().map(|(_, variables)| variables.len()).sum();
    assert_eq!(of_commands, all);
    assert!(tried[0].1.len() > 20, "the settings of `serve` are those of no command, too");
}

#[tokio::test]
async fn help_names_every_variable() {
    for (arguments, variables) in invocations() {
        for flag in ["--help", "-h"] {
            let end = run(&[arguments.as_slice(), &[flag]].concat(), &[]).await;
            assert_eq!((end.code, end.stderr.len()), (Some(0), 0), "{end:?}");
            let help = end.stdout.join("\n");
            let words: Vec<_> = help.split(|c: char| c != '_' && !c.is_ascii_alphanumeric()).collect();
            for variable in &variables {
                assert!(words.contains(&variable.as_str()), "{arguments:?} {flag}: {variable}\n{help}");
            }
        }
    }
}

#[tokio::test]
async fn help_names_the_variables_that_libraries_read() {
    let help = run(&["--help"], &[]).await.stdout.join("\n");
    for variable in [
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "AWS_DEFAULT_REGION",
        "AWS_DEFAULT_PROFILE",
        "REQUESTS_CA_BUNDLE",
    ] {
        assert!(help.contains(variable), "{variable}\n{help}");
    }
    for variable in [
        "OTEL_SDK_DISABLED",
        "OTEL_TRACES_EXPORTER",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "OTEL_EXPORTER_OTLP_HEADERS, _TIMEOUT, _CERTIFICATE, _PROTOCOL",
        "OTEL_SERVICE_NAME",
        "OTEL_RESOURCE_ATTRIBUTES",
        "OTEL_TRACES_SAMPLER",
        "OTEL_TRACES_SAMPLER_ARG",
        "OTEL_BSP_SCHEDULE_DELAY",
        "OTEL_BSP_MAX_QUEUE_SIZE",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
        "OTEL_BSP_EXPORT_TIMEOUT",
    ] {
        assert!(help.contains(variable), "{variable}\n{help}");
    }
    for command in
        ["serve", "verify", "sandbox", "healthcheck", "check", "api-key", "openapi", "completions", "man"]
    {
        assert!(help.contains(&format!("\n  {command} ")), "{command}\n{help}");
    }
}

#[tokio::test]
async fn help_does_not_print_current_values() {
    let password = "https://operator:the-endpoint-s-password@sts.example.com";
    let help = run(&["--help"], &[("AWS_ENDPOINT_URL_STS", password)]).await.stdout.join("\n");
    assert!(!help.contains("the-endpoint-s-password"), "{help}");
}

#[tokio::test]
async fn the_version_names_package_revision_and_target() {
    let build = concat!(
        "sts-verify ",
        env!("CARGO_PKG_VERSION"),
        " (revision ",
        env!("STS_VERIFY_REVISION"),
        ", target ",
        env!("STS_VERIFY_TARGET"),
        ")"
    );
    assert!(build.contains(std::env::consts::ARCH), "{build}");
    for flag in ["--version", "-V"] {
        let end = run(&[flag], &[]).await;
        assert_eq!((end.code, end.stderr.len()), (Some(0), 0), "{end:?}");
        assert_eq!(end.stdout, [build]);
    }
}
