//! Merge requests by the API.

use axum::http::{Method, StatusCode};
use serde_json::json;
use shipway_store::Visibility;

use super::site::Site;

#[tokio::test]
async fn merge_requests_from_open_to_merged() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    site.commit(&project).await;
    let base = format!("/projects/{}/merge_requests", project.id);
    let new = json!({ "source_branch": "feat/x", "target_branch": "main", "title": "More" });
    assert_eq!(
        site.post("reporter", &base, new.clone()).await.status,
        StatusCode::FORBIDDEN
    );
    for (field, value, status) in [
        ("target_branch", "feat/x", 400),
        ("source_branch", "gone", 400),
        ("target_branch", "gone", 400),
        ("title", "", 400),
    ] {
        let mut wrong = new.clone();
        wrong[field] = json!(value);
        let refused = site.post("developer", &base, wrong).await;
        assert_eq!(
            refused.status.as_u16(),
            status,
            "{field} {value}: {}",
            refused.text()
        );
    }
    let made = site.post("developer", &base, new.clone()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    let made = made.json();
    assert_eq!(
        (&made["iid"], &made["state"]),
        (&json!(1), &json!("opened"))
    );
    assert_eq!(made["author"]["username"], "developer");
    let twice = site.post("developer", &base, new).await;
    assert_eq!(twice.status, StatusCode::CONFLICT);
    let count = async |query: &str| {
        let listed = site
            .get("reporter", &format!("{base}?{query}"))
            .await
            .json();
        listed.as_array().unwrap().len()
    };
    assert_eq!(count("state=opened&source_branch=feat/x").await, 1);
    assert_eq!(count("state=merged").await, 0);
    assert_eq!(count("iids[]=1&iids[]=7").await, 1);
    let one = format!("{base}/1");
    let change = json!({ "title": "Other", "state_event": "close" });
    let changed = site
        .json("developer", Method::PUT, &one, change)
        .await
        .json();
    assert_eq!(
        (&changed["title"], &changed["state"]),
        (&json!("Other"), &json!("closed"))
    );
    let closed = site
        .post("developer", &format!("{one}/pipelines"), json!({}))
        .await;
    assert_eq!(closed.status, StatusCode::BAD_REQUEST);
    let merge = async |who: &str, body| {
        site.json(who, Method::PUT, &format!("{one}/merge"), body)
            .await
    };
    let refused = merge("maintainer", json!({})).await;
    assert_eq!(refused.status, StatusCode::METHOD_NOT_ALLOWED);
    let reopen = json!({ "state_event": "reopen" });
    let opened = site
        .json("developer", Method::PUT, &one, reopen)
        .await
        .json();
    assert_eq!(opened["state"], "opened");
    let protection = json!({ "name": "main" });
    let path = format!("/projects/{}/protected_branches", project.id);
    site.post("maintainer", &path, protection).await;
    let refused = merge("developer", json!({})).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    let moved = merge("maintainer", json!({ "sha": "1".repeat(40) })).await;
    assert_eq!(moved.status, StatusCode::CONFLICT);
    let merged = merge("maintainer", json!({})).await;
    assert_eq!(merged.status, StatusCode::OK, "{}", merged.text());
    assert_eq!(merged.json()["state"], "merged");
    let shown = site.get("reporter", &one).await.json();
    assert_eq!(shown["merge_commit_sha"].as_str().unwrap().len(), 40);
    let of_commit = async |sha: &str| {
        let path = format!(
            "/projects/{}/repository/commits/{sha}/merge_requests",
            project.id
        );
        let found = site.get("reporter", &path).await.json();
        found.as_array().unwrap().len()
    };
    assert_eq!(of_commit("main").await, 1);
    assert_eq!(of_commit("feat%2Fx").await, 1);
    assert_eq!(of_commit("v1.0%2Frc").await, 1);
    assert_eq!(
        site.get("reporter", &format!("{base}/2")).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn commits_become_one_as_the_project_says() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    site.commit(&project).await;
    let path = format!("/projects/{}", project.id);
    let settings = json!({ "merge_method": "ff", "squash_option": "always" });
    let set = site
        .json("maintainer", Method::PUT, &path, settings)
        .await
        .json();
    assert_eq!(
        (&set["merge_method"], &set["squash_option"]),
        (&json!("ff"), &json!("always"))
    );
    let wrong = json!({ "merge_method": "octopus" });
    let refused = site.json("maintainer", Method::PUT, &path, wrong).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    let new = json!({ "source_branch": "feat/x", "target_branch": "main", "title": "More" });
    let made = site
        .post("developer", &format!("{path}/merge_requests"), new)
        .await
        .json();
    assert_eq!(made["squash_on_merge"], true);
    let merge = format!("{path}/merge_requests/1/merge");
    let merged = site
        .json(
            "maintainer",
            Method::PUT,
            &merge,
            json!({ "squash": false }),
        )
        .await;
    // The project leaves no choice.
    assert_eq!(merged.status, StatusCode::OK, "{}", merged.text());
    let merged = merged.json();
    assert_eq!(merged["merge_commit_sha"], json!(null));
    assert_eq!(merged["squash_commit_sha"].as_str().unwrap().len(), 40);
}
