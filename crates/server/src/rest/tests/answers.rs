//! What the journey asks, and the answers whole.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use shipway_pipeline::Status;
use shipway_store::Visibility;

use super::site::{ADMIN, Site};

/// An answer without what differs from run to run.
fn steady(mut value: Value) -> Value {
    fn walk(key: &str, value: &mut Value) {
        match value {
            Value::Object(map) => map.iter_mut().for_each(|(key, value)| walk(key, value)),
            Value::Array(items) => items.iter_mut().for_each(|item| walk(key, item)),
            Value::String(text) => {
                let is_time = text.len() == 24 && text.ends_with('Z');
                if is_time {
                    *text = "[time]".to_owned();
                }
                while let Some(at) = find_sha(text) {
                    text.replace_range(at..at + 40, "[sha]");
                }
                if key == "short_id" {
                    *text = "[short]".to_owned();
                }
            }
            Value::Number(_) if key.ends_with("duration") => *value = "[seconds]".into(),
            _ => {}
        }
    }
    fn find_sha(text: &str) -> Option<usize> {
        let hex = |bytes: &[u8]| bytes.iter().all(|byte| byte.is_ascii_hexdigit());
        (text.as_bytes().windows(40))
            .position(|window| hex(window) && window.iter().any(|byte| *byte != b'0'))
    }
    walk("", &mut value);
    value
}

#[tokio::test]
async fn entities() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    let pipeline = site.pipeline(&project).await;
    let job = site.finish(&pipeline, "compile", Status::Success).await;
    for (name, path) in [
        ("project", "/projects/group%2Fproject".to_owned()),
        (
            "pipeline",
            format!("/projects/{}/pipelines/{}", project.id, pipeline.id),
        ),
        ("job", format!("/projects/{}/jobs/{job}", project.id)),
        ("runner", "/runners/1".to_owned()),
        ("user", "/user".to_owned()),
    ] {
        let reply = site.get("maintainer", &path).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}: {}", reply.text());
        assert_eq!(reply.headers["content-type"], "application/json");
        let shown = serde_json::to_string_pretty(&steady(reply.json())).unwrap();
        insta::assert_snapshot!(name, shown);
    }
}

#[tokio::test]
async fn pages_of_lists() {
    let site = Site::new().await;
    for index in 0..5 {
        site.project(&format!("p{index}"), Visibility::Public).await;
    }
    let site = &site;
    let list = |query: &'static str| async move {
        let reply = site
            .ask(None, Method::GET, &format!("/projects?{query}"), None)
            .await;
        let header = |name: &str| {
            let value = reply.headers.get(name);
            value
                .map_or("-", |value| value.to_str().unwrap())
                .to_owned()
        };
        let names: Vec<String> = (reply.json().as_array().unwrap().iter())
            .map(|project| project["path"].as_str().unwrap().to_owned())
            .collect();
        let numbers = [
            "x-page",
            "x-per-page",
            "x-prev-page",
            "x-next-page",
            "x-total",
            "x-total-pages",
        ];
        (
            names.join(" "),
            numbers.map(header).join("|"),
            header("link"),
        )
    };
    let (names, numbers, link) = list("per_page=2&page=2&simple=True").await;
    assert_eq!(names, "p2 p1");
    assert_eq!(numbers, "2|2|1|3|5|3");
    let base = site.app.settings().external_url.to_string();
    for (name, page) in [("prev", 1), ("next", 3), ("first", 1), ("last", 3)] {
        let url =
            format!("<{base}/api/v4/projects?simple=True&page={page}&per_page=2>; rel=\"{name}\"");
        assert!(link.contains(&url), "{link}");
    }
    assert_eq!(list("per_page=500").await.1, "1|100|||5|1");
    assert_eq!(list("search=nothing").await.1, "1|20|||0|1");
    assert_eq!(list("order_by=name&sort=asc&per_page=2").await.0, "p0 p1");
    let (names, _, link) = list("pagination=keyset&order_by=id&sort=asc&per_page=2").await;
    assert_eq!(names, "p0 p1");
    assert!(
        link.contains("id_after=2") && link.contains("rel=\"next\""),
        "{link}"
    );
    let (names, numbers, _) =
        list("pagination=keyset&order_by=id&sort=asc&per_page=2&id_after=4").await;
    assert_eq!((names.as_str(), numbers.as_str()), ("p4", "-|-|-|-|-|-"));
}

