//! `secrets`, `id_tokens`, `identity`.

use crate::support::{check_job_error, check_value, config, errors, with_job};
use serde_json::{Value, json};

#[test]
fn secrets() {
    let secret = |provider: &str, request: Value, file: bool, token: Value| json!({"A": {"provider": provider, "request": request, "file": file, "token": token}});
    check_value(
        "secrets",
        &[
            (
                "secrets: {A: {vault: a/b@ops}}",
                secret("vault", json!("a/b@ops"), true, Value::Null),
            ),
            (
                "secrets: {A: {vault: {engine: {name: kv-v2, path: ops}, path: prod/db, \
                     field: pw}, file: false, token: $ID}}",
                secret(
                    "vault",
                    json!({"engine": {"name": "kv-v2", "path": "ops"}, "path": "prod/db", "field": "pw"}),
                    false,
                    json!("$ID"),
                ),
            ),
            (
                "secrets: {A: {azure_key_vault: {name: n, version: v}}}",
                secret(
                    "azure_key_vault",
                    json!({"name": "n", "version": "v"}),
                    true,
                    Value::Null,
                ),
            ),
            (
                "secrets: {A: {gcp_secret_manager: {name: n, version: 2}, token: $ID}}",
                secret(
                    "gcp_secret_manager",
                    json!({"name": "n", "version": 2}),
                    true,
                    json!("$ID"),
                ),
            ),
        ],
    );
    let one = "jobs:x:secrets:a config must use exactly one of these keys: vault, azure_key_vault, gcp_secret_manager, akeyless, gitlab_secrets_manager, aws_secrets_manager";
    check_job_error(&[
        ("secrets: text", "jobs:x:secrets config should be a hash"),
        ("secrets: {A: {token: $T}}", one),
        (
            "secrets: {A: {vault: a/b, azure_key_vault: {name: n}}}",
            one,
        ),
        (
            "secrets: {A: {vault: a/b, odd: 1}}",
            "jobs:x:secrets:a config contains unknown keys: odd",
        ),
        (
            "secrets: {A: {vault: {engine: {name: a, path: b}, path: c}}}",
            "jobs:x:secrets:a:vault field can't be blank",
        ),
        (
            "secrets: {A: {vault: {engine: {path: b}, path: c, field: d}}}",
            "jobs:x:secrets:a:vault:engine name can't be blank",
        ),
        (
            "secrets: {A: {vault: {path: c, field: d}}}",
            "jobs:x:secrets:a:vault config missing required keys: engine",
        ),
        (
            "secrets: {A: {azure_key_vault: {version: v}}}",
            "jobs:x:secrets:a:azure_key_vault name can't be blank",
        ),
        (
            "secrets: {A: {azure_key_vault: {name: n, odd: 1}}}",
            "jobs:x:secrets:a:azure_key_vault config contains unknown keys: odd",
        ),
        (
            "secrets: {A: {gcp_secret_manager: {name: n}}}",
            "jobs:x:secrets:a token is required with gcp secrets manager",
        ),
        (
            "secrets: {A: {vault: a, file: 5}}",
            "jobs:x:secrets:a:file config should be a boolean value",
        ),
    ]);
}

#[test]
fn tokens_and_identity() {
    check_value(
        "id_tokens",
        &[(
            "id_tokens: {T: {aud: a}, U: {aud: [b, c]}}",
            json!({"T": ["a"], "U": ["b", "c"]}),
        )],
    );
    assert_eq!(
        errors(&with_job("id_tokens: {T: {}}")),
        [
            "3:18 jobs:x:id_tokens:t config missing required keys: aud",
            "3:18 jobs:x:id_tokens:t aud should be an array of strings or a string",
        ]
    );
    check_job_error(&[
        (
            "id_tokens: text",
            "jobs:x:id_tokens config should be a hash",
        ),
        (
            "id_tokens: {T: {aud: 5}}",
            "jobs:x:id_tokens:t aud should be an array of strings or a string",
        ),
        (
            "id_tokens: {T: {aud: a, odd: 1}}",
            "jobs:x:id_tokens:t config contains unknown keys: odd",
        ),
        (
            "identity: unknown",
            "jobs:x identity should be one of: google_cloud",
        ),
        (
            "identity: ''",
            "jobs:x identity should be one of: google_cloud",
        ),
    ]);
    let config = config(
        "default: {id_tokens: {A: {aud: a}}, identity: google_cloud}\nx: {script: m, \
             id_tokens: {B: {aud: b}}}\ny: {script: m}",
    );
    let names = |job: &str| {
        config.jobs[job]
            .id_tokens
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (names("x"), names("y")),
        (vec!["B".to_owned()], vec!["A".to_owned()])
    );
    assert_eq!(config.jobs["x"].identity.as_deref(), Some("google_cloud"));
}
