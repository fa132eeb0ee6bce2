//! Branches, tags, commits and files.

use axum::http::{Method, StatusCode};
use serde_json::json;
use shipway_pipeline::Status;
use shipway_store::Visibility;

use super::site::{Site, job_secret};

#[tokio::test]
async fn branches_and_tags() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    let sha = site.commit(&project).await;
    let base = format!("/projects/{}/repository", project.id);
    let protect = format!("/projects/{}/protected_branches", project.id);
    let body = json!({ "name": "ma*", "push_access_level": 40, "merge_access_level": 30 });
    assert_eq!(
        site.post("maintainer", &protect, body).await.status,
        StatusCode::CREATED
    );
    let main = site
        .get("developer", &format!("{base}/branches/main"))
        .await
        .json();
    for (field, value) in [
        ("protected", true),
        ("default", true),
        ("can_push", false),
        ("developers_can_push", false),
        ("developers_can_merge", true),
    ] {
        assert_eq!(main[field], value, "{field}: {main}");
    }
    assert_eq!(main["commit"]["id"], sha);
    let other = site
        .get("developer", &format!("{base}/branches/feat%2Fx"))
        .await
        .json();
    assert_eq!(
        (&other["protected"], &other["can_push"]),
        (&json!(false), &json!(true))
    );
    let listed = site
        .get("reporter", &format!("{base}/branches?search=^feat"))
        .await;
    assert_eq!(listed.headers["x-total"], "1");
    assert_eq!(listed.json()[0]["can_push"], false);
    let tag = site
        .get("reporter", &format!("{base}/tags/v1.0%2Frc"))
        .await
        .json();
    assert_eq!(tag["target"], sha);
    assert_eq!(tag["message"], json!(null));
    assert_eq!(
        site.get("reporter", &format!("{base}/tags")).await.json(),
        json!([tag])
    );
    for (path, fault) in [
        ("branches/none", r#"{"message":"404 Branch Not Found"}"#),
        ("tags/none", r#"{"message":"404 Tag Not Found"}"#),
    ] {
        let missing = site.get("reporter", &format!("{base}/{path}")).await;
        assert_eq!(missing.text(), fault);
    }
}

#[tokio::test]
async fn commits_and_their_statuses() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    let pipeline = site.pipeline(&project).await;
    let job = site.finish(&pipeline, "compile", Status::Success).await;
    let sha = pipeline.sha.clone().unwrap();
    let base = format!("/projects/{}/repository/commits", project.id);
    let count = |query: &'static str| {
        let path = format!("{base}{query}");
        let site = &site;
        async move {
            let reply = site.get("reporter", &path).await;
            assert_eq!(reply.status, StatusCode::OK, "{path}: {}", reply.text());
            reply.json().as_array().unwrap().len()
        }
    };
    let all = count("").await;
    assert!(all > 0);
    for (query, expected) in [
        ("?path=dir", 1),
        ("?path=none", 0),
        ("?path=../x", 0),
        ("?path=:(glob)*", 0),
        ("?since=2099-01-01", 0),
        ("?until=1960-01-01", 0),
        ("?page=99999999&per_page=100", 0),
        ("?ref_name=feat/x&per_page=1", 1),
    ] {
        assert_eq!(count(query).await, expected, "{query}");
    }
    for name in ["main", "HEAD", "v1.0%2Frc", &sha, &sha[..8]] {
        let shown = site.get("reporter", &format!("{base}/{name}")).await.json();
        assert_eq!(shown["id"], sha, "{name}: {shown}");
        assert_eq!(shown["last_pipeline"]["id"], pipeline.id.0);
    }
    let wrong = site.get("reporter", &format!("{base}?ref_name=none")).await;
    assert_eq!(wrong.text(), r#"{"message":"404 Commit Not Found"}"#);
    let again = format!("/projects/{}/jobs/{job}/retry", project.id);
    let again = site.post("developer", &again, json!({})).await;
    assert_eq!(again.status, StatusCode::CREATED, "{}", again.text());
    let statuses = format!("{base}/{sha}/statuses");
    for (query, expected) in [
        ("", 2),
        ("?all=true", 3),
        ("?name=compile", 1),
        ("?stage=test", 1),
        ("?pipeline_id=99", 0),
        ("?ref=none", 0),
    ] {
        let listed = site.get("reporter", &format!("{statuses}{query}")).await;
        assert_eq!(listed.headers["x-total"], expected.to_string(), "{query}");
    }
    let newest = site
        .get("reporter", &format!("{statuses}?name=compile"))
        .await
        .json();
    assert_eq!(newest[0]["id"], again.json()["id"]);
    assert_eq!(
        newest[0]["author"]["username"],
        pipeline_author(&site, &pipeline).await
    );
}

