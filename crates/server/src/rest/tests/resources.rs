//! Environments, protections, tokens and members, as programs change them.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use shipway_pipeline::Status;
use shipway_store::{
    DeploymentStatus, EnvironmentState, JobUpdate, NewDeployment, NewEnvironment, Visibility,
};

use super::site::{ADMIN, Site};
use crate::clock::now;

#[tokio::test]
async fn environments_and_deployments() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    let pipeline = site.pipeline(&project).await;
    let job = site.finish(&pipeline, "compile", Status::Success).await;
    let stop = site.job(&pipeline, "deploy").await;
    let mut transaction = site.app.store().begin().await.unwrap();
    let environment = NewEnvironment {
        project_id: project.id,
        name: "production/eu".to_owned(),
        slug: "production-eu".to_owned(),
        state: EnvironmentState::Available,
        external_url: Some("https://x.example".to_owned()),
        tier: "production".to_owned(),
        created_at: now(),
        auto_stop_at: Some(0),
    };
    let environment = transaction.ensure_environment(&environment).await.unwrap();
    let deployment = NewDeployment {
        project_id: project.id,
        environment_id: environment.id,
        job_id: job,
        sha: pipeline.sha.clone().unwrap(),
        ref_name: "main".to_owned(),
        status: DeploymentStatus::Success,
        created_at: now(),
    };
    transaction.insert_deployment(&deployment).await.unwrap();
    let started = json!({ "name": "production/eu", "action": "start", "on_stop": "deploy" });
    let stored = site.app.store().job(job).await.unwrap().unwrap();
    assert!(stored.environment.is_none());
    let with_stop = JobUpdate {
        environment: Some(started.to_string()),
        ..JobUpdate::default()
    };
    transaction.update_job(job, &with_stop).await.unwrap();
    transaction.commit().await.unwrap();
    let base = format!("/projects/{}", project.id);
    let list = format!("{base}/environments?search=PROD&states=available");
    let listed = site.get("reporter", &list).await;
    assert_eq!(
        listed.json()[0]["name"],
        "production/eu",
        "{}",
        listed.text()
    );
    assert_eq!(listed.headers["x-total"], "1");
    assert!(listed.json()[0].get("last_deployment").is_none());
    for (query, status) in [
        ("search=pr", 400),
        ("name=a&search=abc", 400),
        ("name=a", 200),
    ] {
        let reply = site
            .get("reporter", &format!("{base}/environments?{query}"))
            .await;
        assert_eq!(reply.status.as_u16(), status, "{query}: {}", reply.text());
    }
    let one = format!("{base}/environments/{}", environment.id);
    let shown = site.get("reporter", &one).await.json();
    assert_eq!(shown["last_deployment"]["deployable"]["id"], job.0);
    assert_eq!(shown["project"]["id"], project.id.0);
    let deployments = format!("{base}/deployments?environment=production%2Feu&status=success");
    let listed = site.get("reporter", &deployments).await.json();
    assert_eq!(listed[0]["iid"], 1);
    assert_eq!(listed[0]["environment"]["tier"], "production");
    let single = format!("{base}/deployments/{}", listed[0]["id"]);
    assert_eq!(site.get("reporter", &single).await.json(), listed[0]);
    assert_eq!(shown["auto_stop_at"], "1970-01-01T00:00:00.000Z");
    // Its stop job is played first; it is stopped when that has run, or at once by force.
    let path = format!("{one}/stop");
    let asked = site.post("developer", &path, json!({})).await;
    assert_eq!(asked.status, StatusCode::OK, "{}", asked.text());
    let played = site.app.store().job(stop).await.unwrap().unwrap();
    assert_eq!(played.status, Status::Pending);
    assert_eq!(asked.json()["state"], "stopping");
    let forced = site
        .post("developer", &path, json!({ "force": true }))
        .await;
    assert_eq!(forced.json()["state"], "stopped");
}