#[tokio::test]
async fn a_pipeline_by_the_api() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    site.commit(&project).await;
    let base = format!("/projects/{}", project.id);
    let made = site
        .post(
            "developer",
            &format!("{base}/pipeline"),
            json!({ "ref": "main", "variables": [{ "key": "A", "value": "b" }] }),
        )
        .await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    let pipeline = made.json();
    assert_eq!(pipeline["source"], "api");
    assert_eq!(pipeline["user"]["username"], "developer");
    let id = pipeline["id"].as_i64().unwrap();
    let variables = site
        .get("developer", &format!("{base}/pipelines/{id}/variables"))
        .await;
    assert_eq!(variables.json()[0]["key"], "A");
    let latest = site.get("guest", &format!("{base}/pipelines/latest")).await;
    assert_eq!(latest.status, StatusCode::FORBIDDEN);
    let latest = site
        .get("reporter", &format!("{base}/pipelines/latest"))
        .await;
    assert_eq!(latest.json()["id"], id);
    for (body, fault) in [
        (
            json!({ "ref": "nowhere" }),
            r#"{"message":{"base":["Reference not found"]}}"#,
        ),
        (json!({}), r#"{"error":"ref is missing"}"#),
        (
            json!({ "ref": "main", "variables": "x" }),
            r#"{"error":"variables is invalid"}"#,
        ),
    ] {
        let refused = site
            .post("developer", &format!("{base}/pipeline"), body)
            .await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert_eq!(refused.text(), fault);
    }
    for (action, status) in [("cancel", 200), ("cancel", 200), ("retry", 201)] {
        let path = format!("{base}/pipelines/{id}/{action}");
        let done = site.post("developer", &path, json!({})).await;
        assert_eq!(done.status.as_u16(), status, "{}", done.text());
    }
    let list = |query: &'static str| {
        let path = format!("{base}/pipelines?{query}");
        let site = &site;
        async move { site.get("reporter", &path).await }
    };
    for (query, count) in [
        ("ref=main", 1),
        ("ref=feat/x", 0),
        ("source=api", 1),
        ("source=push", 0),
        ("username=developer", 1),
        ("username=owner", 0),
        ("scope=tags", 0),
        ("scope=branches", 1),
        ("yaml_errors=true", 0),
        ("updated_after=2000-01-01T00:00:00Z", 1),
        ("updated_before=2000-01-01T00:00:00Z", 0),
        ("order_by=updated_at&sort=asc", 1),
    ] {
        let reply = list(query).await;
        assert_eq!(
            reply.json().as_array().map(Vec::len),
            Some(count),
            "{query}"
        );
    }
    assert_eq!(
        list("status=nonsense").await.status,
        StatusCode::BAD_REQUEST
    );
    let path = format!("{base}/pipelines/{id}");
    let refused = site
        .ask(Some("maintainer"), Method::DELETE, &path, None)
        .await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let gone = site.ask(Some("owner"), Method::DELETE, &path, None).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert_eq!(
        site.get("owner", &path).await.text(),
        r#"{"message":"404 Pipeline Not Found"}"#
    );
}

