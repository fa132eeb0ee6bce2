//! Who may fetch and push: every role against every visibility, over HTTP.

use reqwest::Method;
use shipway_store::{MemberSource, Visibility};

use crate::site::{PASSWORD, Site};

#[tokio::test(flavor = "multi_thread")]
async fn roles_and_visibilities() {
    let site = Site::start().await;
    let group = site.group("group").await;
    site.pushed("group/app").await;
    let app = site.project("group/app").await;
    let names = [
        "",
        "stranger",
        "guest",
        "reporter",
        "developer",
        "inherited",
        "root",
    ];
    for (name, source, id, level) in [
        ("stranger", None, 0, 0),
        ("guest", Some(MemberSource::Project), app.id.0, 10),
        ("reporter", Some(MemberSource::Project), app.id.0, 20),
        ("developer", Some(MemberSource::Project), app.id.0, 30),
        ("inherited", Some(MemberSource::Namespace), group.0, 30),
    ] {
        let user = site.user(name).await;
        if let Some(source) = source {
            site.member(source, id, &user, level).await;
        }
    }
    // Fetch, then push, for each of the names.
    for (visibility, fetch, push) in [
        (
            Visibility::Private,
            [401, 404, 403, 200, 200, 200, 200],
            [401, 404, 403, 403, 200, 200, 200],
        ),
        (
            Visibility::Internal,
            [401, 200, 200, 200, 200, 200, 200],
            [401, 403, 403, 403, 200, 200, 200],
        ),
        (
            Visibility::Public,
            [200, 200, 200, 200, 200, 200, 200],
            [401, 403, 403, 403, 200, 200, 200],
        ),
    ] {
        site.make_visible("group/app", visibility).await;
        for (service, expected) in [("git-upload-pack", fetch), ("git-receive-pack", push)] {
            let mut found = Vec::new();
            for name in names {
                let path = format!("/group/app/info/refs?service={service}");
                let mut request = site.request(Method::GET, &path);
                if !name.is_empty() {
                    request = request.basic_auth(name, Some(PASSWORD));
                }
                let answer = request.send().await.unwrap();
                let status = answer.status().as_u16();
                let asks = answer.headers().contains_key("www-authenticate");
                assert_eq!(asks, status == 401, "{name}");
                found.push(status);
            }
            assert_eq!(found, expected, "{visibility} {service}");
        }
    }
}
