//! Cloning and fetching with the real client.

use reqwest::Method;
use shipway_store::Visibility;

use crate::site::{PASSWORD, ROOT_TOKEN, Site};

#[tokio::test(flavor = "multi_thread")]
async fn a_clone_by_password_token_and_nobody() {
    let site = Site::start().await;
    let work = site.pushed("root/lib").await;
    let head = work.ok(&["rev-parse", "HEAD"]);
    let here = work.at(&site.root);
    for (name, url) in [
        ("password", site.clone_url("root", PASSWORD, "root/lib")),
        ("token", site.clone_url("root", ROOT_TOKEN, "root/lib")),
        ("oauth2", site.clone_url("oauth2", ROOT_TOKEN, "root/lib")),
        (
            "as-user",
            site.clone_url(ROOT_TOKEN, "x-oauth-basic", "root/lib"),
        ),
        (
            "without-git",
            site.clone_url("root", ROOT_TOKEN, "root/lib")
                .replace(".git", ""),
        ),
    ] {
        here.ok(&["clone", "--quiet", &url, name]);
        let clone = work.at(&site.root.join(name));
        assert_eq!(clone.ok(&["rev-parse", "HEAD"]), head, "{name}");
    }
    let plain = format!("{}/root/lib.git", site.url);
    let complaint = here.refused(&["clone", "--quiet", &plain, "nobody"]);
    assert!(complaint.contains("could not read Username"), "{complaint}");
    let wrong = site.clone_url("root", "wrong", "root/lib");
    let complaint = here.refused(&["clone", "--quiet", &wrong, "nobody"]);
    assert!(complaint.contains("Authentication failed"), "{complaint}");
    site.make_visible("root/lib", Visibility::Public).await;
    here.ok(&["clone", "--quiet", &plain, "nobody"]);
    let shallow = ["clone", "--quiet", "--depth=1", &plain, "shallow"];
    here.ok(&shallow);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_not_gits() {
    let site = Site::start().await;
    site.pushed("root/lib").await;
    site.make_visible("root/lib", Visibility::Public).await;
    let kind = ("content-type", "application/x-git-upload-pack-request");
    for (method, path, headers, status) in [
        (Method::POST, "/root/lib.git/git-upload-pack", vec![], 415),
        (
            Method::POST,
            "/root/lib.git/git-upload-pack",
            vec![kind, ("content-encoding", "br")],
            415,
        ),
        (
            Method::PUT,
            "/root/lib.git/git-upload-pack",
            vec![kind],
            405,
        ),
        (
            Method::POST,
            "/root/lib.git/info/refs?service=git-upload-pack",
            vec![],
            405,
        ),
        (Method::GET, "/root/lib.git/info/refs", vec![], 404),
        (Method::GET, "/root/lib.git/HEAD", vec![], 404),
        (
            Method::GET,
            "/root/%2e%2e/lib.git/info/refs?service=git-upload-pack",
            vec![],
            404,
        ),
        (
            Method::GET,
            "/root%2Flib.git/info/refs?service=git-upload-pack",
            vec![],
            404,
        ),
        (
            Method::GET,
            "/root/lib.git/info/refs?service=git-upload-archive",
            vec![],
            404,
        ),
    ] {
        let mut request = site
            .request(method.clone(), path)
            .header("private-token", ROOT_TOKEN);
        for (name, value) in &headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status, "{method} {path} {headers:?}");
    }
}