#[tokio::test]
async fn a_job_its_log_and_its_artifacts() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    let pipeline = site.pipeline(&project).await;
    let job = site.finish(&pipeline, "compile", Status::Failed).await;
    let base = format!("/projects/{}/jobs/{job}", project.id);
    let log = site.get("reporter", &format!("{base}/trace")).await;
    assert_eq!(log.text(), "line one\nline two\n");
    assert_eq!(log.headers["content-type"], "text/plain");
    assert_eq!(log.headers["content-length"], "18");
    let file = site
        .get("reporter", &format!("{base}/artifacts/out/a%20b.txt"))
        .await;
    assert_eq!(file.text(), "from the archive\n");
    let archive = site.get("reporter", &format!("{base}/artifacts")).await;
    assert_eq!(&archive.body[..2], b"PK");
    assert_eq!(
        archive.headers["content-disposition"],
        "attachment; filename=\"artifacts.zip\""
    );
    for (path, status) in [
        ("out/none", 404),
        ("..%2Fx", 400),
        ("out%2F..%2Fx", 400),
        ("out/", 400),
    ] {
        let refused = site
            .get("reporter", &format!("{base}/artifacts/{path}"))
            .await;
        assert_eq!(
            refused.status.as_u16(),
            status,
            "{path}: {}",
            refused.text()
        );
    }
    let act = |who: &'static str, action: &'static str| {
        let path = format!("{base}/{action}");
        let site = &site;
        async move { site.post(who, &path, json!({})).await }
    };
    assert_eq!(
        act("developer", "artifacts/keep").await.status,
        StatusCode::OK
    );
    let retried = act("developer", "retry").await;
    assert_eq!(retried.status, StatusCode::CREATED, "{}", retried.text());
    assert_ne!(retried.json()["id"], job.0);
    let again = act("developer", "retry").await;
    assert_eq!(
        again.text(),
        r#"{"message":"403 Forbidden - Job is not retryable"}"#
    );
    let played = act("developer", "play").await;
    assert_eq!(
        played.text(),
        r#"{"message":"400 Bad request - Unplayable Job"}"#
    );
    let erased = act("developer", "erase").await;
    assert_eq!(erased.status, StatusCode::CREATED);
    assert_eq!(erased.json()["artifacts"], json!([]));
    assert!(erased.json()["erased_at"].is_string());
    assert_eq!(
        site.get("reporter", &format!("{base}/trace")).await.text(),
        ""
    );
    let again = act("developer", "erase").await;
    assert_eq!(
        again.text(),
        r#"{"message":"403 Forbidden - Job is not erasable!"}"#
    );
    let jobs = format!("/projects/{}/pipelines/{}/jobs", project.id, pipeline.id);
    let count = |reply: super::site::Reply| reply.json().as_array().unwrap().len();
    assert_eq!(count(site.get("reporter", &jobs).await), 2);
    assert_eq!(
        count(
            site.get("reporter", &format!("{jobs}?include_retried=true"))
                .await
        ),
        3
    );
    let all = format!(
        "/projects/{}/jobs?scope[]=failed&scope[]=pending",
        project.id
    );
    assert_eq!(count(site.get("reporter", &all).await), 2);
    let wrong = format!("/projects/{}/jobs?scope=nonsense", project.id);
    let wrong = site.get("reporter", &wrong).await;
    assert_eq!(
        wrong.text(),
        r#"{"error":"Scope contains invalid value(s)"}"#
    );
}

#[tokio::test]
async fn artifacts_of_a_ref() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Public).await;
    let pipeline = site.pipeline(&project).await;
    site.finish(&pipeline, "compile", Status::Success).await;
    let play = site.job(&pipeline, "deploy").await;
    let played = format!("/projects/{}/jobs/{play}/play", project.id);
    assert_eq!(
        site.post("developer", &played, json!({})).await.status,
        StatusCode::OK
    );
    let base = "/projects/group%2Fproject/jobs/artifacts/main";
    // The pipeline goes on: nothing of it is the latest successful one.
    let early = format!("{base}/download?job=compile");
    assert_eq!(
        site.get("stranger", &early).await.status,
        StatusCode::NOT_FOUND
    );
    site.finish(&pipeline, "deploy", Status::Success).await;
    let archive = site
        .get("stranger", &format!("{base}/download?job=compile"))
        .await;
    assert_eq!(archive.status, StatusCode::OK, "{}", archive.text());
    let file = site
        .get("stranger", &format!("{base}/raw/out/a%20b.txt?job=compile"))
        .await;
    assert_eq!(file.text(), "from the archive\n");
    let unnamed = site.get("stranger", &format!("{base}/download")).await;
    assert_eq!(unnamed.text(), r#"{"error":"job is missing"}"#);
}

