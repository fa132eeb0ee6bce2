//! Bad input where git asks: refused, and nothing changes.

use reqwest::{Method, RequestBuilder};

use shipway_testing::state;

use crate::site::{ROOT_TOKEN, Site};

/// What a client sends: content type, further headers, body.
type Sent = (&'static str, Vec<(&'static str, &'static str)>, Vec<u8>);

fn requests(service: &str) -> Vec<Sent> {
    let kind: &'static str = match service {
        "git-upload-pack" => "application/x-git-upload-pack-request",
        _ => "application/x-git-receive-pack-request",
    };
    let gzip = vec![("content-encoding", "gzip")];
    vec![
        ("", vec![], b"0000".to_vec()),
        ("text/plain", vec![], b"0000".to_vec()),
        ("application/json", vec![], b"{}".to_vec()),
        (kind, vec![("content-encoding", "br")], b"0000".to_vec()),
        (kind, gzip.clone(), b"no gzip".to_vec()),
        (kind, vec![], b"zzzz".to_vec()),
        (kind, vec![], b"0003".to_vec()),
        (kind, vec![], b"fff0 much less".to_vec()),
        (kind, vec![], b"00000000PACK\0\0\0\x02".to_vec()),
        (kind, vec![], vec![0xff; 100_000]),
        (
            kind,
            vec![("git-protocol", "version=99:x")],
            b"001e# service=x\0\xff".to_vec(),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_git_sends_changes_nothing() {
    let site = Site::start().await;
    site.pushed("root/app").await;
    let data = site.root.join("data");
    let before = state::of(&data).await;
    let ask = |method: Method, path: &str| -> RequestBuilder {
        let call = site.request(method, path);
        call.basic_auth("root", Some(ROOT_TOKEN))
    };
    for path in [
        "/root/app.git/info/refs?service=git-evil-pack",
        "/root/app.git/info/refs?service=git-upload-pack%00",
        "/root/app.git/info/refs?service=%FF",
        "/root/app.git/info/refs",
        "/root%2Fapp.git/info/refs?service=git-upload-pack",
        "/root/..%2F..%2Fapp.git/info/refs?service=git-upload-pack",
        "/root/%00.git/info/refs?service=git-receive-pack",
        "/root/%FF.git/info/refs?service=git-receive-pack",
        "/root/-x.git/info/refs?service=git-receive-pack",
        "/root/a b.git/info/refs?service=git-receive-pack",
        "/app.git/info/refs?service=git-receive-pack",
        "/root/app.git/HEAD",
        "/root/app.git/objects/info/packs",
    ] {
        let status = ask(Method::GET, path).send().await.unwrap().status();
        assert!(status.is_client_error(), "{path}: {status}");
    }
    let long = format!(
        "/root/{}.git/info/refs?service=git-receive-pack",
        "x".repeat(20_000)
    );
    let status = ask(Method::GET, &long).send().await.unwrap().status();
    assert!(status.is_client_error(), "a long path: {status}");

    for service in ["git-upload-pack", "git-receive-pack"] {
        let path = format!("/root/app.git/{service}");
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let status = ask(method.clone(), &path).send().await.unwrap().status();
            assert!(status.is_client_error(), "{method} {path}: {status}");
        }
        for (kind, headers, body) in requests(service) {
            let mut call = ask(Method::POST, &path);
            if !kind.is_empty() {
                call = call.header("content-type", kind);
            }
            for (name, value) in headers {
                call = call.header(name, value);
            }
            let shown = String::from_utf8_lossy(&body[..body.len().min(20)]).into_owned();
            let answer = call.body(body).send().await.unwrap();
            let status = answer.status();
            let said = answer.bytes().await.unwrap_or_default();
            let said = String::from_utf8_lossy(&said).into_owned();
            // Once its answer has begun, git says what is wrong in it; to one that wants nothing
            // it says nothing.
            let refused = status.is_client_error()
                || ["ERR", "fatal"].iter().any(|word| said.contains(word))
                || said.is_empty();
            assert!(refused, "{service} {kind} {shown}: {status} {said}");
        }
    }
    assert_eq!(state::of(&data).await, before);
    site.stop().await;
}
