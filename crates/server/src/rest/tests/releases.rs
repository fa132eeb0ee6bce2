//! Releases, their links, and badges, as programs make them.

use axum::http::{Method, StatusCode};
use serde_json::json;
use shipway_store::{ProtectedRefRow, RefKind, Visibility};

use super::site::{ADMIN, Site, job_secret};

#[tokio::test]
async fn a_release_lives_with_its_tag() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    let sha = site.commit(&project).await;
    let base = format!("/projects/{}/releases", project.id);
    let new = json!({
        "tag_name": "v1.0/rc", "name": "First", "description": "## Notes",
        "released_at": "2099-01-02T03:04:05Z",
        "assets": { "links": [
            { "name": "app", "url": "https://example.com/app", "filepath": "/bin/app", "link_type": "package" },
        ] },
    });
    let made = site.post("developer", &base, new.clone()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    let made = made.json();
    for (field, value) in [
        ("tag_name", json!("v1.0/rc")),
        ("name", json!("First")),
        ("description", json!("## Notes")),
        ("released_at", json!("2099-01-02T03:04:05.000Z")),
        ("upcoming_release", json!(true)),
        ("milestones", json!([])),
        ("evidences", json!([])),
    ] {
        assert_eq!(made[field], value, "{field}");
    }
    assert_eq!(made["commit"]["id"], sha);
    assert_eq!(made["author"]["username"], "developer");
    assert_eq!(made["assets"]["count"], 5);
    let direct = made["assets"]["links"][0]["direct_asset_url"].as_str();
    let end = "/group/project/-/releases/v1.0%2Frc/downloads/bin/app";
    assert!(direct.unwrap().ends_with(end), "{direct:?}");
    let again = site.post("developer", &base, new).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert_eq!(again.json()["message"], "Release already exists");

    let one = format!("{base}/v1.0%2Frc");
    assert_eq!(site.get("reporter", &one).await.json(), made);
    // A guest sees the release and nothing of the code.
    let seen = site.get("guest", &one).await.json();
    assert_eq!(seen["assets"]["count"], 1, "{seen}");
    assert!(seen.get("commit").is_none() && seen["assets"].get("sources").is_none());
    let tag = format!("/projects/{}/repository/tags/v1.0%2Frc", project.id);
    let tag = site.get("reporter", &tag).await.json();
    assert_eq!(
        tag["release"],
        json!({ "tag_name": "v1.0/rc", "description": "## Notes" })
    );
    let file = site.get("guest", &format!("{one}/downloads/bin/app")).await;
    assert_eq!(file.status, StatusCode::FOUND, "{}", file.text());
    assert_eq!(file.headers["location"], "https://example.com/app");
    let latest = site
        .get(
            "guest",
            &format!("{base}/permalink/latest/downloads/bin/app"),
        )
        .await;
    let location = latest.headers["location"].to_str().unwrap().to_owned();
    assert!(
        location.ends_with(&format!("{one}/downloads/bin/app")),
        "{location}"
    );

    let changed = json!({ "name": "Second", "released_at": "2020-01-01" });
    let changed = site.json("developer", Method::PUT, &one, changed).await;
    let changed = changed.json();
    assert_eq!(
        (
            &changed["name"],
            &changed["description"],
            &changed["upcoming_release"]
        ),
        (&json!("Second"), &json!("## Notes"), &json!(false))
    );
    let gone = site
        .ask(Some("developer"), Method::DELETE, &one, None)
        .await;
    assert_eq!((gone.status, &gone.json()), (StatusCode::OK, &changed));
    assert_eq!(
        site.get("developer", &one).await.status,
        StatusCode::NOT_FOUND
    );
    let refs = site.app.coordinator().find_ref(&project, "v1.0/rc").await;
    assert!(refs.unwrap().is_some(), "the tag stays");
}

#[tokio::test]
async fn a_release_makes_its_tag_and_that_its_pipeline() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    let pipeline = site.pipeline(&project).await;
    let sha = pipeline.sha.clone().unwrap();
    let base = format!("/projects/{}/releases", project.id);
    // By the job that runs, as `release-cli` asks.
    let job = site.job(&pipeline, "compile").await;
    site.claim(&pipeline, job).await;
    let path = format!("{base}?job_token={}", job_secret(job));
    let body = "name=v2&tag_name=v2&ref=main&tag_message=Two&description=x\
        &assets[links][0][name]=a&assets[links][0][url]=https://example.com";
    let form = (
        "application/x-www-form-urlencoded",
        body.as_bytes().to_vec(),
    );
    let made = site.ask(None, Method::POST, &path, Some(form)).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    assert_eq!(made.json()["commit"]["id"], sha);
    assert_eq!(made.json()["author"]["username"], "developer");
    let tag = format!("/projects/{}/repository/tags/v2", project.id);
    let tag = site.get("developer", &tag).await.json();
    assert_eq!(tag["message"], "Two", "{tag}");
    assert_eq!(tag["commit"]["id"], sha);
    let pipelines = format!("/projects/{}/pipelines?ref=v2", project.id);
    let found = site.get("developer", &pipelines).await.json();
    assert_eq!(found[0]["sha"], sha, "{found}");

    let listed = site.get("developer", &base).await;
    assert_eq!(listed.headers["x-total"], "1");
    for (body, status, message) in [
        (json!({ "tag_name": "v3" }), 422, "Ref is not specified"),
        (
            json!({ "tag_name": "v3", "ref": "none" }),
            400,
            "Target none is invalid",
        ),
        (
            json!({ "tag_name": "a..b", "ref": "main" }),
            400,
            "Tag name invalid",
        ),
        (
            json!({ "tag_name": "--x", "ref": "main" }),
            400,
            "Tag name invalid",
        ),
        (
            json!({ "tag_name": "v3", "ref": "main", "milestones": ["m"] }),
            400,
            "Milestone(s) not found: m",
        ),
    ] {
        let reply = site.post("developer", &base, body.clone()).await;
        assert_eq!(reply.status.as_u16(), status, "{body}: {}", reply.text());
        assert_eq!(reply.json()["message"], message, "{body}");
    }
}

