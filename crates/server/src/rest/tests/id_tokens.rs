//! ID tokens of jobs, and what others check them with.

use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rsa::PublicKeyComponents;
use ring::signature::RSA_PKCS1_2048_8192_SHA256;
use serde_json::{Value, json};
use shipway_pipeline::Status;
use shipway_store::Visibility;
use shipway_testing::rows;

use super::site::Site;
use crate::identity::token;

const CONFIGURATION: &str = "
variables: {SERVICE: vault, AUTH: Bearer $PLAIN}
deploy:
  id_tokens:
    PLAIN: {aud: 'https://$SERVICE.example.com'}
    SEVERAL: {aud: [https://a, https://b]}
  environment: {name: live/$CI_COMMIT_REF_NAME, url: https://x}
  timeout: 10m
  script: [deploy]
";

/// The payload that a runner gets for the next job.
async fn payload(site: &Site, features: Value) -> Value {
    let runner = token::new("");
    let mut transaction = site.app.store().begin().await.unwrap();
    let new = rows::runner(token::digest(&runner));
    transaction.insert_runner(&new).await.unwrap();
    transaction.commit().await.unwrap();
    let info = json!({ "features": features });
    let body = json!({ "token": runner, "system_id": "s", "info": info }).to_string();
    let body = Some(("application/json", body.into()));
    let reply = site.ask(None, Method::POST, "/jobs/request", body).await;
    assert_eq!(reply.status.as_u16(), 201, "{}", reply.text());
    reply.json()
}

fn variable<'a>(payload: &'a Value, key: &str) -> &'a Value {
    let all = payload["variables"].as_array().unwrap();
    let found = all.iter().find(|variable| variable["key"] == key);
    found.unwrap_or_else(|| panic!("{key}: {payload}"))
}

fn decoded(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// What a token says, once its signature is found good with a key of the set.
fn checked(token: &str, keys: &Value) -> Value {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let header = decoded(header);
    let mut all = keys["keys"].as_array().unwrap().iter();
    let key = all.find(|key| key["kid"] == header["kid"]).unwrap();
    assert_eq!(
        (&header["alg"], &key["alg"]),
        (&json!("RS256"), &json!("RS256"))
    );
    assert_eq!((&key["kty"], &key["use"]), (&json!("RSA"), &json!("sig")));
    assert_eq!(key.get("d"), None, "the private half stays here");
    let part = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
    let public = PublicKeyComponents {
        n: part("n"),
        e: part("e"),
    };
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let verified = public.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature);
    assert!(verified.is_ok(), "{token}");
    decoded(claims)
}

#[tokio::test]
async fn a_job_proves_who_it_is() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    site.commit(&project).await;
    site.write(&project, ".gitlab-ci.yml", CONFIGURATION);
    let pipeline = site.pipeline(&project).await;
    let job = site.job(&pipeline, "deploy").await;
    let payload = payload(&site, json!({})).await;

    let document = site
        .visit("stranger", "/.well-known/openid-configuration")
        .await;
    let document = document.json();
    let issuer = document["issuer"].as_str().unwrap();
    assert_eq!(
        document["jwks_uri"],
        format!("{issuer}/oauth/discovery/keys")
    );
    assert_eq!(
        document["id_token_signing_alg_values_supported"],
        json!(["RS256"])
    );
    let keys = site.visit("stranger", "/oauth/discovery/keys").await.json();
    assert_eq!(site.visit("stranger", "/-/jwks").await.json(), keys);

    let plain = variable(&payload, "PLAIN");
    assert_eq!(
        (&plain["masked"], &plain["public"], &plain["file"]),
        (&json!(true), &json!(false), &json!(false))
    );
    let token = plain["value"].as_str().unwrap();
    assert_eq!(
        variable(&payload, "AUTH")["value"],
        format!("Bearer {token}")
    );
    let claims = checked(token, &keys);
    let user = site.user("developer").await;
    for (claim, expected) in [
        ("iss", json!(issuer)),
        ("aud", json!("https://vault.example.com")),
        (
            "sub",
            json!("project_path:group/project:ref_type:branch:ref:main"),
        ),
        ("project_id", json!(project.id.0.to_string())),
        ("job_project_path", json!("group/project")),
        ("namespace_path", json!("group")),
        ("project_visibility", json!("private")),
        ("user_id", json!(user.id.0.to_string())),
        ("user_login", json!("developer")),
        ("user_email", json!("developer@example.com")),
        ("user_access_level", json!("developer")),
        ("pipeline_id", json!(pipeline.id.0.to_string())),
        ("pipeline_source", json!("push")),
        ("job_id", json!(job.0.to_string())),
        ("ref", json!("main")),
        ("ref_type", json!("branch")),
        ("ref_path", json!("refs/heads/main")),
        ("ref_protected", json!(pipeline.protected.to_string())),
        ("environment", json!("live/main")),
        ("deployment_tier", json!("production")),
        ("environment_action", json!("start")),
        ("runner_environment", json!("self-hosted")),
        ("sha", json!(pipeline.sha)),
    ] {
        assert_eq!(claims[claim], expected, "{claim}: {claims}");
    }
    assert!(claims["runner_id"].is_i64(), "{claims}");
    let at = |claim: &str| claims[claim].as_i64().unwrap();
    assert_eq!(at("exp") - at("iat"), 600, "as long as the job may run");
    assert_eq!(at("iat") - at("nbf"), 5);
    for claim in document["claims_supported"].as_array().unwrap() {
        let claim = claim.as_str().unwrap();
        assert!(claims.get(claim).is_some(), "{claim}: {claims}");
    }

    let several = variable(&payload, "SEVERAL")["value"].as_str().unwrap();
    let other = checked(several, &keys);
    assert_eq!(other["aud"], json!(["https://a", "https://b"]));
    assert_ne!(other["jti"], claims["jti"]);
}