async fn pipeline_author(site: &Site, pipeline: &shipway_store::PipelineRow) -> String {
    let user = site
        .app
        .store()
        .user(pipeline.user_id.unwrap())
        .await
        .unwrap();
    user.unwrap().username
}

#[tokio::test]
async fn a_file_as_it_is() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    let sha = site.commit(&project).await;
    let base = format!("/projects/{}/repository/files", project.id);
    let file = format!("{base}/dir%2Fa%20b.txt/raw");
    for query in ["", "?ref=main", "?ref=HEAD", "?ref=feat/x"] {
        let reply = site.get("reporter", &format!("{file}{query}")).await;
        assert_eq!(reply.text(), "content\n", "{query}");
        assert_eq!(reply.headers["x-gitlab-file-name"], "a b.txt");
        assert_eq!(reply.headers["x-gitlab-file-path"], "dir/a b.txt");
        assert_eq!(reply.headers["x-gitlab-size"], "8");
        assert_eq!(reply.headers["x-gitlab-commit-id"], sha);
        assert_eq!(reply.headers["cache-control"], "private, no-store");
        assert_eq!(reply.headers["content-type"], "text/plain");
    }
    for path in [
        format!("{base}/none/raw"),
        format!("{base}/dir/raw"),
        format!("{file}?ref=none"),
    ] {
        let missing = site.get("reporter", &path).await;
        assert_eq!(
            missing.status,
            StatusCode::NOT_FOUND,
            "{path}: {}",
            missing.text()
        );
    }
    let guest = site.get("guest", &file).await;
    assert_eq!(guest.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_job_reads_what_its_project_has() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    let pipeline = site.pipeline(&project).await;
    let job = site.job(&pipeline, "compile").await;
    let claim = site.claim(&pipeline, job).await;
    assert_eq!(claim, job_secret(job));
    for (path, status) in [
        ("repository/branches/main", 200),
        ("repository/commits/main", 200),
        ("environments", 200),
        ("protected_branches", 401),
    ] {
        let path = format!("/projects/{}/{path}?job_token={claim}", project.id);
        let reply = site.ask(None, Method::GET, &path, None).await;
        assert_eq!(reply.status.as_u16(), status, "{path}: {}", reply.text());
    }
}

#[tokio::test]
async fn a_file_with_its_facts() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    let sha = site.commit(&project).await;
    let file = format!("/projects/{}/repository/files/dir%2Fa%20b.txt", project.id);
    let shown = site.get("reporter", &format!("{file}?ref=HEAD")).await;
    assert_eq!(shown.headers["x-gitlab-size"], "8");
    let entity = shown.json();
    for (field, value) in [
        ("file_name", json!("a b.txt")),
        ("file_path", json!("dir/a b.txt")),
        ("size", json!(8)),
        ("encoding", json!("base64")),
        ("content", json!("Y29udGVudAo=")),
        ("ref", json!("HEAD")),
        ("blob_id", json!("d95f3ad14dee633a758d2e331151e950dd13e4ed")),
        ("commit_id", json!(sha)),
        ("execute_filemode", json!(false)),
    ] {
        assert_eq!(entity[field], value, "{field}: {entity}");
    }
    let head = site
        .ask(
            Some("reporter"),
            Method::HEAD,
            &format!("{file}?ref=main"),
            None,
        )
        .await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    assert_eq!(
        head.headers["x-gitlab-blob-id"],
        entity["blob_id"].as_str().unwrap()
    );
    assert_eq!(head.headers["x-gitlab-execute-filemode"], "false");
    let missing = site.get("reporter", &file).await;
    assert_eq!(missing.text(), r#"{"error":"ref is missing"}"#);
    let directory = format!("/projects/{}/repository/files/dir?ref=main", project.id);
    let directory = site.get("reporter", &directory).await;
    assert_eq!(directory.text(), r#"{"message":"404 File Not Found"}"#);
}

#[tokio::test]
async fn directories() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    let base = format!("/projects/{}/repository/tree", project.id);
    let empty = site.get("reporter", &base).await;
    assert_eq!(empty.text(), r#"{"message":"404 Tree Not Found"}"#);
    site.commit(&project).await;
    let paths = |query: &'static str| {
        let path = format!("{base}{query}");
        let site = &site;
        async move {
            let reply = site.get("reporter", &path).await;
            assert_eq!(reply.status, StatusCode::OK, "{path}: {}", reply.text());
            let entries = reply.json();
            let entries = entries.as_array().unwrap().iter();
            let paths: Vec<String> = entries
                .map(|entry| entry["path"].as_str().unwrap().to_owned())
                .collect();
            (paths, reply)
        }
    };
    let (top, reply) = paths("").await;
    assert_eq!(top, ["dir", ".gitlab-ci.yml"]);
    let first = &reply.json()[0];
    assert_eq!(
        (&first["type"], &first["mode"], &first["name"]),
        (&json!("tree"), &json!("040000"), &json!("dir"))
    );
    for (query, expected) in [
        ("?path=dir", &["dir/a b.txt"][..]),
        ("?path=dir/&ref=feat/x", &["dir/a b.txt"]),
        ("?recursive=true", &["dir", ".gitlab-ci.yml", "dir/a b.txt"]),
        ("?recursive=true&per_page=1&page=3", &["dir/a b.txt"]),
    ] {
        assert_eq!(paths(query).await.0, expected, "{query}");
    }
    // All of it, by the links.
    let mut next = Some(format!(
        "{base}?recursive=true&pagination=keyset&per_page=1"
    ));
    let mut all = Vec::new();
    while let Some(path) = next {
        let reply = site.get("reporter", &path).await;
        all.push(reply.json()[0]["path"].as_str().unwrap().to_owned());
        next = reply.headers.get("link").map(|link| {
            let link = link.to_str().unwrap();
            let url = link.split(['<', '>']).nth(1).unwrap();
            url.split_once("/api/v4").unwrap().1.to_owned()
        });
    }
    assert_eq!(all, ["dir", ".gitlab-ci.yml", "dir/a b.txt"]);
    for (query, status) in [
        ("?path=none", 404),
        ("?path=dir/a%20b.txt", 404),
        ("?path=../..", 404),
        ("?path=./dir", 404),
        ("?ref=none", 404),
        ("?ref=main:dir", 404),
        ("?pagination=keyset&page_token=none", 400),
        ("?recursive=maybe", 400),
    ] {
        let reply = site.get("reporter", &format!("{base}{query}")).await;
        assert_eq!(reply.status.as_u16(), status, "{query}: {}", reply.text());
    }
}

