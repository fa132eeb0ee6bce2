//! What comes of a job: releases, pages, clusters, secrets and tokens, and the commands of
//! hooks and of `run`.

use crate::support::{check_job_error, check_value, config, errors, job_value, with_job};
use serde_json::{Value, json};

#[test]
fn releases() {
    let value = job_value(
        &with_job(
            "release: {tag_name: v1, description: d, milestones: m, ref: main, released_at: '2025-03-15T08:00:00Z', assets: {links: [{name: n, url: 'https://h/f', filepath: /f, link_type: package}]}}",
        ),
        "x",
        "release",
    );
    assert_eq!(
        value,
        json!({"tag_name": "v1", "tag_message": null, "name": null, "description": "d", "git_ref": "main",
            "milestones": ["m"], "released_at": "2025-03-15T08:00:00Z",
            "links": [{"name": "n", "url": "https://h/f", "filepath": "/f", "link_type": "package"}]})
    );
    check_job_error(&[
        ("release: text", "jobs:x:release config should be a hash"),
        ("release: {tag_name: v1}", "jobs:x:release description can't be blank"),
        ("release: {description: d}", "jobs:x:release tag name can't be blank"),
        ("release: {tag_name: v1, description: 5}", "jobs:x:release description should be a string"),
        ("release: {tag_name: v1, description: d, odd: 1}", "jobs:x:release config contains unknown keys: odd"),
        ("release: {tag_name: v1, description: d, released_at: ABC}", "jobs:x:release released at must be a valid datetime"),
        ("release: {tag_name: v1, description: d, ref: \"a\\bb\"}", "jobs:x:release ref must be a valid ref"),
        ("release: {tag_name: v1, description: d, milestones: [1]}", "jobs:x:release milestones should be an array of strings or a string"),
        ("release: {tag_name: v1, description: d, tag_message: 5}", "jobs:x:release tag message should be a string"),
        ("release: {tag_name: v1, description: d, assets: {links: []}}", "jobs:x:release:assets:links config can't be blank"),
        ("release: {tag_name: v1, description: d, assets: {}}", "jobs:x:release:assets:links config should be a array"),
        ("release: {tag_name: v1, description: d, assets: {links: [{url: 'https://h'}]}}", "jobs:x:release:assets:links:link name can't be blank"),
        ("release: {tag_name: v1, description: d, assets: {links: [{name: n, url: 'gopher://h'}]}}", "jobs:x:release:assets:links:link url is blocked: Only allowed schemes are http, https, ftp".to_lowercase().leak()),
        ("release: {tag_name: v1, description: d, assets: {links: [{name: n, url: 'https://h', link_type: odd}]}}", "jobs:x:release:assets:links:link link type should be one of: other, runbook, image, package"),
    ]);
}