#[tokio::test]
async fn a_job_that_somebody_played_is_that_persons() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    site.commit(&project).await;
    let manual = format!("{CONFIGURATION}  when: manual\nbefore: {{stage: .pre, script: [x]}}\n");
    site.write(&project, ".gitlab-ci.yml", &manual);
    let pipeline = site.pipeline(&project).await;
    site.finish(&pipeline, "before", Status::Success).await;
    let job = site.job(&pipeline, "deploy").await;
    let play = format!("/projects/{}/jobs/{job}/play", project.id);
    let reply = site.post("maintainer", &play, json!({})).await;
    assert_eq!(reply.status.as_u16(), 200, "{}", reply.text());
    let payload = payload(&site, json!({})).await;
    let keys = site.visit("stranger", "/oauth/discovery/keys").await.json();
    let token = variable(&payload, "PLAIN")["value"].as_str().unwrap();
    let claims = checked(token, &keys);
    assert_eq!(claims["user_login"], "maintainer");
    assert_eq!(claims["user_access_level"], "maintainer");
}

#[tokio::test]
async fn all_servers_of_a_database_have_one_key() {
    let site = Site::new().await;
    let store = site.app.store();
    let (one, other) = (
        crate::oidc::IdTokenKey::new(store.clone()),
        crate::oidc::IdTokenKey::new(store.clone()),
    );
    // At the same time.
    let (one, other) = tokio::join!(one.public_keys(), other.public_keys());
    let keys = one.unwrap();
    assert_eq!(other.unwrap(), keys);
    let later = crate::oidc::IdTokenKey::new(store.clone());
    assert_eq!(later.public_keys().await.unwrap(), keys);
    assert_eq!(keys["keys"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn another_key_takes_over_and_older_tokens_are_still_good() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    site.commit(&project).await;
    site.write(&project, ".gitlab-ci.yml", CONFIGURATION);
    let token = async || {
        site.pipeline(&project).await;
        let payload = payload(&site, json!({})).await;
        let token = variable(&payload, "PLAIN")["value"].as_str().unwrap();
        token.to_owned()
    };
    let keys = async || site.visit("stranger", "/-/jwks").await.json();
    let ids = |keys: &Value| -> Vec<String> {
        let keys = keys["keys"].as_array().unwrap().iter();
        keys.map(|key| key["kid"].as_str().unwrap().to_owned())
            .collect()
    };
    let before = token().await;
    let first = ids(&keys().await);
    // As another process does it, while this one runs.
    let other = crate::oidc::IdTokenKey::new(site.app.store().clone());
    other.rotate().await.unwrap();
    let both = keys().await;
    assert_eq!(ids(&both).len(), 2);
    assert_eq!(ids(&both)[1..], first);
    let after = token().await;
    checked(&before, &both);
    checked(&after, &both);
    let kid = |token: &str| decoded(token.split('.').next().unwrap())["kid"].clone();
    assert_eq!(kid(&before), json!(ids(&both)[1]));
    assert_eq!(kid(&after), json!(ids(&both)[0]));
    let listed = other.list().await.unwrap();
    assert_eq!(listed[0].published_until, None);
    let days = (listed[1].published_until.unwrap() - listed[0].created_at) / 86_400_000_000;
    assert_eq!(days, 32);
}
