//! CI Lint.

use axum::http::StatusCode;
use serde_json::json;
use shipway_store::{Level, NewVariable, VariableType, Visibility};

use super::site::Site;

#[tokio::test]
async fn what_is_committed() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    let path = format!("/projects/{}/ci/lint", project.id);
    let sha = site.commit(&project).await;
    let found = site
        .get("reporter", &format!("{path}?include_jobs=true"))
        .await
        .json();
    assert_eq!(
        (&found["valid"], &found["errors"], &found["warnings"]),
        (&json!(true), &json!([]), &json!([])),
        "{found}"
    );
    let merged = found["merged_yaml"].as_str().unwrap();
    assert!(merged.starts_with("---\nstages:\n- build\n"), "{merged}");
    assert_eq!(found["includes"], json!([]));
    let compile = &found["jobs"][0];
    for (field, value) in [
        ("name", json!("compile")),
        ("stage", json!("build")),
        ("script", json!(["make"])),
        ("before_script", json!([])),
        ("tag_list", json!(["linux"])),
        ("only", json!({ "refs": ["branches", "tags"] })),
        ("except", json!(null)),
        ("environment", json!(null)),
        ("when", json!("on_success")),
        ("allow_failure", json!(false)),
        ("needs", json!(null)),
    ] {
        assert_eq!(compile[field], value, "{field}");
    }
    assert_eq!(found["jobs"][1]["when"], "manual");
    for query in [format!("?content_ref={sha}"), "?sha=v1.0/rc".to_owned()] {
        let same = site.get("reporter", &format!("{path}{query}")).await;
        assert_eq!(same.json()["valid"], true, "{query}");
        assert!(same.json().get("jobs").is_none(), "{query}");
    }
    let unknown = site
        .get("reporter", &format!("{path}?content_ref=none"))
        .await;
    assert_eq!(unknown.text(), r#"{"message":"404 Commit Not Found"}"#);
    // Rules see variables that are not for everybody.
    for (who, status) in [("reporter", 403), ("developer", 200)] {
        let dry = site.get(who, &format!("{path}?dry_run=true")).await;
        assert_eq!(dry.status.as_u16(), status, "{who}: {}", dry.text());
    }
}

#[tokio::test]
async fn rules_see_what_a_push_would() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    site.commit(&project).await;
    let mut transaction = site.app.store().begin().await.unwrap();
    for (level, level_id, key) in [
        (Level::Instance, 0, "OF_INSTANCE"),
        (Level::Group, project.namespace_id.0, "OF_GROUP"),
        (Level::Project, project.id.0, "OF_PROJECT"),
    ] {
        let variable = NewVariable {
            level,
            level_id,
            key: key.to_owned(),
            value: b"yes".to_vec(),
            variable_type: VariableType::EnvVar,
            protected: false,
            masked: false,
            hidden: false,
            raw: false,
            environment_scope: "*".to_owned(),
            description: None,
        };
        transaction.insert_variable(&variable).await.unwrap();
    }
    transaction.commit().await.unwrap();
    let path = format!("/projects/{}/ci/lint", project.id);
    let jobs = |condition: &str, more: serde_json::Value| {
        let content = format!("job:\n  script: make\n  rules:\n    - if: {condition}\n");
        let mut body = json!({ "content": content, "dry_run": true, "include_jobs": true });
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let (site, path) = (&site, &path);
        async move {
            let reply = site.post("developer", path, body).await;
            assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
            let reply = reply.json();
            assert_eq!(reply["valid"], reply["errors"] == json!([]), "{reply}");
            reply["jobs"].as_array().unwrap().len()
        }
    };
    for (condition, more, expected) in [
        ("$OF_INSTANCE == \"yes\"", json!({}), 1),
        ("$OF_GROUP == \"yes\"", json!({}), 1),
        ("$OF_PROJECT == \"yes\"", json!({}), 1),
        ("$CI_PROJECT_NAME == \"project\"", json!({}), 1),
        ("$GITLAB_USER_LOGIN == \"developer\"", json!({}), 1),
        ("$CI_COMMIT_BRANCH == \"main\"", json!({ "ref": "" }), 1),
        (
            "$CI_COMMIT_BRANCH == \"feat/x\"",
            json!({ "ref": "feat/x" }),
            1,
        ),
        (
            "$CI_COMMIT_TAG == \"v1.0/rc\"",
            json!({ "ref": "v1.0/rc" }),
            1,
        ),
        ("$CI_COMMIT_TAG", json!({}), 0),
    ] {
        assert_eq!(jobs(condition, more).await, expected, "{condition}");
    }
}

#[tokio::test]
async fn faults_are_an_answer() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    let path = format!("/projects/{}/ci/lint", project.id);
    // Before anybody pushed.
    let check = |content: &'static str| {
        let (site, path) = (&site, &path);
        async move {
            let reply = site
                .post("developer", path, json!({ "content": content }))
                .await;
            assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
            reply.json()
        }
    };
    let wrong = check("job:\n  stage: nowhere\n  script: make\n").await;
    assert_eq!(
        (&wrong["valid"], &wrong["merged_yaml"]),
        (&json!(false), &json!(null))
    );
    let fault = wrong["errors"][0].as_str().unwrap();
    assert!(
        fault.contains("chosen stage nowhere does not exist"),
        "{fault}"
    );
    assert_eq!(
        check("").await["errors"],
        json!(["Please provide content of .gitlab-ci.yml"])
    );
    // Without a dry run rules are not asked.
    let never = check("job:\n  script: make\n  rules:\n    - when: never\n").await;
    assert_eq!(never["valid"], true, "{never}");
    for (body, fault) in [
        (json!({}), r#"{"error":"content is missing"}"#),
        (
            json!({ "content": "a: b", "ref": "none" }),
            r#"{"message":"404 Commit Not Found"}"#,
        ),
    ] {
        assert_eq!(site.post("developer", &path, body).await.text(), fault);
    }
    site.commit(&project).await;
    let body = json!({ "content": "include: /.gitlab-ci.yml\n" });
    let included = site.post("developer", &path, body).await.json();
    assert_eq!(included["valid"], true, "{included}");
    let include = &included["includes"][0];
    assert_eq!(
        (&include["type"], &include["location"]),
        (&json!("local"), &json!(".gitlab-ci.yml"))
    );
    let raw = include["raw"].as_str().unwrap();
    assert!(
        raw.contains("/group/project/-/raw/") && raw.ends_with("/.gitlab-ci.yml"),
        "{raw}"
    );
}