#[test]
fn pages() {
    let paths = |yaml: &str| -> Option<Vec<String>> {
        let config = config(yaml);
        let job = config.jobs.values().next().unwrap();
        assert_eq!(
            job.pages.is_some(),
            job.artifacts.is_some() && !yaml.contains("pages: false")
        );
        job.artifacts
            .as_ref()
            .map(|artifacts| artifacts.paths.clone())
    };
    for (yaml, expected) in [
        ("pages: {script: m}", Some(vec!["public"])),
        ("pages: {script: m, pages: true}", Some(vec!["public"])),
        ("pages: {script: m, pages: null}", Some(vec!["public"])),
        (
            "pages: {script: m, pages: {publish: out}}",
            Some(vec!["out"]),
        ),
        ("pages: {script: m, publish: out}", Some(vec!["out"])),
        (
            "pages: {script: m, artifacts: {paths: [a]}}",
            Some(vec!["a", "public"]),
        ),
        (
            "pages: {script: m, pages: {publish: out}, artifacts: {paths: [out]}}",
            Some(vec!["out"]),
        ),
        ("pages: {script: m, pages: false}", None),
        (
            "pages: {script: m, pages: false, artifacts: {paths: [a]}}",
            Some(vec!["a"]),
        ),
        ("site: {script: m, pages: true}", Some(vec!["public"])),
        (
            "site: {script: m, pages: {path_prefix: x, expire_in: 1 day}}",
            Some(vec!["public"]),
        ),
        ("site: {script: m, pages: false}", None),
        ("site: {script: m, pages: null}", None),
        ("'pages:staging': {script: m}", None),
    ] {
        let expected =
            expected.map(|paths| paths.into_iter().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(paths(yaml), expected, "{yaml}");
    }
    check_job_error(&[
        (
            "publish: out",
            "jobs:x publish can only be used within a `pages` job",
        ),
        (
            "pages: text",
            "jobs:x:pages config should be a hash or a boolean value",
        ),
        (
            "pages: {odd: 1}",
            "jobs:x:pages config contains unknown keys: odd",
        ),
        (
            "pages: {expire_in: soon}",
            "jobs:x:pages expire in should be a duration",
        ),
        (
            "pages: {path_prefix: 5}",
            "jobs:x:pages path prefix should be a string",
        ),
    ]);
}

#[test]
fn clusters_of_environments() {
    check_value(
        "environment",
        &[(
            "environment: {name: p, kubernetes: {agent: g/p:a, dashboard: {namespace: n, flux_resource_path: f}, managed_resources: {enabled: true}}}",
            json!({"name": "p", "url": null, "action": "start", "on_stop": null, "auto_stop_in": null, "deployment_tier": null,
            "kubernetes": {"agent": "g/p:a", "dashboard": {"namespace": "n", "flux_resource_path": "f"}, "managed_resources": true}}),
        )],
    );
    check_job_error(&[
        (
            "environment: {name: p, kubernetes: text}",
            "jobs:x:environment:kubernetes config should be a hash",
        ),
        (
            "environment: {name: p, kubernetes: {odd: 1}}",
            "jobs:x:environment:kubernetes config contains unknown keys: odd",
        ),
        (
            "environment: {name: p, kubernetes: {dashboard: {namespace: n}}}",
            "jobs:x:environment:kubernetes agent can't be blank",
        ),
        (
            "environment: {name: p, kubernetes: {agent: a, flux_resource_path: f}}",
            "jobs:x:environment:kubernetes namespace can't be blank",
        ),
        (
            "environment: {name: p, kubernetes: {agent: a, namespace: n, dashboard: {namespace: m}}}",
            "jobs:x:environment:kubernetes namespace cannot be specified when dashboard.namespace is set",
        ),
    ]);
}

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
                "secrets: {A: {vault: {engine: {name: kv-v2, path: ops}, path: prod/db, field: pw}, file: false, token: $ID}}",
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
        "default: {id_tokens: {A: {aud: a}}, identity: google_cloud}\nx: {script: m, id_tokens: {B: {aud: b}}}\ny: {script: m}",
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

#[test]
fn hooks() {
    let yaml = "default: {hooks: {pre_get_sources_script: [d]}}
own: {script: m, hooks: {pre_get_sources_script: [j, [k]]}}
inherited: {script: m}
without: {script: m, inherit: {default: false}}";
    let config = config(yaml);
    for (job, expected) in [
        ("own", vec!["j", "k"]),
        ("inherited", vec!["d"]),
        ("without", vec![]),
    ] {
        assert_eq!(config.jobs[job].pre_get_sources_script, expected, "{job}");
    }
    check_job_error(&[
        ("hooks: text", "jobs:x:hooks config should be a hash"),
        (
            "hooks: {odd: [a]}",
            "jobs:x:hooks config contains unknown keys: odd",
        ),
        (
            "hooks: {pre_get_sources_script: true}",
            "jobs:x:hooks:pre_get_sources_script config should be a string or a nested array of strings up to 10 levels deep",
        ),
    ]);
}

#[test]
fn steps() {
    let yaml = |run: &str| format!("x: {{run: {run}}}");
    for run in [
        "[{name: a, step: ./steps/one}]",
        "[{name: a, script: echo, env: {A: b}}]",
        "[{name: a, step: {git: {url: h/s, rev: v1, dir: d}}, inputs: {a: {b: [c]}}}]",
        "[{name: a, step: {oci: {registry: r, repository: b, tag: '1', file: f}}}]",
        "[{name: a, action: m/y@v1}]",
    ] {
        let job = config(&yaml(run)).jobs["x"].clone();
        assert!(job.run.is_some() && job.script.is_empty(), "{run}");
    }
    for (run, expected) in [
        ("text", "jobs:x run value at root is not an array"),
        ("''", "jobs:x run value at root is not an array"),
        (
            "[{step: a}]",
            "jobs:x run object at `/0` is missing required properties: name",
        ),
        (
            "[{name: a}]",
            "jobs:x run object at `/0` is missing required properties: step",
        ),
        (
            "[{name: a, step: b, script: c}]",
            "jobs:x run value at `/0` has more than one of step, script, action",
        ),
        (
            "[{name: a, script: b, odd: 1}]",
            "jobs:x run object property at `/0/odd` is a disallowed additional property",
        ),
        (
            "[{name: a, script: [b]}]",
            "jobs:x run value at `/0/script` is not a string",
        ),
        (
            "[{name: a, script: b, env: [c]}]",
            "jobs:x run value at `/0/env` is not an object",
        ),
        (
            "[{name: a, script: b, env: {MY_VAR: 5}}]",
            "jobs:x run value at `/0/env/my_var` is not a string",
        ),
        (
            "[{name: a, step: b, inputs: [c]}]",
            "jobs:x run value at `/0/inputs` is not an object",
        ),
        (
            "[{name: a, script: b, inputs: {c: d}}]",
            "jobs:x run object property at `/0/inputs` is a disallowed additional property",
        ),
        (
            "[{name: a, step: {git: {url: u}}}]",
            "jobs:x run object at `/0/step/git` is missing required properties: rev",
        ),
        (
            "[{name: a, step: {git: {rev: r, dir: d}}}]",
            "jobs:x run object at `/0/step/git` is missing required properties: url",
        ),
        (
            "[{name: a, step: 123}]",
            "jobs:x run value at `/0/step` is not an object",
        ),
    ] {
        let found = errors(&yaml(run));
        let texts: Vec<&str> = found
            .iter()
            .filter_map(|line| Some(line.split_once(' ')?.1))
            .collect();
        assert_eq!(texts, [expected], "{run}");
    }
    let found = errors("x: {script: m, run: [{name: a, script: b}]}");
    assert_eq!(
        found,
        ["1:21 jobs:x config these keys cannot be used together: script, run"]
    );
}

#[test]
fn the_rest() {
    check_value(
        "manual_confirmation",
        &[("when: manual\nmanual_confirmation: sure?", json!("sure?"))],
    );
    check_value(
        "dast_configuration",
        &[
            (
                "dast_configuration: {site_profile: a}",
                json!({"site_profile": "a", "scanner_profile": null}),
            ),
            (
                "dast_configuration: {}",
                json!({"site_profile": null, "scanner_profile": null}),
            ),
        ],
    );
    check_job_error(&[
        (
            "manual_confirmation: 5",
            "jobs:x manual confirmation should be a string",
        ),
        (
            "dast_configuration: {odd: 1}",
            "jobs:x:dast_configuration config contains unknown keys: odd",
        ),
        (
            "image: {name: a, kubernetes: {user: [1]}}",
            "jobs:x:image executor opts value at `/kubernetes/user` is not a string or an integer",
        ),
        (
            "image: {name: a, kubernetes: {odd: 1}}",
            "jobs:x:image executor opts object property at `/kubernetes/odd` is a disallowed additional property",
        ),
        (
            "cache: {key: {files_commits: [a, b, c]}}",
            "jobs:x:cache:key:files_commits config has too many items (maximum is 2)",
        ),
        (
            "cache: {key: {files: [a], files_commits: [b]}}",
            "jobs:x:cache:key config must use exactly one of these keys: files, files_commits",
        ),
    ]);
    let image = job_value(
        &with_job("image: {name: a, kubernetes: {user: 1001}}"),
        "x",
        "image",
    );
    assert_eq!(image["kubernetes_user"], json!("1001"));
    let cache = job_value(
        &with_job("cache: {paths: [p], key: {files_commits: [a], prefix: q}}"),
        "x",
        "cache",
    );
    assert_eq!(
        cache[0]["key"],
        json!({"files_commits": {"files": ["a"], "prefix": "q"}})
    );
}
