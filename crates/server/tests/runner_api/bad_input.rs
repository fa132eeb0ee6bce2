//! Bad input on every route of runners: refused in GitLab's form, and nothing changes.

use reqwest::Method;
use serde_json::{Value, json};
use shipway_store::Level;

use crate::support::{Answer, Site, answer, info};

/// A call that would be accepted: method, path, body.
type Call = (Method, String, Value);

/// A server with a runner that has a job at work.
struct World {
    site: Site,
    calls: Vec<Call>,
    job: i64,
    job_token: String,
}

async fn world() -> World {
    let site = Site::new().await;
    let (_, runner) = site.runner().await;
    site.push("a: {script: [x]}\nb: {script: [x]}").await;
    let (job, job_token, _) = site.take(&runner).await;
    let registration = site.registration_token(Level::Instance, 0).await;
    let system = "s_0123456789ab";
    let calls = vec![
        (
            Method::POST,
            "runners".to_owned(),
            json!({ "token": registration, "description": "d", "maintenance_note": "n",
                "info": info(), "tag_list": "a,b", "run_untagged": true, "locked": false,
                "access_level": "not_protected", "maximum_timeout": 900, "paused": true }),
        ),
        (
            Method::DELETE,
            "runners".to_owned(),
            json!({ "token": runner }),
        ),
        (
            Method::DELETE,
            "runners/managers".to_owned(),
            json!({ "token": runner, "system_id": system }),
        ),
        (
            Method::POST,
            "runners/verify".to_owned(),
            json!({ "token": runner, "system_id": system }),
        ),
        (
            Method::POST,
            "runners/reset_authentication_token".to_owned(),
            json!({ "token": runner }),
        ),
        (
            Method::POST,
            "jobs/request".to_owned(),
            json!({ "token": runner, "system_id": system, "info": info(), "last_update": "x" }),
        ),
        (
            Method::PUT,
            format!("jobs/{job}"),
            json!({ "token": job_token, "state": "failed", "failure_reason": "script_failure",
                "exit_code": 1, "checksum": "crc32:00000000",
                "output": { "checksum": "crc32:00000000", "bytesize": 0 } }),
        ),
    ];
    World {
        site,
        calls,
        job,
        job_token,
    }
}

#[track_caller]
fn is_refusal(answer: &Answer, what: &str) {
    let text = String::from_utf8_lossy(&answer.body);
    let shown: String = what.chars().take(160).collect();
    assert!(
        (400..500).contains(&answer.status),
        "{shown}: {} {text}",
        answer.status
    );
    answer.refused(answer.status);
}

