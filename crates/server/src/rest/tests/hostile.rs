//! Bad input on every route: refused in GitLab's form, and nothing changes.

use axum::http::Method;
use serde_json::{Value, json};
use shipway_store::Visibility;

use super::site::{ADMIN, Site};
use crate::rest::routes::{Access, Endpoint};

/// What no address has.
const BAD_PARTS: [&str; 7] = [
    "-1",
    "99999999999999999999999999",
    "%00",
    "%FF%FE",
    "..%2F..%2Fetc%2Fpasswd",
    "'%20OR%201=1--",
    "%F0%9F%92%A5",
];

fn address(endpoint: &Endpoint, project: i64, bad: &str) -> Option<String> {
    let mut replaced = 0;
    let mut address = String::new();
    for part in endpoint.path.split('/').skip(1) {
        address.push('/');
        let is_place =
            part == "{id}" && !matches!(endpoint.access, Access::SignedIn | Access::Everybody);
        address.push_str(&match part {
            _ if is_place => project.to_string(),
            part if part.starts_with('{') => {
                replaced += 1;
                bad.to_owned()
            }
            part => part.to_owned(),
        });
    }
    (replaced > 0).then_some(address)
}

async fn world() -> (Site, i64) {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    site.pipeline(&project).await;
    (site, project.id.0)
}

fn is_refusal(reply: &super::site::Reply) -> bool {
    let in_form = || {
        let body = reply.json();
        body.get("message").or(body.get("error")).is_some()
    };
    reply.status.is_client_error() && in_form()
}

#[tokio::test]
async fn addresses() {
    let (site, project) = world().await;
    let before = site.everything().await;
    let long = "x".repeat(20_000);
    for endpoint in &crate::rest::all().1 {
        for bad in BAD_PARTS.into_iter().chain([long.as_str()]) {
            let Some(path) = address(endpoint, project, bad) else {
                continue;
            };
            let reply = site
                .ask(Some(ADMIN), endpoint.method.clone(), &path, None)
                .await;
            let shown: String = path.chars().take(120).collect();
            assert!(
                is_refusal(&reply),
                "{} {shown}: {} {}",
                endpoint.method,
                reply.status,
                reply.text()
            );
        }
    }
    assert_eq!(site.everything().await, before);
}

