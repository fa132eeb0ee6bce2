//! Every parameter of every route that reads, with values that nobody means: answered or refused
//! in GitLab's form, and nothing changes. Which parameters a route has it says itself: by refusing
//! all there are, one after the other.

use std::collections::BTreeSet;
use std::path::Path;

use axum::http::Method;

use super::fields::World;
use super::hostile::is_refusal;
use super::site::ADMIN;

/// The names of parameters in the sources of this interface: what is asked of `params`.
fn names() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/rest")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let Ok(text) = std::fs::read_to_string(&path) else {
                continue;
            };
            let text = text.split("#[cfg(test)]").next().unwrap_or_default();
            let text: String = text.split_whitespace().collect();
            for asked in text.split("params.").skip(1) {
                let name = asked
                    .split_once("(\"")
                    .filter(|(method, _)| {
                        method.bytes().all(|c| c.is_ascii_lowercase() || c == b'_')
                    })
                    .and_then(|(_, rest)| rest.split('"').next());
                names.extend(name.map(str::to_owned));
            }
        }
    }
    names
}

#[tokio::test]
async fn every_parameter_of_every_route_that_reads() {
    let names = names();
    for known in ["ref", "status", "updated_after", "iids", "order_by"] {
        assert!(names.contains(known), "{known} is not in {names:?}");
    }
    let world = World::new().await;
    let site = &world.site;
    let before = site.everything().await;
    let mut found = 0;
    let reads = crate::rest::all().into_table().into_iter();
    for endpoint in reads.filter(|row| row.method == Method::GET && !row.path.contains("{*")) {
        // What has no name here is number 1, which is there or not.
        let parts = world.known(endpoint.path);
        let parts = parts.split('/').map(|part| match part.starts_with('{') {
            true => "1",
            false => part,
        });
        let address = parts.collect::<Vec<_>>().join("/");
        let ask = async |query: &str| {
            let reply = site.get(ADMIN, &format!("{address}?{query}")).await;
            let fine = reply.status.is_success() || reply.status.is_redirection();
            let shown: String = query.chars().take(200).collect();
            assert!(
                fine || is_refusal(&reply),
                "GET {address}?{shown}: {} {}",
                reply.status,
                reply.text()
            );
            (!fine).then(|| reply.text())
        };
        let mut rest: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut own = Vec::new();
        loop {
            let query: Vec<String> = rest.iter().map(|name| format!("{name}[a][b]=1")).collect();
            let Some(said) = ask(&query.join("&")).await else {
                break;
            };
            let culprit = |name: &&str| said.contains(&format!("\"{name} is invalid"));
            let Some(at) = rest.iter().position(culprit) else {
                break;
            };
            own.push(rest.remove(at));
        }
        found += own.len();
        for name in own {
            for value in ["99999999999999999999", "-1", "%0A%F0%9F%92%A5", "%00"] {
                ask(&format!("{name}={value}")).await;
            }
            ask(&format!("{name}[]=1&{name}[]=2")).await;
            ask(&format!("{name}={}", "x".repeat(20_000))).await;
        }
        for query in ["a=%FF", "a=%00", "a[=1", "%"] {
            ask(query).await;
        }
    }
    assert!(found > 100, "only {found} parameters were found");
    assert_eq!(site.everything().await, before);
}

#[tokio::test]
async fn without_what_a_route_has_to_be_told() {
    let world = World::new().await;
    let before = world.site.everything().await;
    // What makes something cannot do so without being told what.
    for (route, fields) in [
        ("/groups", vec!["name", "path"]),
        ("/users", vec!["username", "email", "name"]),
        ("/projects/{id}/variables", vec!["key", "value"]),
        ("/groups/{id}/variables", vec!["key", "value"]),
        ("/admin/ci/variables", vec!["key", "value"]),
        ("/projects/{id}/members", vec!["user_id", "access_level"]),
        ("/groups/{id}/members", vec!["user_id", "access_level"]),
        ("/projects/{id}/pipeline", vec!["ref"]),
        ("/projects/{id}/trigger/pipeline", vec!["token", "ref"]),
        (
            "/projects/{id}/pipeline_schedules",
            vec!["description", "ref", "cron"],
        ),
        (
            "/projects/{id}/pipeline_schedules/{schedule_id}/variables",
            vec!["key", "value"],
        ),
        ("/projects/{id}/triggers", vec!["description"]),
        ("/projects/{id}/releases", vec!["tag_name"]),
        (
            "/projects/{id}/merge_requests",
            vec!["source_branch", "target_branch", "title"],
        ),
        ("/projects/{id}/protected_branches", vec!["name"]),
        ("/projects/{id}/protected_tags", vec!["name"]),
        ("/projects/{id}/badges", vec!["link_url", "image_url"]),
        ("/projects/{id}/statuses/{sha}", vec!["state"]),
        ("/projects/{id}/ci/lint", vec!["content"]),
        ("/user/runners", vec!["runner_type"]),
    ] {
        let address = world.address(route);
        let told = super::fields::told(&format!("POST {route}"));
        let told = told.unwrap_or_else(|| panic!("{route} is told nothing"));
        for field in fields {
            let mut told = told.clone();
            told.as_object_mut().unwrap().remove(field);
            for wrong in [
                told.clone(),
                super::fields::with(told, field, serde_json::Value::Null),
            ] {
                let reply = world.site.post(ADMIN, &address, wrong).await;
                assert!(
                    is_refusal(&reply),
                    "POST {route} without {field}: {} {}",
                    reply.status,
                    reply.text()
                );
            }
        }
    }
    assert_eq!(world.site.everything().await, before);
}