#[tokio::test]
async fn archives() {
    use std::io::Read;
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    let sha = site.commit(&project).await;
    let base = format!("/projects/{}/repository/archive", project.id);
    let zip = site
        .get("reporter", &format!("{base}.zip?sha=feat/x&path=dir"))
        .await;
    assert_eq!(zip.headers["content-type"], "application/zip");
    let top = format!("project-feat-x-{sha}-dir");
    assert_eq!(
        zip.headers["content-disposition"],
        format!("attachment; filename=\"{top}.zip\"")
    );
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(zip.body)).unwrap();
    let mut file = archive.by_name(&format!("{top}/dir/a b.txt")).unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "content\n");
    drop(file);
    assert!(archive.by_name(&format!("{top}/.gitlab-ci.yml")).is_err());
    for end in ["", ".tar.gz", ".tgz"] {
        let packed = site.get("reporter", &format!("{base}{end}")).await;
        let mut tar = Vec::new();
        flate2::read::GzDecoder::new(packed.body.as_slice())
            .read_to_end(&mut tar)
            .unwrap();
        let name = format!("project-main-{sha}/.gitlab-ci.yml");
        assert!(String::from_utf8_lossy(&tar).contains(&name), "{end}");
    }
    let tar = site
        .get("reporter", &format!("{base}?format=tar&sha={}", &sha[..8]))
        .await;
    assert_eq!(tar.headers["content-type"], "application/x-tar");
    assert!(tar.text().contains("content\n"));
    for (query, status) in [
        (".zip?sha=none", 404),
        (".zip?path=none", 404),
        (".zip?path=../x", 404),
        ("?format=rar", 400),
        (".zip?exclude_paths[]=dir", 400),
    ] {
        let reply = site.get("reporter", &format!("{base}{query}")).await;
        assert_eq!(reply.status.as_u16(), status, "{query}: {}", reply.text());
    }
    assert_eq!(site.get("guest", &base).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn comparisons() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    let old = site.commit(&project).await;
    site.write(&project, "dir/a b.txt", "content\nmore\n");
    site.write(&project, "new", "x\n");
    let new = site.commit(&project).await;
    let base = format!("/projects/{}/repository", project.id);
    let compare = format!("{base}/compare?from={old}&to=main");
    let found = site.get("reporter", &compare).await.json();
    assert_eq!(found["commit"]["id"], new, "{found}");
    assert_eq!(found["commits"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&found["compare_same_ref"], &found["compare_timeout"]),
        (&json!(false), &json!(false))
    );
    let diffs = found["diffs"].as_array().unwrap();
    assert_eq!(diffs.len(), 2, "{found}");
    assert_eq!(diffs[0]["new_path"], "dir/a b.txt");
    assert_eq!(diffs[0]["diff"], "@@ -1 +1,2 @@\n content\n+more\n");
    assert_eq!(
        (
            &diffs[1]["new_file"],
            &diffs[1]["a_mode"],
            &diffs[1]["b_mode"]
        ),
        (&json!(true), &json!("0"), &json!("100644"))
    );
    let unified = site
        .get("reporter", &format!("{compare}&unidiff=true"))
        .await
        .json();
    assert_eq!(
        unified["diffs"][1]["diff"],
        "--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+x\n"
    );
    let same = site
        .get("reporter", &format!("{base}/compare?from=main&to={new}"))
        .await
        .json();
    assert_eq!(
        (
            &same["commit"],
            &same["commits"],
            &same["diffs"],
            &same["compare_same_ref"]
        ),
        (&json!(null), &json!([]), &json!([]), &json!(true))
    );
    // What only the older side has is not told, unless everything is asked for.
    for (query, files) in [("", 0), ("&straight=true", 2)] {
        let back = format!("{base}/compare?from={new}&to={old}{query}");
        let back = site.get("reporter", &back).await.json();
        assert_eq!(back["diffs"].as_array().unwrap().len(), files, "{back}");
    }
    let common = site
        .get(
            "reporter",
            &format!("{base}/merge_base?refs[]=main&refs[]={old}"),
        )
        .await
        .json();
    assert_eq!(common["id"], old);
    let diff = site
        .get("reporter", &format!("{base}/commits/main/diff"))
        .await;
    assert_eq!(diff.headers["x-total"], "2");
    let shown = site
        .get("reporter", &format!("{base}/commits/main"))
        .await
        .json();
    assert_eq!(
        shown["stats"],
        json!({ "additions": 2, "deletions": 0, "total": 2 })
    );
    let root = site
        .get("reporter", &format!("{base}/commits/{old}"))
        .await
        .json();
    assert_eq!(root["stats"]["deletions"], 0, "{root}");
    let merge_requests = format!("{base}/commits/main/merge_requests");
    assert_eq!(
        site.get("reporter", &merge_requests).await.json(),
        json!([])
    );
    for (path, fault) in [
        ("compare?to=main", r#"{"error":"from is missing"}"#),
        ("compare?from=main", r#"{"error":"to is missing"}"#),
        (
            "compare?from=none&to=main",
            r#"{"message":"404 Ref Not Found"}"#,
        ),
        (
            "merge_base?refs[]=main",
            r#"{"message":"400 Bad request - Provide at least 2 refs"}"#,
        ),
        ("commits/none/diff", r#"{"message":"404 Commit Not Found"}"#),
    ] {
        let reply = site.get("reporter", &format!("{base}/{path}")).await;
        assert_eq!(reply.text(), fault, "{path}");
    }
}

#[tokio::test]
async fn addresses_without_numbers() {
    let site = Site::new().await;
    let project = site.project("project", Visibility::Private).await;
    let pipeline = site.pipeline(&project).await;
    let sha = pipeline.sha.clone().unwrap();
    let base = "/group/project/-";
    for name in ["main", "feat/x", "v1.0/rc", "HEAD", &sha] {
        let file = site
            .visit("reporter", &format!("{base}/raw/{name}/dir/a%20b.txt"))
            .await;
        assert_eq!(file.text(), "content\n", "{name}");
        assert_eq!(file.headers["content-type"], "text/plain; charset=utf-8");
        assert_eq!(
            file.headers["content-security-policy"],
            "sandbox; default-src 'none'"
        );
    }
    let newest = format!("{base}/pipelines/{}", pipeline.id);
    for (path, to) in [
        ("pipelines/latest", newest.clone()),
        ("pipelines/latest?ref=main", newest.clone()),
        ("pipelines/main/latest", newest),
    ] {
        let reply = site.visit("reporter", &format!("{base}/{path}")).await;
        assert_eq!(reply.status, StatusCode::FOUND, "{path}: {}", reply.text());
        assert_eq!(reply.headers["location"], to, "{path}");
    }
    for path in [
        "raw/main/none",
        "raw/none/dir/a%20b.txt",
        "raw/main/../x",
        "raw/main",
        "pipelines/none/latest",
    ] {
        let reply = site.visit("reporter", &format!("{base}/{path}")).await;
        assert_eq!(reply.status, StatusCode::NOT_FOUND, "{path}");
    }
    for path in ["raw/main/dir/a%20b.txt", "pipelines/latest"] {
        let reply = site.visit("guest", &format!("{base}/{path}")).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{path}");
    }
}
