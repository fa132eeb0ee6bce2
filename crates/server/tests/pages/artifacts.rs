//! Artifacts in a browser: to be read, and never to be run.

use crate::browser::Browser;
use crate::site::Site;
use crate::world::{SHOP, world};

#[tokio::test(flavor = "multi_thread")]
async fn reports_are_read_and_do_not_run() {
    let site = Site::start().await;
    let world = world(&site).await;
    let dev = Browser::sign_in(&site, "dev").await;
    let base = format!("/{SHOP}/-/jobs/{}/artifacts", world.artifacts_job);
    let folder = dev.see(&format!("{base}/browse/htmlcov")).await;
    let report = format!("{base}/file/htmlcov/index.html");
    assert!(folder.contains(&format!("href=\"{report}\"")), "{folder}");
    let answer = dev.fetch(&report).await;
    assert_eq!(answer.status(), 200);
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "text/html; charset=utf-8");
    assert_eq!(header("x-content-type-options"), "nosniff");
    let policy = header("content-security-policy");
    assert!(
        policy.starts_with("sandbox") && !policy.contains("allow-scripts"),
        "{policy}"
    );
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert!(answer.text().await.unwrap().contains("Coverage report"));
    // Its style sheet is found by the link that it has.
    let style = dev.fetch(&format!("{base}/file/htmlcov/style.css")).await;
    assert_eq!(style.headers()["content-type"], "text/css; charset=utf-8");
    let raw = dev.fetch(&format!("{base}/raw/htmlcov/index.html")).await;
    let disposition = raw.headers()["content-disposition"].to_str().unwrap();
    assert!(
        disposition.starts_with("attachment; filename=\"index.html\""),
        "{disposition}"
    );
    assert_eq!(raw.headers()["content-type"], "application/octet-stream");
    let all = dev.fetch(&format!("{base}/download")).await;
    assert_eq!(all.headers()["content-type"], "application/zip");
    assert!(all.bytes().await.unwrap().starts_with(b"PK"));
    for path in ["file/none", "file/htmlcov", "raw/htmlcov/none"] {
        assert_eq!(
            dev.get(&format!("{base}/{path}")).await.status,
            404,
            "{path}"
        );
    }
    let page = format!("/{SHOP}/-/jobs/{}", world.artifacts_job);
    let kept = dev.submit(&page, &format!("{base}/keep"), &[]).await;
    assert_eq!(kept.status, 303);
    let files = site
        .store()
        .artifacts_of(world.artifacts_job)
        .await
        .unwrap();
    assert!(files.iter().all(|file| file.expires_at.is_none()));
    // Nobody else gets them.
    let guest = Browser::sign_in(&site, "guest").await;
    for path in [
        "browse",
        "download",
        "file/htmlcov/index.html",
        "raw/coverage.xml",
    ] {
        assert_eq!(
            guest.get(&format!("{base}/{path}")).await.status,
            403,
            "{path}"
        );
    }
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_or_damaged_says_so() {
    let site = Site::start().await;
    let world = world(&site).await;
    let dev = Browser::sign_in(&site, "dev").await;
    let base = format!("/{SHOP}/-/jobs/{}/artifacts", world.artifacts_job);
    let files = site
        .store()
        .artifacts_of(world.artifacts_job)
        .await
        .unwrap();
    let path = site.root.join("data/artifacts").join(&files[0].path);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let damaged = dev.get(&format!("{base}/browse")).await;
    assert_eq!(damaged.status, 422);
    assert!(
        damaged.text.contains("The archive is damaged"),
        "{}",
        damaged.text
    );
    let mut transaction = site.store().begin().await.unwrap();
    transaction
        .set_artifact_expiry(world.artifacts_job, Some(1))
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(dev.get(&format!("{base}/browse")).await.status, 404);
    let page = dev
        .see(&format!("/{SHOP}/-/jobs/{}", world.artifacts_job))
        .await;
    assert!(page.contains("are gone. Run the job again"), "{page}");
    site.stop().await;
}