#[tokio::test]
async fn test_reports() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    let pipeline = site.pipeline(&project).await;
    let base = format!("/projects/{}/pipelines/{}", project.id, pipeline.id);
    let empty = site
        .get("reporter", &format!("{base}/test_report_summary"))
        .await;
    assert_eq!(empty.json()["total"]["count"], 0);
    assert_eq!(empty.json()["test_suites"], json!([]));
    let job = site.job(&pipeline, "compile").await;
    let totals = json!({ "total": 5, "success": 2, "failed": 1, "error": 1, "skipped": 1,
        "time": 1.5 });
    let update = JobUpdate {
        tests: Some(totals.to_string()),
        ..JobUpdate::default()
    };
    let mut transaction = site.app.store().begin().await.unwrap();
    transaction.update_job(job, &update).await.unwrap();
    transaction.commit().await.unwrap();
    let report = site
        .get("reporter", &format!("{base}/test_report"))
        .await
        .json();
    assert_eq!(report["failed_count"], 1);
    assert_eq!(report["test_suites"][0]["name"], "compile");
    assert_eq!(report["test_suites"][0]["total_count"], 5);
    assert_eq!(report["test_suites"][0]["test_cases"], json!([]));
    site.junit_report(
        &pipeline,
        job,
        "<testsuite><testcase classname='m' name='t' file='m.py' time='0.5'>\
         <failure>no</failure><system-out>[[ATTACHMENT|shots/a b.png]]</system-out>\
         </testcase></testsuite>",
    )
    .await;
    let report = format!("{base}/test_report");
    let report = site.get("reporter", &report).await.json();
    assert_eq!(
        report["test_suites"][0]["test_cases"],
        json!([{
            "status": "failed",
            "name": "t",
            "classname": "m",
            "file": "m.py",
            "execution_time": 0.5,
            "system_output": "no",
            "stack_trace": null,
            "recent_failures": null,
            "attachment_url": format!("/group/project/-/jobs/{job}/artifacts/file/shots/a%20b.png"),
        }])
    );
    let summary = format!("{base}/test_report_summary");
    let summary = site.get("reporter", &summary).await.json();
    assert_eq!(summary["total"]["time"], 1.5);
    assert_eq!(summary["test_suites"][0]["build_ids"], json!([job.0]));
}

#[tokio::test]
async fn lines_that_tests_ran() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    let pipeline = site.pipeline(&project).await;
    let path = format!(
        "/projects/{}/pipelines/{}/coverage_report",
        project.id, pipeline.id
    );
    let none = json!({ "files": {}, "errors": [] });
    assert_eq!(site.get("reporter", &path).await.json(), none);
    let job = site.job(&pipeline, "compile").await;
    let report = "<coverage><class filename='a.py'><line number='1' hits='2'/>\
        <line number='2' hits='0'/></class><class filename='b.py'><line number='9' hits='1'/></class></coverage>";
    site.report(&pipeline, job, "cobertura", report).await;
    let broken = "<report><package name='x'><sourcefile name='A.java'><";
    site.report(&pipeline, job, "jacoco", broken).await;
    let found = site.get("reporter", &path).await.json();
    let files = json!({ "a.py": { "1": 2, "2": 0 }, "b.py": { "9": 1 } });
    assert_eq!(found["files"], files);
    assert!(
        found["errors"][0].as_str().unwrap().contains("compile"),
        "{found}"
    );
    let one = site
        .get("reporter", &format!("{path}?path=b.py"))
        .await
        .json();
    assert_eq!(one["files"], json!({ "b.py": { "9": 1 } }));
    assert_eq!(site.get("guest", &path).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn protections() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    for (kind, level) in [
        ("protected_branches", "push_access_level"),
        ("protected_tags", "create_access_level"),
    ] {
        let base = format!("/projects/{}/{kind}", project.id);
        let levels = format!("{level}s");
        let body = json!({ "name": "release/*", level: 30 });
        let made = site.post("maintainer", &base, body.clone()).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
        let shown = site.get("maintainer", &format!("{base}/release%2F*")).await;
        assert_eq!(shown.json()["id"], made.json()["id"]);
        assert!(made.json()["id"].as_i64().unwrap() > 0);
        let again = site.post("maintainer", &base, body).await;
        assert_eq!(again.status, StatusCode::CONFLICT);
        for wrong in [
            json!({ "name": " " }),
            json!({ "name": "x", level: 35 }),
            json!({ "name": "x", "allow_force_push": true }),
        ] {
            let refused = site.post("maintainer", &base, wrong).await;
            assert_eq!(
                refused.status,
                StatusCode::BAD_REQUEST,
                "{}",
                refused.text()
            );
        }
        let one = format!("{base}/release%2F%2A");
        let shown = site.get("maintainer", &one).await.json();
        assert_eq!(shown["name"], "release/*");
        assert_eq!(shown[levels][0]["access_level"], 30);
        assert_eq!(site.get("maintainer", &base).await.json(), json!([shown]));
        for status in [StatusCode::NO_CONTENT, StatusCode::NOT_FOUND] {
            let gone = site
                .ask(Some("maintainer"), Method::DELETE, &one, None)
                .await;
            assert_eq!(gone.status, status);
        }
    }
}