#[tokio::test]
async fn bodies() {
    let (site, project) = world().await;
    let before = site.everything().await;
    let form = "application/x-www-form-urlencoded";
    let kinds: [(&str, Vec<u8>); 8] = [
        ("application/json", b"{".to_vec()),
        ("application/json", b"[1, 2]".to_vec()),
        ("application/json", br#"{"a": "\u0000"}"#.to_vec()),
        ("application/json", "[".repeat(100_000).into_bytes()),
        (form, b"a=%00".to_vec()),
        (form, b"a=%ff".to_vec()),
        (form, vec![b'a'; 3 * 1024 * 1024]),
        ("multipart/form-data; boundary=X", b"--X\r\nbroken".to_vec()),
    ];
    for endpoint in crate::rest::all()
        .1
        .iter()
        .filter(|row| row.method != Method::GET)
    {
        let path = address(endpoint, project, "1")
            .unwrap_or_else(|| endpoint.path.replace("{id}", &project.to_string()));
        for (kind, body) in &kinds {
            let body = Some((*kind, body.clone()));
            let reply = site
                .ask(Some(ADMIN), endpoint.method.clone(), &path, body)
                .await;
            assert!(
                is_refusal(&reply),
                "{} {path} {kind}: {}",
                endpoint.method,
                reply.status
            );
        }
    }
    assert_eq!(site.everything().await, before);
}

#[tokio::test]
async fn pages() {
    let (site, project) = world().await;
    for path in [
        "/projects".to_owned(),
        "/groups".to_owned(),
        "/users".to_owned(),
        "/runners/all".to_owned(),
        format!("/projects/{project}/pipelines"),
        format!("/projects/{project}/jobs"),
        format!("/projects/{project}/variables"),
        format!("/projects/{project}/triggers"),
        format!("/projects/{project}/environments"),
        format!("/projects/{project}/deployments"),
        format!("/projects/{project}/protected_branches"),
        format!("/projects/{project}/members/all"),
        format!("/projects/{project}/repository/branches"),
        format!("/projects/{project}/repository/tags"),
        format!("/projects/{project}/repository/commits"),
        format!("/projects/{project}/repository/commits/main/statuses"),
        "/personal_access_tokens".to_owned(),
    ] {
        for query in [
            "page=x",
            "page=0",
            "page=-1",
            "page=99999999999999999999",
            "page=9223372036854775807&per_page=100",
            "per_page=0",
            "per_page=-5",
            "per_page=1.5",
            "page[]=1",
            "page[a]=1",
        ] {
            let reply = site.get(ADMIN, &format!("{path}?{query}")).await;
            assert!(
                is_refusal(&reply),
                "{path}?{query}: {} {}",
                reply.status,
                reply.text()
            );
        }
    }
}

#[tokio::test]
async fn fields() {
    let (site, project) = world().await;
    let base = format!("/projects/{project}");
    let calls: Vec<(Method, String, Value)> = vec![
        (
            Method::POST,
            "/projects".to_owned(),
            json!({ "name": "n", "path": "p", "description": "d", "visibility": "private",
                "namespace_id": 1, "build_timeout": 3600, "ci_config_path": "x.yml" }),
        ),
        (
            Method::PUT,
            base.clone(),
            json!({ "name": "n", "description": "d", "visibility": "public", "path": "p",
                "default_branch": "main", "build_timeout": 3600, "ci_default_git_depth": 5,
                "ci_config_path": "x.yml", "build_coverage_regex": "x", "public_jobs": true,
                "auto_cancel_pending_pipelines": "enabled", "build_git_strategy": "fetch",
                "keep_latest_artifact": true, "shared_runners_enabled": true }),
        ),
        (
            Method::POST,
            format!("{base}/pipeline"),
            json!({ "ref": "main", "variables": [] }),
        ),
        (
            Method::POST,
            format!("{base}/variables"),
            json!({ "key": "K", "value": "v", "variable_type": "env_var", "protected": true,
                "masked": false, "raw": false, "environment_scope": "*", "description": "d" }),
        ),
        (
            Method::POST,
            "/admin/ci/variables".to_owned(),
            json!({ "key": "K", "value": "v", "description": "d" }),
        ),
        (
            Method::POST,
            format!("{base}/triggers"),
            json!({ "description": "d" }),
        ),
        (
            Method::POST,
            format!("{base}/pipeline_schedules"),
            json!({ "description": "d", "ref": "main", "cron": "0 1 * * *",
                "cron_timezone": "UTC", "active": true }),
        ),
        (
            Method::POST,
            "/user/runners".to_owned(),
            json!({ "runner_type": "instance_type", "description": "d", "paused": true,
                "tag_list": ["a"], "run_untagged": true, "locked": false,
                "access_level": "not_protected", "maximum_timeout": 900,
                "maintenance_note": "n" }),
        ),
        (
            Method::POST,
            "/groups".to_owned(),
            json!({ "name": "n", "path": "p", "parent_id": 1 }),
        ),
        (
            Method::POST,
            "/users".to_owned(),
            json!({ "username": "u", "name": "n", "email": "u@example.com",
                "password": "long enough", "admin": false }),
        ),
    ];
    let calls = calls.into_iter().chain([
        (
            Method::POST,
            format!("{base}/protected_branches"),
            json!({ "name": "x", "push_access_level": 40, "merge_access_level": 40,
                "allow_force_push": false }),
        ),
        (
            Method::POST,
            format!("{base}/protected_tags"),
            json!({ "name": "x", "create_access_level": 40 }),
        ),
        (
            Method::POST,
            format!("{base}/members"),
            json!({ "username": "stranger", "access_level": 30 }),
        ),
        (
            Method::POST,
            "/users/1/personal_access_tokens".to_owned(),
            json!({ "name": "n", "scopes": ["api"], "expires_at": "2099-01-01" }),
        ),
    ]);
    let before = site.everything().await;
    let poisons = [
        json!({ "a": { "b": 1 } }),
        json!([{ "a": 1 }]),
        json!("a\u{0}b"),
        json!("x".repeat(1024 * 1024)),
    ];
    for (method, path, body) in calls {
        let fields: Vec<String> = body.as_object().unwrap().keys().cloned().collect();
        for field in fields {
            for poison in &poisons {
                let mut body = body.clone();
                body[&field] = poison.clone();
                let reply = site.json(ADMIN, method.clone(), &path, body).await;
                let shown: String = poison.to_string().chars().take(20).collect();
                assert!(
                    is_refusal(&reply),
                    "{method} {path} {field}={shown}: {} {}",
                    reply.status,
                    reply.text()
                );
            }
        }
    }
    assert_eq!(site.everything().await, before);
}
