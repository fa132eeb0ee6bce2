//! Single calls and what is made of their answers.

use std::time::{Duration, Instant};

use shipway_protocol::{RegisterRequest, TagList};

use super::coordinator::{Answer, Coordinator};
use super::{SYSTEM_ID, client};
use crate::remote::{ClientError, Endpoint, Offer};

#[tokio::test]
async fn a_runner_is_registered_verified_and_removed() {
    let coordinator = Coordinator::start().await;
    let client = client(&format!("{}/ci/", coordinator.url));
    let request = RegisterRequest {
        token: "GR1348941secret".into(),
        tag_list: Some(TagList::Text("a,b".into())),
        ..RegisterRequest::default()
    };
    let registered = client.register(request).await.unwrap();
    assert_eq!((registered.id, registered.token.as_str()), (34, "glrt-new"));
    client.verify("glrt-new").await.unwrap();
    client.unregister("glrt-new").await.unwrap();
    client.unregister("legacy").await.unwrap();

    let register = &coordinator.calls("register")[0];
    assert_eq!(register.json()["tag_list"], "a,b");
    assert_eq!(register.header("RUNNER-TOKEN"), "GR1348941secret");
    assert!(register.header("User-Agent").starts_with("shipway "));
    let verify = coordinator.calls("verify")[0].json();
    assert_eq!(verify["system_id"], SYSTEM_ID);
    assert_eq!(verify["info"]["features"]["refspecs"], true);
    assert_eq!(
        coordinator.calls("DELETE managers")[0].json()["system_id"],
        SYSTEM_ID
    );
    assert_eq!(
        coordinator.calls("DELETE runners")[0].json()["token"],
        "legacy"
    );
}

#[tokio::test]
async fn a_token_is_replaced_by_itself_or_by_a_person() {
    let coordinator = Coordinator::start().await;
    let client = client(&coordinator.url);
    let json = vec![("Content-Type", "application/json".to_owned())];
    let body = r#"{"token":"glrt-next","token_expires_at":"2027-01-01T00:00:00Z"}"#;
    let answer = Answer::Status(201, json, body.to_owned());
    coordinator.script("unknown", [answer.clone(), answer]);
    for by_person in [None, Some((34, "glpat-x"))] {
        let reset = client.reset_token("glrt-old", by_person).await.unwrap();
        assert_eq!(reset.token, "glrt-next");
        assert_eq!(
            reset.token_expires_at.as_deref(),
            Some("2027-01-01T00:00:00Z")
        );
    }
    let calls = coordinator.calls("unknown");
    assert_eq!(calls[0].json()["token"], "glrt-old");
    assert_eq!(calls[1].header("PRIVATE-TOKEN"), "glpat-x");
    assert_eq!(calls[1].json(), serde_json::Value::Null);
    assert!(client.reset_token("glrt-old", None).await.is_err());
}

#[tokio::test]
async fn an_answer_that_is_no_coordinators_is_refused() {
    let coordinator = Coordinator::start().await;
    let client = client(&coordinator.url);
    let json = ("Content-Type", "application/json".to_owned());
    let html = ("Content-Type", "text/html".to_owned());
    for (answer, expected) in [
        (
            Answer::Status(200, vec![json.clone()], r#"{"id":0}"#.into()),
            "names no id",
        ),
        (
            Answer::Status(200, vec![html], "<html>".into()),
            "content type is not application/json",
        ),
        (
            Answer::Status(200, vec![json.clone()], "{".into()),
            "EOF while parsing",
        ),
        (
            Answer::Status(403, vec![json], r#"{"message":"403 Forbidden"}"#.into()),
            "answered 403 Forbidden: 403 Forbidden",
        ),
    ] {
        coordinator.script("verify", [answer]);
        let error = client.verify("glrt-x").await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_storm_of_errors_is_ridden_out_within_limits() {
    let coordinator = Coordinator::start().await;
    let client = client(&coordinator.url);
    coordinator.script("verify", [500, 502, 503, 429].map(Answer::status));
    client.verify("glrt-x").await.unwrap();
    assert_eq!(coordinator.calls("verify").len(), 5);

    coordinator.script("verify", [500; 9].map(Answer::status));
    let error = client.verify("glrt-x").await.unwrap_err();
    assert_eq!(error.status().unwrap().as_u16(), 500);
    assert_eq!(
        coordinator.calls("verify").len(),
        10,
        "five calls, not more"
    );
}

#[tokio::test]
async fn retry_after_is_waited_for() {
    let coordinator = Coordinator::start().await;
    let start = Instant::now();
    coordinator.script("verify", [Answer::header(429, "Retry-After", "1")]);
    client(&coordinator.url).verify("glrt-x").await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn the_queues_state_is_sent_back_and_kept() {
    let coordinator = Coordinator::start().await;
    let client = client(&coordinator.url);
    coordinator.script(
        "request",
        [
            Answer::With("X-GitLab-Last-Update", "queue-0".into()),
            Answer::status(204),
        ],
    );
    for _ in 0..3 {
        let offer = client.request_job("glrt-x").await.unwrap();
        assert!(matches!(offer, Offer::Nothing));
    }
    let sent: Vec<_> = coordinator
        .calls("request")
        .iter()
        .map(|call| call.json()["last_update"].clone())
        .collect();
    assert_eq!(
        sent,
        [serde_json::Value::Null, "queue-0".into(), "queue-0".into()]
    );
}

#[tokio::test]
async fn nobody_there_is_said_with_the_host() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = client(&url).verify("glrt-secret").await.unwrap_err();
    assert!(matches!(error, ClientError::Network { .. }));
    let text = crate::failure::with_causes(&error);
    assert!(
        text.contains("127.0.0.1") && !text.contains("secret"),
        "{text}"
    );
}

#[test]
fn bad_certificates_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ca.pem");
    for content in [None, Some("no certificate")] {
        if let Some(content) = content {
            std::fs::write(&path, content).unwrap();
        }
        let endpoint = Endpoint {
            url: "https://h".into(),
            ca_file: Some(path.clone()),
        };
        let details = super::details(&super::config(directory.path()));
        let error = super::super::Client::new(&endpoint, details, SYSTEM_ID).unwrap_err();
        assert!(error.to_string().contains("ca.pem"), "{error}");
    }
}
