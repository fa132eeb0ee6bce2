//! Limits of the server, and who may set variables of pipelines.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use shipway_store::Visibility;

use super::site::{ADMIN, Site};
use crate::Settings;

async fn limited(limits: &[&str]) -> Site {
    let directory = tempfile::tempdir().unwrap();
    let mut settings = Settings::new("", "127.0.0.1:0".parse().unwrap());
    for limit in limits {
        settings.limits.set(limit).unwrap();
    }
    Site::at(directory, settings).await
}

#[tokio::test]
async fn variables_and_schedules_are_counted() {
    let names = ["project-variables=1", "instance-variables=1", "schedules=1"];
    let site = limited(&names).await;
    let project = site.project("project", Visibility::Private).await;
    site.pipeline(&project).await;
    let base = format!("/projects/{}", project.id);
    let variable = |key: &str| json!({ "key": key, "value": "v" });
    let schedule = |name: &str| json!({ "description": name, "ref": "main", "cron": "0 1 * * *" });
    for (path, first, second, limit) in [
        (
            format!("{base}/variables"),
            variable("A"),
            variable("B"),
            "`project-variables`",
        ),
        (
            "/admin/ci/variables".to_owned(),
            variable("A"),
            variable("B"),
            "`instance-variables`",
        ),
        (
            format!("{base}/pipeline_schedules"),
            schedule("a"),
            schedule("b"),
            "`schedules`",
        ),
    ] {
        let made = site.post(ADMIN, &path, first).await;
        assert_eq!(made.status, StatusCode::CREATED, "{path}: {}", made.text());
        let before = site.everything().await;
        let refused = site.post(ADMIN, &path, second).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{path}");
        let said = refused.json()["message"]["base"][0].to_string();
        assert!(said.starts_with("\"Maximum number of"), "{said}");
        assert!(said.contains("(1)") && said.contains(limit), "{said}");
        assert_eq!(site.everything().await, before, "{path}");
    }
}

#[tokio::test]
async fn who_sets_variables_of_pipelines_is_a_setting() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    site.pipeline(&project).await;
    let path = format!("/projects/{}", project.id);
    let name = "ci_pipeline_variables_minimum_override_role";
    let set = async |who: &str, role: &str| {
        site.json(who, Method::PUT, &path, json!({ name: role }))
            .await
    };
    let start = async |who: &str, variables: Value| {
        let body = json!({ "ref": "main", "variables": variables });
        site.post(who, &format!("{path}/pipeline"), body).await
    };
    let given = json!([{ "key": "WHERE", "value": "there" }]);
    let shown = set("maintainer", "maintainer").await.json();
    assert_eq!(shown[name], "maintainer");
    assert_eq!(shown["restrict_user_defined_variables"], true);
    let refused = start("developer", given.clone()).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    let said =
        json!({ "message": { "base": ["Insufficient permissions to set pipeline variables"] } });
    assert_eq!(refused.json(), said);
    assert_eq!(
        start("developer", json!([])).await.status,
        StatusCode::CREATED
    );
    let made = start("maintainer", given.clone()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    // What is for owners alone, owners alone change.
    assert_eq!(
        set("maintainer", "owner").await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(set("owner", "owner").await.status, StatusCode::OK);
    assert_eq!(
        set("maintainer", "developer").await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(set("owner", "guest").await.status, StatusCode::BAD_REQUEST);
    let older = json!({ "restrict_user_defined_variables": false });
    let shown = site.json("owner", Method::PUT, &path, older).await.json();
    assert_eq!(shown[name], "developer");
    assert_eq!(start("developer", given).await.status, StatusCode::CREATED);
}