#[tokio::test(flavor = "multi_thread")]
async fn fields() {
    let World { site, calls, .. } = world().await;
    let before = site.everything().await;
    let poisons = [
        json!({ "a": { "b": 1 } }),
        json!([{ "a": 1 }]),
        json!("a\u{0}b"),
        json!("x".repeat(1 << 20)),
    ];
    for (method, path, body) in &calls {
        for field in body.as_object().unwrap().keys() {
            // A server need not know all that a runner says of itself, nor every reason, and
            // a checksum may be of another kind.
            let poisons = poisons.iter().filter(|poison| {
                let is_any = poison.is_object() && body[field].is_object();
                let is_open = ["failure_reason", "checksum"].contains(&field.as_str());
                !(is_any || is_open && **poison == poisons[3])
            });
            for poison in poisons {
                let mut body = body.clone();
                body[field] = poison.clone();
                let call = site.call(method.clone(), path).json(&body);
                let what = format!("{method} {path} {field}={poison}");
                is_refusal(&answer(call).await, &what);
                assert_eq!(site.everything().await, before, "{method} {path} {field}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies() {
    let World { site, calls, .. } = world().await;
    let before = site.everything().await;
    let form = "application/x-www-form-urlencoded";
    let kinds: [(&str, Vec<u8>); 10] = [
        ("application/json", b"{".to_vec()),
        ("application/json", b"[1, 2]".to_vec()),
        ("application/json", b"{\"token\": \"\xff\"}".to_vec()),
        ("application/json", "[".repeat(100_000).into_bytes()),
        ("application/json", b"{}".to_vec()),
        ("application/json", b"".to_vec()),
        (form, b"token=%00".to_vec()),
        (form, b"token=%ff".to_vec()),
        (form, vec![b'a'; (1 << 20) + 1]),
        ("multipart/form-data; boundary=X", b"--X\r\nbroken".to_vec()),
    ];
    for (method, path, _) in &calls {
        for (kind, body) in &kinds {
            let call = site.call(method.clone(), path);
            let call = call.header("content-type", *kind).body(body.clone());
            let what = format!("{method} {path} {kind} {}", body.len());
            is_refusal(&answer(call).await, &what);
        }
    }
    assert_eq!(site.everything().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_are_none() {
    let world = world().await;
    let site = &world.site;
    let before = site.everything().await;
    let body = json!({ "token": world.job_token, "state": "success" });
    for bad in [
        "0",
        "-1",
        "x",
        "1.5",
        "%00",
        "%FF%FE",
        "99999999999999999999999999",
        "9223372036854775807",
        "..%2F1",
    ] {
        for (method, below) in [
            (Method::PUT, ""),
            (Method::PATCH, "/trace"),
            (Method::POST, "/artifacts/authorize"),
            (Method::POST, "/artifacts"),
            (Method::GET, "/artifacts"),
        ] {
            let path = format!("jobs/{bad}{below}");
            let call = site.call(method.clone(), &path);
            let call = call.header("JOB-TOKEN", &world.job_token).json(&body);
            is_refusal(&answer(call).await, &format!("{method} {path}"));
        }
    }
    assert_eq!(site.everything().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_and_files() {
    let world = world().await;
    let (site, job, token) = (&world.site, world.job, &world.job_token);
    site.patch(job, token, "0-3", b"text").await.is(202);
    let before = site.everything().await;
    for range in [
        "",
        "x",
        "-",
        "-1-2",
        "1",
        "5-9",
        "99999999999999999999-",
        "4-4, 8-9",
        "bytes 4-7/8",
    ] {
        is_refusal(&site.patch(job, token, range, b"text").await, range);
    }
    let upload = |query: &str| {
        site.call(Method::POST, &format!("jobs/{job}/artifacts{query}"))
            .header("JOB-TOKEN", token)
    };
    let multipart = "multipart/form-data; boundary=X";
    let part = |head: &str, body: &str| format!("--X\r\n{head}\r\n\r\n{body}\r\n--X--\r\n");
    let file = "Content-Disposition: form-data; name=\"file\"; filename=\"a.zip\"";
    for (query, kind, body) in [
        ("", "", String::new()),
        ("", "application/json", "{}".to_owned()),
        ("", "multipart/form-data", part(file, "PK")),
        ("", multipart, "--X\r\nbroken".to_owned()),
        ("", multipart, part(file, "PK").replace("--X--", "")),
        ("", multipart, part("Content-Disposition: form-data", "PK")),
        (
            "",
            multipart,
            part(&file.replace("\"file\"", "\"other\""), "PK"),
        ),
        ("?artifact_type=banana", multipart, part(file, "PK")),
        ("?artifact_format=banana", multipart, part(file, "PK")),
        ("?expire_in=never-ever-x", multipart, part(file, "PK")),
        ("?artifact_type=%FF", multipart, part(file, "PK")),
    ] {
        let mut call = upload(query);
        if !kind.is_empty() {
            call = call.header("content-type", kind);
        }
        let what = format!("artifacts{query} {kind} {body}");
        is_refusal(&answer(call.body(body)).await, &what);
    }
    for query in [
        "?filesize=x",
        "?filesize=-1",
        "?filesize=99999999999999999999",
    ] {
        let path = format!("jobs/{job}/artifacts/authorize{query}");
        let call = site.call(Method::POST, &path).header("JOB-TOKEN", token);
        is_refusal(&answer(call).await, query);
    }
    assert_eq!(site.everything().await, before);
}
