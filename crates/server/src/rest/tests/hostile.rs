//! Bad input on every route: refused in GitLab's form, and nothing changes.

use axum::http::Method;
use shipway_store::Visibility;

use super::site::{ADMIN, Reply, Site};
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

/// Of a package any name and any content is right; what is wrong of it is tested with them.
fn takes_a_file(endpoint: &Endpoint) -> bool {
    endpoint.method == Method::PUT && endpoint.path.ends_with("/{*file}")
}

async fn world() -> (Site, i64) {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    site.pipeline(&project).await;
    (site, project.id.0)
}

pub(super) fn is_refusal(reply: &Reply) -> bool {
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
    for endpoint in &crate::rest::all().into_table() {
        if takes_a_file(endpoint) {
            continue;
        }
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
    let writes = crate::rest::all().into_table().into_iter();
    for endpoint in writes.filter(|row| row.method != Method::GET && !takes_a_file(row)) {
        let path = address(&endpoint, project, "1")
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
        format!("/projects/{project}/releases"),
        format!("/projects/{project}/packages"),
        format!("/projects/{project}/badges"),
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