#[tokio::test]
async fn secrets_are_shown_once() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    site.commit(&project).await;
    let base = format!("/projects/{}", project.id);
    let hidden = json!({ "key": "SECRET", "value": "hidden-value", "masked_and_hidden": true });
    let made = site
        .post("maintainer", &format!("{base}/variables"), hidden)
        .await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    for reply in [
        made,
        site.get("maintainer", &format!("{base}/variables")).await,
        site.get("maintainer", &format!("{base}/variables/SECRET"))
            .await,
        site.json(
            "maintainer",
            Method::PUT,
            &format!("{base}/variables/SECRET"),
            json!({ "masked": false }),
        )
        .await,
    ] {
        assert!(!reply.text().contains("hidden-value"), "{}", reply.text());
    }
    let made = site
        .post(
            "maintainer",
            &format!("{base}/triggers"),
            json!({ "description": "d" }),
        )
        .await;
    let secret = made.json()["token"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("glptt-"));
    let listed = site.get("maintainer", &format!("{base}/triggers")).await;
    assert!(!listed.text().contains(&secret));
    let body = json!({ "runner_type": "project_type", "project_id": project.id.0 });
    let made = site.post("maintainer", "/user/runners", body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    let secret = made.json()["token"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("glrt-"));
    let listed = site.get("maintainer", &format!("{base}/runners")).await;
    assert_eq!(listed.json().as_array().unwrap().len(), 1);
    assert!(!listed.text().contains(&secret));
}

#[tokio::test]
async fn a_trigger_in_all_its_forms() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    site.commit(&project).await;
    let secret = site.trigger(&project, "developer").await;
    let path = "/projects/group%2Fproject/trigger/pipeline";
    let form = format!("token={secret}&ref=main&variables%5BA%5D=b");
    let kind = "application/x-www-form-urlencoded";
    let by_form = site
        .ask(
            None,
            Method::POST,
            path,
            Some((kind, form.clone().into_bytes())),
        )
        .await;
    let by_query = site
        .ask(None, Method::POST, &format!("{path}?{form}"), None)
        .await;
    let body = json!({ "token": secret, "ref": "main", "variables": { "A": "b" }, "inputs": {} });
    let body = body.to_string().into_bytes();
    let by_json = site
        .ask(None, Method::POST, path, Some(("application/json", body)))
        .await;
    for reply in [by_form, by_query, by_json] {
        assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text());
        let pipeline = reply.json();
        assert_eq!(pipeline["source"], "trigger");
        let id = &pipeline["id"];
        let variables = site
            .get(
                "maintainer",
                &format!("/projects/{}/pipelines/{id}/variables", project.id),
            )
            .await;
        assert_eq!(variables.json()[0]["value"], "b");
    }
    let hook = format!(
        "/projects/{}/ref/feat%2Fx/trigger/pipeline?token={secret}",
        project.id
    );
    let body = br#"{"ref": "refs/heads/other", "object_kind": "push"}"#.to_vec();
    let hooked = site
        .ask(None, Method::POST, &hook, Some(("application/json", body)))
        .await;
    assert_eq!(hooked.json()["ref"], "feat/x", "{}", hooked.text());
    for (query, status) in [
        ("token=wrong&ref=main".to_owned(), 404),
        ("ref=main".to_owned(), 400),
        (format!("token={secret}"), 400),
        (format!("token={secret}&ref=none"), 400),
        (format!("token={secret}&ref=main&variables=x"), 400),
    ] {
        let refused = site
            .ask(None, Method::POST, &format!("{path}?{query}"), None)
            .await;
        assert_eq!(
            refused.status.as_u16(),
            status,
            "{query}: {}",
            refused.text()
        );
    }
    // A token does no more than its owner may now.
    let stale = site.trigger(&project, "reporter").await;
    let refused = site
        .ask(
            None,
            Method::POST,
            &format!("{path}?token={stale}&ref=main"),
            None,
        )
        .await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn variables_by_scope() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    let base = format!("/projects/{}/variables", project.id);
    for scope in ["*", "prod"] {
        let body = json!({ "key": "K", "value": scope, "environment_scope": scope });
        assert_eq!(
            site.post("maintainer", &base, body).await.status,
            StatusCode::CREATED
        );
    }
    let again = site
        .post("maintainer", &base, json!({ "key": "K", "value": "x" }))
        .await;
    assert_eq!(
        again.text(),
        r#"{"message":{"key":["(K) has already been taken"]}}"#
    );
    let either = site.get("maintainer", &format!("{base}/K")).await;
    assert_eq!(either.status, StatusCode::CONFLICT);
    let one = site
        .get(
            "maintainer",
            &format!("{base}/K?filter%5Benvironment_scope%5D=prod"),
        )
        .await;
    assert_eq!(one.json()["value"], "prod");
    let short = json!({ "key": "S", "value": "short", "masked": true });
    let short = site.post("maintainer", &base, short).await;
    assert_eq!(short.text(), r#"{"message":{"value":["is invalid"]}}"#);
    let path = format!("{base}/K?filter[environment_scope]=prod");
    let gone = site
        .ask(Some("maintainer"), Method::DELETE, &path, None)
        .await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    let list = site.get("maintainer", &base).await;
    assert_eq!(list.json().as_array().unwrap().len(), 1);
    let instance = site
        .post(
            ADMIN,
            "/admin/ci/variables",
            json!({ "key": "I", "value": "x" }),
        )
        .await;
    assert_eq!(instance.json().get("environment_scope"), None);
}

