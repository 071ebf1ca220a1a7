//! Flags, environment and exit codes: those of the official SDKs (function-sdk-go v0.7.1 with its template,
//! function-sdk-rust 0.4.0).

use std::collections::BTreeSet;
use std::process::{Command, Output};

use clap::CommandFactory;
use function_inference::cli::Cli;

#[test]
fn the_flags_are_those_of_the_official_sdks() {
    type Flag<'a> = (&'a str, Option<char>, Option<&'a str>, Option<&'a str>);
    let want: BTreeSet<Flag> = [
        ("debug", Some('d'), Some("DEBUG"), None),
        ("address", None, None, Some("0.0.0.0:9443")),
        ("tls-certs-dir", None, Some("TLS_SERVER_CERTS_DIR"), None),
        ("insecure", None, None, None),
        ("max-recv-message-size", None, None, Some("32MiB")),
        ("metrics-address", None, Some("METRICS_ADDRESS"), Some(":8080")),
        // Our own.
        ("max-in-flight-size", None, None, Some("64MiB")),
    ]
    .into();
    let command = Cli::command();
    let flags: BTreeSet<Flag> = command
        .get_arguments()
        .map(|argument| {
            let default = argument.get_default_values().first().and_then(|value| value.to_str());
            let environment = argument.get_env().and_then(|name| name.to_str());
            (argument.get_long().unwrap(), argument.get_short(), environment, default)
        })
        .collect();
    assert_eq!(flags, want);
}

#[test]
fn help_names_the_unit_of_the_largest_request() {
    let output = run("--help", "");
    assert_eq!(output.status.code(), Some(0));
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(help.contains("Largest request, in MiB unless it says KiB or MiB"), "{help}");
}

#[test]
fn what_cannot_be_meant_is_a_usage_error() {
    let cases = [
        (
            "",
            "",
            "no certificates: give their directory by --tls-certs-dir or TLS_SERVER_CERTS_DIR, \
             or serve without TLS by --insecure",
        ),
        ("", "TLS_SERVER_CERTS_DIR=", "no certificates"),
        (
            "--insecure --max-recv-message-size=4194304",
            "",
            "a plain number counts MiB, and 4194304 MiB is more than the 4096 MiB a gRPC message can have: \
             give a unit, KiB or MiB",
        ),
        ("--insecure --address=9443", "", "not an address such as 0.0.0.0:9443, [::]:9443 or :9443"),
        ("--insecure", "METRICS_ADDRESS=8080", "invalid value '8080' for '--metrics-address <HOST:PORT>'"),
        ("--secure", "", "unexpected argument '--secure'"),
        ("no-such-command", "", "'no-such-command'"),
        ("--insecure schema xrd", "", "the subcommand 'schema' cannot be used with"),
    ];
    for (arguments, environment, message) in cases {
        let output = run(arguments, environment);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments} {environment}: {stderr}");
        assert!(stderr.contains(message), "{arguments} {environment}: {stderr}");
    }
}

#[test]
fn the_environment_of_serving_does_not_disturb_other_commands() {
    // In the package's container it is there for whoever looks around by `kubectl exec`.
    for environment in ["TLS_SERVER_CERTS_DIR=/tls/server", "DEBUG=true", "METRICS_ADDRESS="] {
        assert_eq!(run("schema xrd", environment).status.code(), Some(0), "{environment}");
    }
}

#[test]
fn what_the_world_does_not_allow_is_another_error() {
    let output = run("--tls-certs-dir=/no/such/directory", "");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "error: cannot set up TLS: cannot read /no/such/directory/tls.crt: No such file or directory (os error 2)\n"
    );
}

/// For arguments with which it does not serve.
fn run(arguments: &str, environment: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_function-inference"))
        .env_clear()
        .envs(environment.split_once('='))
        .args(arguments.split_whitespace())
        .output()
        .unwrap()
}