#[tokio::test]
async fn a_protected_tag_is_released_by_those_who_may_make_it() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    site.commit(&project).await;
    let protection = ProtectedRefRow {
        id: shipway_store::ProtectedRefId(0),
        project_id: project.id,
        kind: RefKind::Tag,
        pattern: "v*".to_owned(),
        push_level: 40,
        merge_level: 40,
    };
    let mut transaction = site.app.store().begin().await.unwrap();
    transaction.set_protected_ref(&protection).await.unwrap();
    transaction.commit().await.unwrap();
    let base = format!("/projects/{}/releases", project.id);
    let before = site.everything().await;
    for tag in ["v1.0/rc", "v9"] {
        let new = json!({ "tag_name": tag, "ref": "main" });
        let reply = site.post("developer", &base, new).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{}", reply.text());
    }
    assert_eq!(site.everything().await, before);
    let new = json!({ "tag_name": "v9", "ref": "main" });
    let made = site.post("maintainer", &base, new).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    let one = format!("{base}/v9");
    let change = json!({ "name": "x" });
    let reply = site.json("developer", Method::PUT, &one, change).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    let link = json!({ "name": "x", "url": "https://example.com" });
    let links = format!("{one}/assets/links");
    let reply = site.post("developer", &links, link).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn links_of_a_release() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    site.commit(&project).await;
    let base = format!("/projects/{}/releases", project.id);
    let new = json!({ "tag_name": "v1.0/rc" });
    site.post("developer", &base, new).await;
    let links = format!("{base}/v1.0%2Frc/assets/links");
    let new = json!({ "name": "a", "url": "https://example.com/a" });
    let made = site.post("developer", &links, new.clone()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    let made = made.json();
    assert_eq!(made["link_type"], "other");
    assert_eq!(made["direct_asset_url"], "https://example.com/a");
    for (body, name) in [
        (new, "taken"),
        (
            json!({ "name": "b", "url": "javascript:alert(1)" }),
            "a scheme",
        ),
        (
            json!({ "name": "b", "url": "https://x", "filepath": "../x" }),
            "a path",
        ),
        (
            json!({ "name": "b", "url": "https://x", "link_type": "x" }),
            "a type",
        ),
        (json!({ "name": "b" }), "no url"),
    ] {
        let reply = site.post("developer", &links, body).await;
        assert_eq!(
            reply.status,
            StatusCode::BAD_REQUEST,
            "{name}: {}",
            reply.text()
        );
    }
    let one = format!("{links}/{}", made["id"]);
    let change = json!({ "direct_asset_path": "/app", "link_type": "image" });
    let changed = site
        .json("developer", Method::PUT, &one, change)
        .await
        .json();
    assert_eq!(changed["name"], "a");
    let direct = changed["direct_asset_url"].as_str().unwrap();
    assert!(direct.ends_with("/downloads/app"), "{direct}");
    assert_eq!(site.get("guest", &one).await.json(), changed);
    assert_eq!(site.get("guest", &links).await.json(), json!([changed]));
    let gone = site
        .ask(Some("developer"), Method::DELETE, &one, None)
        .await;
    assert_eq!((gone.status, gone.json()), (StatusCode::OK, changed));
    assert_eq!(site.get("guest", &links).await.json(), json!([]));
}

#[tokio::test]
async fn badges() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Public).await;
    let sha = site.commit(&project).await;
    let base = format!("/projects/{}/badges", project.id);
    let new = json!({
        "name": "Pipeline",
        "link_url": "https://example.com/%{project_path}/%{commit_sha}",
        "image_url": "https://example.com/%{project_id}/%{default_branch}.svg",
    });
    let made = site.post("maintainer", &base, new).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    let made = made.json();
    assert_eq!(made["kind"], "project");
    assert_eq!(
        made["rendered_link_url"],
        format!("https://example.com/group/project/{sha}")
    );
    let image = format!("https://example.com/{}/main.svg", project.id);
    assert_eq!(made["rendered_image_url"], image);
    let one = format!("{base}/{}", made["id"]);
    let listed = site.ask(None, Method::GET, &base, None).await;
    assert_eq!(listed.json(), json!([made]));
    let none = site.get("guest", &format!("{base}?name=other")).await;
    assert_eq!(none.json(), json!([]));
    let query = "link_url=https://a/%25%7Bproject_name%7D&image_url=https://b";
    let rendered = site.get("guest", &format!("{base}/render?{query}")).await;
    assert_eq!(rendered.json()["rendered_link_url"], "https://a/project");
    for url in [
        "",
        "ftp://a",
        "javascript:alert(1)",
        "https://a b",
        "https://\"",
        "https:///x",
    ] {
        let change = json!({ "link_url": url });
        let reply = site.json("maintainer", Method::PUT, &one, change).await;
        assert_eq!(
            reply.status,
            StatusCode::BAD_REQUEST,
            "{url}: {}",
            reply.text()
        );
    }
    let change = json!({ "name": "Other" });
    let changed = site
        .json("maintainer", Method::PUT, &one, change)
        .await
        .json();
    assert_eq!(changed["name"], "Other");
    assert_eq!(changed["link_url"], made["link_url"]);
    let gone = site.ask(Some(ADMIN), Method::DELETE, &one, None).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert_eq!(site.get("guest", &one).await.status, StatusCode::NOT_FOUND);
}
