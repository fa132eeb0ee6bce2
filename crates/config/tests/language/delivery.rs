//! Clusters behind environments, and keywords of one value each.

use crate::support::{check_job_error, check_value, job_value, with_job};
use serde_json::json;

#[test]
fn clusters_of_environments() {
    check_value(
        "environment",
        &[(
            "environment: {name: p, kubernetes: {agent: g/p:a, dashboard: {namespace: n, \
                 flux_resource_path: f}, managed_resources: {enabled: true}}}",
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
            "environment: {name: p, kubernetes: {agent: a, namespace: n, dashboard: \
                 {namespace: m}}}",
            "jobs:x:environment:kubernetes namespace cannot be specified when \
                 dashboard.namespace is set",
        ),
    ]);
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
            "jobs:x:image executor opts object property at `/kubernetes/odd` is a \
                 disallowed additional property",
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