#[tokio::test]
async fn schedules() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    site.commit(&project).await;
    let base = format!("/projects/{}/pipeline_schedules", project.id);
    let wish = |cron: &str| json!({ "description": "nightly", "ref": "main", "cron": cron });
    let wrong = site.post("developer", &base, wish("never")).await;
    assert_eq!(
        wrong.text(),
        r#"{"message":{"cron":["syntax is invalid"]}}"#
    );
    let made = site.post("developer", &base, wish("0 4 * * *")).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    let schedule = made.json();
    assert_eq!(schedule["ref"], "refs/heads/main");
    assert_eq!(schedule["owner"]["username"], "developer");
    assert!(schedule["next_run_at"].is_string());
    let one = format!("{base}/{}", schedule["id"]);
    let variable = json!({ "key": "A", "value": "b" });
    let added = site
        .post("developer", &format!("{one}/variables"), variable)
        .await;
    assert_eq!(added.status, StatusCode::CREATED);
    let seen = |who: &'static str| {
        let site = &site;
        let one = one.clone();
        async move { site.get(who, &one).await.json().get("variables").cloned() }
    };
    assert_eq!(seen("reporter").await, None);
    assert_eq!(seen("developer").await.unwrap()[0]["value"], "b");
    let played = site
        .post("developer", &format!("{one}/play"), json!({}))
        .await;
    assert_eq!(played.text(), r#"{"message":"201 Created"}"#);
    let pipelines = site.get("developer", &format!("{one}/pipelines")).await;
    assert_eq!(pipelines.json()[0]["source"], "schedule");
    let removed = site
        .ask(
            Some("developer"),
            Method::DELETE,
            &format!("{one}/variables/A"),
            None,
        )
        .await;
    assert_eq!(removed.status, StatusCode::ACCEPTED);
    let off = site
        .json(
            "maintainer",
            Method::PUT,
            &one,
            json!({ "active": "false" }),
        )
        .await;
    assert_eq!(off.json()["active"], false);
    let gone = site
        .ask(Some("developer"), Method::DELETE, &one, None)
        .await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn unknown_routes_and_methods() {
    let site = Site::new().await;
    for path in [
        "/nothing",
        "/projects/1/nothing",
        "/projects/1/pipelines/2/nothing",
    ] {
        let reply = site.get(ADMIN, path).await;
        assert_eq!(
            (reply.status.as_u16(), reply.text().as_str()),
            (404, r#"{"error":"404 Not Found"}"#),
            "{path}"
        );
    }
    let reply = site
        .ask(Some(ADMIN), Method::DELETE, "/version", None)
        .await;
    assert_eq!(
        (reply.status.as_u16(), reply.text().as_str()),
        (405, r#"{"error":"405 Not Allowed"}"#)
    );
}
