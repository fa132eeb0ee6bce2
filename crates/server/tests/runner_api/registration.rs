//! Registration and authentication (K.1).

use reqwest::Method;
use serde_json::{Value, json};
use shipway_store::{Level, RunnerKind};

use crate::support::{Site, answer, info};

#[tokio::test(flavor = "multi_thread")]
async fn k1_to_k8_registration() {
    let site = Site::new().await;
    let secret = site.registration_token(Level::Instance, 0).await;
    let register = async |extra: Value| {
        let mut body = json!({ "token": secret, "run_untagged": true, "info": info() });
        body.as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        site.post("runners", body).await
    };
    let registered = register(json!({})).await.is(201).json();
    assert!(registered["id"].as_i64().unwrap() > 0);
    assert_eq!(registered["token"].as_str().unwrap().len(), 24);
    assert_eq!(registered.get("token_expires_at"), Some(&Value::Null));
    site.post("runners", json!({ "token": "nobody's" }))
        .await
        .refused(403);
    site.post("runners", json!({ "info": info() }))
        .await
        .refused(400);
    for tags in [json!("a,b"), json!(["a", "b"])] {
        let body = json!({ "tag_list": tags, "run_untagged": false });
        let id = register(body).await.is(201).json()["id"].as_i64().unwrap();
        let row = site
            .app
            .store()
            .runner(shipway_store::RunnerId(id))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(row.tags, r#"["a","b"]"#);
        assert!(!row.run_untagged);
    }
    for wrong in [
        json!({ "run_untagged": false }),
        json!({ "paused": true, "active": true }),
        json!({ "maintenance_note": "x".repeat(1025) }),
        json!({ "maximum_timeout": 10 }),
        json!({ "run_untagged": "perhaps" }),
        json!({ "tag_list": { "a": 1 } }),
    ] {
        register(wrong).await.refused(400);
    }
    // The header does where the body has no token.
    let call = site
        .call(Method::POST, "runners")
        .header("RUNNER-TOKEN", &secret);
    answer(call.json(&json!({ "info": info() }))).await.is(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_groups_and_projects_make_their_runners() {
    let site = Site::new().await;
    let (group, project) = (site.project.namespace_id.0, site.project.id);
    for (level, id, kind) in [
        (Level::Group, group, RunnerKind::Group),
        (Level::Project, project.0, RunnerKind::Project),
    ] {
        let secret = site.registration_token(level, id).await;
        let registered = site
            .post("runners", json!({ "token": secret }))
            .await
            .is(201)
            .json();
        let runner = shipway_store::RunnerId(registered["id"].as_i64().unwrap());
        let row = site.app.store().runner(runner).await.unwrap().unwrap();
        assert_eq!((row.kind, row.owner_id), (kind, Some(id)));
        site.push("build: {script: [make]}").await;
        site.take(registered["token"].as_str().unwrap()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn k12_to_k15_verification() {
    let site = Site::new().await;
    let (row, token) = site.runner().await;
    let verify = async |token: &str, system: &str| {
        let body = json!({ "token": token, "system_id": system, "info": info() });
        site.post("runners/verify", body).await
    };
    for system in ["s_a", "s_a", "s_b"] {
        let body = verify(&token, system).await.is(200).json();
        assert_eq!(body["id"], row.id.0);
        assert_eq!(body["token"], token.as_str());
    }
    verify("glrt-unknown", "s_a").await.refused(403);
    verify("", "s_a").await.refused(400);
    let managers = site.app.store().runner_managers(row.id).await.unwrap();
    let systems: Vec<&str> = managers.iter().map(|row| row.system_id.as_str()).collect();
    assert_eq!(systems, ["s_a", "s_b"]);
    assert_eq!(managers[0].version.as_deref(), Some("19.4.0"));
    let seen = site.app.store().runner(row.id).await.unwrap().unwrap();
    assert!(seen.contacted_at.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_token_is_nobodys() {
    let site = Site::new().await;
    let (_, token) = site.runner_with(|new| new.token_expires_at = Some(1)).await;
    site.post("runners/verify", json!({ "token": token }))
        .await
        .refused(403);
    site.request(&token).await.refused(403);
}

#[tokio::test(flavor = "multi_thread")]
async fn k16_to_k20_and_k22_the_end_of_runners_and_tokens() {
    let site = Site::new().await;
    let (_, token) = site.runner().await;
    for system in ["s_a", "s_b"] {
        let body = json!({ "token": token, "system_id": system, "info": info() });
        site.post("runners/verify", body).await.is(200);
    }
    let managers = "runners/managers";
    let delete = async |body: Value| site.delete(managers, body).await;
    delete(json!({ "token": token })).await.refused(400);
    delete(json!({ "token": "x", "system_id": "s_a" }))
        .await
        .refused(403);
    delete(json!({ "token": token, "system_id": "s_c" }))
        .await
        .refused(404);
    delete(json!({ "token": token, "system_id": "s_a" }))
        .await
        .is(204);
    site.request(&token).await.is(204);

    let reset = site.post(
        "runners/reset_authentication_token",
        json!({ "token": token }),
    );
    let reset = reset.await.is(201).json();
    let fresh = reset["token"].as_str().unwrap();
    assert!(fresh.starts_with("glrt-") && fresh != token);
    assert!(reset.get("token_expires_at").is_some());
    site.request(&token).await.refused(403);
    site.request(fresh).await.is(204);

    let gone = site
        .delete("runners", json!({ "token": fresh }))
        .await
        .is(204);
    assert!(gone.body.is_empty());
    site.request(fresh).await.refused(403);
    site.post("runners/verify", json!({ "token": fresh }))
        .await
        .refused(403);
    site.delete("runners", json!({ "token": fresh }))
        .await
        .refused(403);

    let discovery = answer(site.call(Method::GET, "runners/router/discovery")).await;
    discovery.refused(501);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_json_is_refused() {
    let site = Site::new().await;
    for path in [
        "runners",
        "runners/verify",
        "runners/reset_authentication_token",
        "jobs/request",
    ] {
        for body in [
            "{",
            "[]",
            "\"x\"",
            r#"{"token":1}"#,
            r#"{"token":"x","system_id":[]}"#,
        ] {
            if path == "runners" && body.contains("system_id") {
                continue;
            }
            let call = site
                .call(Method::POST, path)
                .header("Content-Type", "application/json");
            answer(call.body(body)).await.refused(400);
        }
        let long = format!("{{\"token\":\"{}\"}}", "x".repeat(2 << 20));
        answer(site.call(Method::POST, path).body(long))
            .await
            .refused(413);
    }
}
