//! `check` and `schema`, as they are typed.

#![allow(clippy::unwrap_used, reason = "a test ends where a step of it fails")]

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_function-inference"))
        .args(arguments)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/check"))
        .output()
        .unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn problems_are_told_with_their_place_and_end_in_one() {
    let (code, stdout, stderr) = run(&["check", "bad.yaml"]);
    assert_eq!(stdout, "");
    assert_eq!(
        stderr.lines().collect::<Vec<_>>(),
        [
            "note: bad.yaml:46: v1 ConfigMap is not checked",
            r#"bad.yaml:24:27: spec.gateway.implementation is "Traefik": must be EnvoyAIGateway, Istio, Agentgateway, GKE, NGINX, Other or Auto"#,
            "bad.yaml:25:19: spec.gateway.timout is unknown: did you mean timeout?",
            r#"bad.yaml:30:9: metadata.name is "3-qwen": must consist of lower-case letters, digits and dashes, and start with a letter, since it becomes the name of a Service"#,
            "bad.yaml:32:10: spec.model is missing: it is required",
            "bad.yaml:37:8: spec.gup is unknown: did you mean gpu?",
            "bad.yaml:38:16: spec.minReplicas is 3: must not be more than maxReplicas (2)",
            r#"bad.yaml:41:12: spec.runtime.image is "docker.io/vllm/vllm-openai:v1": the platform's policy permits registry.example.com/*"#,
            "bad.yaml:44:14: spec.runtime.env[0].value is no text: must be a text without control characters; put quotes around numbers and booleans",
        ]
    );
    assert_eq!(code, Some(1));
}

#[test]
fn what_is_right_is_said_in_one_line() {
    let want = (Some(0), "checked 2 documents: no problems\n".to_owned(), String::new());
    assert_eq!(run(&["check", "good.yaml"]), want);
}

#[test]
fn what_we_ship_and_show_is_right() {
    let mut checked = vec!["../../package/configuration/composition.yaml".to_owned()];
    for folder in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/examples")).unwrap() {
        let folder = folder.unwrap().path();
        if !folder.is_dir() || folder.ends_with("bad-input") {
            continue;
        }
        checked.push(folder.to_str().unwrap().to_owned());
    }
    assert!(checked.len() > 5, "{checked:?}");
    for path in checked {
        let (code, _, stderr) = run(&["check", &path]);
        assert!(code == Some(0), "{path}: {stderr}");
    }
}

#[test]
fn files_that_cannot_be_read_do_not_hide_the_others() {
    let (code, _, stderr) = run(&["check", "absent.yaml", "broken.yaml", "bad.yaml"]);
    assert_eq!(code, Some(1));
    for want in [
        "cannot read absent.yaml: No such file",
        "broken.yaml:2:1: duplicate",
        "bad.yaml:38:16: spec.minReplicas",
    ] {
        assert!(stderr.contains(want), "{stderr}");
    }
}

#[test]
fn usage_errors_end_in_two() {
    for arguments in [&["check"][..], &["schema"], &["schema", "xr"]] {
        assert_eq!(run(arguments).0, Some(2), "{arguments:?}");
    }
}

/// What belongs to whom is for the Composition to say.
#[test]
fn a_cluster_is_checked_by_its_composition() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let example = format!("{}/examples/cluster-extension", env!("CARGO_MANIFEST_DIR"));
    let composition = format!("{example}/composition.yaml");
    let cluster = std::fs::read_to_string(format!("{example}/xr.yaml")).unwrap();
    let wrong = write(
        "wrong.yaml",
        &cluster.replace("  id: gpu-eu", "  id: GPU").replace("enabled: true", "enabled: yes please"),
    );
    let (code, _, stderr) = run(&["check", &composition, &wrong]);
    assert_eq!(code, Some(1), "{stderr}");
    let want = "wrong.yaml:13:18: spec.parameters.apps.gatewayInferenceExtension.enabled is \"yes please\": must be true or false";
    assert!(stderr.contains(want), "{stderr}");

    let misspelt = write(
        "misspelt.yaml",
        &cluster.replace("Extension:\n        enabled", "Extension:\n        enabeld"),
    );
    let (code, _, stderr) = run(&["check", &composition, &misspelt]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(
        stderr.contains("gatewayInferenceExtension.enabeld is unknown: did you mean enabled?"),
        "{stderr}"
    );

    let alone = run(&["check", &composition, &format!("{example}/xr.yaml"), "good.yaml"]);
    assert_eq!(alone.0, Some(0), "a model beside it is judged by no Input of a cluster: {alone:?}");
}

#[test]
fn schemas_are_those_of_the_packages() {
    for (name, file) in [
        ("xrd", "package/configuration/definition.yaml"),
        ("model-stack", "package/function/inference.fn.crossplane.io_modelstacks.yaml"),
        ("cluster-extension", "package/function/inference.fn.crossplane.io_clusterextensions.yaml"),
    ] {
        let file = format!("{}/{file}", env!("CARGO_MANIFEST_DIR"));
        let want = (Some(0), std::fs::read_to_string(file).unwrap(), String::new());
        assert_eq!(run(&["schema", name]), want);
    }
}