#[tokio::test]
async fn tokens_know_themselves() {
    let site = Site::new().await;
    let itself = "/personal_access_tokens/self";
    let shown = site.get("guest", itself).await.json();
    assert_eq!(shown["scopes"], json!(["api"]));
    assert_eq!(shown["active"], true);
    let guest = site.user("guest").await.id.0;
    let others = site.get("guest", "/personal_access_tokens?user_id=1").await;
    assert_eq!(others.status, StatusCode::UNAUTHORIZED);
    let foreign = site
        .get(
            "stranger",
            &format!("/personal_access_tokens/{}", shown["id"]),
        )
        .await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND);
    let path = format!("/users/{guest}/personal_access_tokens");
    let body = json!({ "name": "ci", "scopes": ["read_user"], "expires_at": "2099-01-02" });
    let made = site.post(ADMIN, &path, body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    let made = made.json();
    assert_eq!(made["expires_at"], "2099-01-02");
    assert!(made["token"].as_str().unwrap().starts_with("glpat-"));
    for wrong in [
        json!({ "name": "x" }),
        json!({ "name": "x", "scopes": ["all"] }),
        json!({ "name": "x", "scopes": ["api"], "expires_at": "2000-01-01" }),
    ] {
        let refused = site.post(ADMIN, &path, wrong).await;
        assert_eq!(
            refused.status,
            StatusCode::BAD_REQUEST,
            "{}",
            refused.text()
        );
    }
    let secret = made["token"].as_str().unwrap();
    // A token of any scope may ask about itself, and about nothing else.
    for (path, status) in [
        (itself.to_owned(), 200),
        (format!("/personal_access_tokens/{}", made["id"]), 403),
        ("/personal_access_tokens".to_owned(), 403),
    ] {
        let path = format!("{path}?private_token={secret}");
        let reply = site.ask(None, Method::GET, &path, None).await;
        assert_eq!(reply.status.as_u16(), status, "{path}: {}", reply.text());
    }
    let one = format!("/personal_access_tokens/{}", made["id"]);
    let revoked = site.ask(Some("guest"), Method::DELETE, &one, None).await;
    assert_eq!(revoked.status, StatusCode::NO_CONTENT);
    let dead = format!("{itself}?private_token={secret}");
    let dead = site.ask(None, Method::GET, &dead, None).await;
    assert_eq!(dead.status, StatusCode::UNAUTHORIZED);
    let listed = site
        .get("guest", "/personal_access_tokens?state=active")
        .await
        .json();
    assert_eq!(listed.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn members_come_and_go() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    let stranger = site.user("stranger").await.id.0;
    let owner = site.user("owner").await.id.0;
    let names = |listed: Value| -> Vec<String> {
        let members = listed.as_array().unwrap().clone();
        let name = |member: &Value| member["username"].as_str().unwrap().to_owned();
        members.iter().map(name).collect()
    };
    for (base, manager) in [
        (format!("/projects/{}/members", project.id), "maintainer"),
        ("/groups/group/members".to_owned(), ADMIN),
    ] {
        let body = json!({ "username": "stranger", "access_level": 30 });
        let made = site.post(manager, &base, body.clone()).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
        let again = site.post(manager, &base, body).await;
        assert_eq!(again.status, StatusCode::CONFLICT);
        let listed = site.get(manager, &format!("{base}?query=strang")).await;
        assert_eq!(names(listed.json()), ["stranger"]);
        let one = format!("{base}/{stranger}");
        let changed = site
            .json(manager, Method::PUT, &one, json!({ "access_level": 20 }))
            .await;
        assert_eq!(changed.json()["access_level"], 20, "{}", changed.text());
        let all = site.get(manager, &format!("{base}/all/{stranger}")).await;
        assert_eq!(all.json()["access_level"], 20);
        for (wrong, status) in [
            (json!({ "access_level": 35 }), 400),
            (json!({}), 400),
            (
                json!({ "access_level": 20, "expires_at": "2099-01-01" }),
                400,
            ),
        ] {
            let refused = site.json(manager, Method::PUT, &one, wrong).await;
            assert_eq!(refused.status.as_u16(), status, "{}", refused.text());
        }
        for status in [StatusCode::NO_CONTENT, StatusCode::NOT_FOUND] {
            let gone = site.ask(Some(manager), Method::DELETE, &one, None).await;
            assert_eq!(gone.status, status);
        }
    }
    // Nobody is above oneself: a maintainer neither makes nor removes owners.
    let base = format!("/projects/{}/members", project.id);
    let body = json!({ "user_id": stranger, "access_level": 50 });
    let made = site.post("maintainer", &base, body).await;
    assert_eq!(made.status, StatusCode::FORBIDDEN);
    for method in [Method::PUT, Method::DELETE] {
        let path = format!("{base}/{owner}");
        let body = json!({ "access_level": 10 });
        let refused = site.json("maintainer", method, &path, body).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
    }
}
