//! Jobs with secrets, against a small Vault that remembers what it was asked.

use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use shipway_protocol::{JobState, Secret, VaultAuth, VaultEngine, VaultSecret, VaultServer};

use crate::tests::Bench;

/// Requests: the path, the token and the namespace, or the body of a sign-in.
type Asked = Arc<Mutex<Vec<String>>>;

struct Vault {
    url: String,
    asked: Asked,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Vault {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Vault {
    async fn start() -> Self {
        let asked = Asked::default();
        let router = Router::new()
            .route("/v1/auth/{*path}", post(sign_in))
            .route("/v1/{*path}", get(read))
            .with_state(Arc::clone(&asked));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, asked, task }
    }

    /// A field of a secret of this Vault, asked for with the variable `TOKEN`.
    fn secret(&self, engine: (&str, &str), path: &str, field: &str, file: Option<bool>) -> Secret {
        let data = [("jwt", "$TOKEN"), ("role", "deploy")];
        let vault = VaultSecret {
            server: VaultServer {
                url: self.url.clone(),
                namespace: "team".to_owned(),
                auth: VaultAuth {
                    name: "jwt".to_owned(),
                    path: "jwt/$WHERE".to_owned(),
                    data: data
                        .map(|(key, value)| (key.to_owned(), json!(value)))
                        .into_iter()
                        .collect(),
                },
            },
            engine: VaultEngine {
                name: engine.0.to_owned(),
                path: engine.1.to_owned(),
            },
            path: path.to_owned(),
            field: field.to_owned(),
        };
        Secret {
            vault: Some(vault),
            file,
            ..Secret::default()
        }
    }
}

async fn sign_in(
    State(asked): State<Asked>,
    Path(path): Path<String>,
    Json(body): Json<Value>,
) -> (StatusCode, Json<Value>) {
    asked.lock().unwrap().push(format!("auth/{path} {body}"));
    match body["jwt"].as_str() {
        Some("good") => {
            let auth = json!({ "auth": { "client_token": "vault-token" } });
            (StatusCode::OK, Json(auth))
        }
        _ => {
            let errors = json!({ "errors": ["error validating token: invalid issuer"] });
            (StatusCode::BAD_REQUEST, Json(errors))
        }
    }
}

async fn read(
    State(asked): State<Asked>,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> (StatusCode, Json<Value>) {
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
    let line = format!(
        "{path} {:?} {:?}",
        header("X-Vault-Token"),
        header("X-Vault-Namespace")
    );
    asked.lock().unwrap().push(line);
    let secret = json!({ "password": "geheim$WHERE", "port": 5432, "of": { "a": 1 } });
    let data = match path.as_str() {
        "ops/data/production/db" => json!({ "data": { "data": secret, "metadata": {} } }),
        "old/production/db" => json!({ "data": secret }),
        _ => return (StatusCode::NOT_FOUND, Json(json!({ "errors": [] }))),
    };
    (StatusCode::OK, Json(data))
}

fn bench(script: &[&str], token: &str) -> Bench {
    let mut bench = Bench::new(script);
    bench.variable("TOKEN", token);
    bench.variable("WHERE", "here");
    bench
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_become_variables_and_files_and_are_masked() {
    let vault = Vault::start().await;
    let script = [
        "echo \"file $(cat \"$FILE\" | rev)\"",
        "echo \"text $TEXT $(printf %s \"$TEXT\" | rev)\"",
        "echo \"$PORT $OBJECT\" | rev",
    ];
    let mut bench = bench(&script, "good");
    let (new, old) = (("kv-v2", "ops"), ("kv-v1", "old"));
    let path = "production/$KIND";
    bench.variable("KIND", "db");
    bench.payload.secrets = [
        ("FILE", vault.secret(new, path, "password", None)),
        ("TEXT", vault.secret(old, path, "password", Some(false))),
        (
            "PORT",
            vault.secret(("generic", "old"), path, "port", Some(false)),
        ),
        ("OBJECT", vault.secret(new, path, "of", Some(false))),
    ]
    .map(|(name, secret)| (name.to_owned(), secret))
    .into();
    let log = bench.succeed().await;
    for line in [
        "Resolving secrets",
        "Resolving secret \"FILE\"...",
        "file EREHW$mieheg",
        "text [MASKED] EREHW$mieheg",
        "}1:\"a\"{ 2345",
    ] {
        assert!(log.contains(line), "{line}: {log}");
    }
    let asked = vault.asked.lock().unwrap().clone();
    assert_eq!(
        asked[..2],
        [
            r#"auth/jwt/here/login {"jwt":"good","role":"deploy"}"#,
            r#"ops/data/production/db Some("vault-token") Some("team")"#,
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_without_its_secrets_does_nothing() {
    let vault = Vault::start().await;
    let new = ("kv-v2", "ops");
    let other: Secret =
        serde_json::from_value(json!({ "azure_key_vault": { "name": "x" } })).unwrap();
    let mut nowhere = vault.secret(new, "a", "b", None);
    nowhere.vault.as_mut().unwrap().server.url = "http://127.0.0.1:1".to_owned();
    for (token, secret, expected) in [
        (
            "bad",
            vault.secret(new, "production/db", "password", None),
            "resolving secrets: secret `S`: signing in at Vault: 127.0.0.1 answered \
             400 Bad Request: error validating token: invalid issuer",
        ),
        (
            "good",
            vault.secret(new, "production/db", "gone", None),
            "there is no `gone` in `production/db` of the engine `ops`",
        ),
        (
            "good",
            vault.secret(new, "../../sys", "password", None),
            "there is no `password` in `../../sys`",
        ),
        (
            "good",
            vault.secret(("ssh", "ops"), "a", "b", None),
            "the engine `ssh` is not supported",
        ),
        ("good", nowhere, "no answer from 127.0.0.1"),
        ("good", other, "this runner knows no `azure_key_vault`"),
        ("good", Secret::default(), "names no service"),
    ] {
        let mut bench = bench(&["echo ran"], token);
        bench.payload.secrets = [("S".to_owned(), secret)].into();
        let outcome = bench.run().await;
        let log = bench.log();
        assert_eq!(outcome.state, JobState::Failed, "{log}");
        assert!(log.contains("Job failed (system failure)"), "{log}");
        assert!(log.contains(expected), "{expected}: {log}");
        assert!(
            !log.contains("ran\n") && !log.contains("Preparing the"),
            "{log}"
        );
    }
}
