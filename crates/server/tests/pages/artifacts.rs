//! Artifacts in a browser: to be read, and never to be run.

use shipway_store::{Accessibility, NewArtifact};

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

/// Who may read the artifacts from now on.
async fn restrict(site: &Site, job: shipway_pipeline::JobId, to: Accessibility) {
    let mut transaction = site.store().begin().await.unwrap();
    for file in transaction.artifacts_of(job).await.unwrap() {
        transaction.delete_artifact(file.id).await.unwrap();
        let new = NewArtifact {
            job_id: file.job_id,
            file_type: file.file_type,
            format: file.format,
            file_name: file.file_name,
            size: file.size,
            expires_at: file.expires_at,
            path: file.path,
            digest: file.digest,
            accessibility: to,
        };
        transaction.insert_artifact(&new).await.unwrap();
    }
    transaction.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn artifacts_may_be_kept_from_most() {
    let site = Site::start().await;
    let world = world(&site).await;
    let (ann, dev) = (
        Browser::sign_in(&site, "ann").await,
        Browser::sign_in(&site, "dev").await,
    );
    let reporter = site.user("reporter").await;
    let project = world.project.id.0;
    let member = shipway_store::MemberSource::Project;
    site.member(member, project, &reporter, 20).await;
    let reporter = Browser::sign_in(&site, "reporter").await;
    let job = world.artifacts_job;
    let page = format!("/{SHOP}/-/jobs/{job}");
    let api = format!("/api/v4/projects/{project}/jobs/{job}/artifacts");
    for (accessibility, expected) in [
        (Accessibility::Public, [200, 200, 200]),
        (Accessibility::Private, [403, 200, 200]),
        (Accessibility::Maintainer, [403, 403, 200]),
        (Accessibility::None, [403, 403, 403]),
    ] {
        restrict(&site, job, accessibility).await;
        for (browser, expected) in [&reporter, &dev, &ann].into_iter().zip(expected) {
            for path in [
                format!("{page}/artifacts/browse"),
                format!("{page}/artifacts/download"),
                format!("{page}/artifacts/file/htmlcov/index.html"),
                format!("{page}/artifacts/raw/coverage.xml"),
                api.clone(),
                format!("{api}/coverage.xml"),
            ] {
                let found = browser.fetch(&path).await.status();
                assert_eq!(found, expected, "{accessibility} {path}");
            }
            let seen = browser.see(&page).await;
            assert_eq!(seen.contains("artifacts/browse"), expected == 200, "{seen}");
        }
    }
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_by_ref_lead_to_the_newest_successful_job() {
    let site = Site::start().await;
    let world = world(&site).await;
    let dev = Browser::sign_in(&site, "dev").await;
    let passed = site.store().jobs(world.passed).await.unwrap();
    let job = passed.iter().find(|job| job.name == "unit tests").unwrap();
    let base = format!("/{SHOP}/-/jobs/artifacts");
    for page in [
        "download",
        "browse",
        "browse/htmlcov",
        "file/htmlcov/index.html",
        "raw/coverage.xml",
        "raw/a%20b",
    ] {
        let found = dev.get(&format!("{base}/main/{page}?job=unit+tests")).await;
        let target = format!("/{SHOP}/-/jobs/{}/artifacts/{page}", job.id);
        assert_eq!((found.status, found.location), (302, target), "{page}");
    }
    for path in [
        "main/download?job=none",
        "main/download",
        "none/download?job=unit+tests",
        "main/keep?job=unit+tests",
        "main?job=unit+tests",
    ] {
        let found = dev.get(&format!("{base}/{path}")).await;
        assert_eq!(found.status, 404, "{path}");
    }
    let path = format!("{base}/main/download?job=unit+tests");
    let guest = Browser::sign_in(&site, "guest").await;
    assert_eq!(guest.get(&path).await.status, 403);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn log_and_artifacts_of_a_job_are_erased() {
    let site = Site::start().await;
    let world = world(&site).await;
    let dev = Browser::sign_in(&site, "dev").await;
    let page = format!("/{SHOP}/-/jobs/{}", world.artifacts_job);
    let erase = format!("{page}/erase");
    assert!(dev.see(&page).await.contains(&erase));
    let reporter = site.user("reporter").await;
    let member = shipway_store::MemberSource::Project;
    site.member(member, world.project.id.0, &reporter, 20).await;
    let reporter = Browser::sign_in(&site, "reporter").await;
    assert!(!reporter.see(&page).await.contains(&erase));
    assert_eq!(reporter.submit(&page, &erase, &[]).await.status, 403);

    let done = dev.submit(&page, &erase, &[]).await;
    assert_eq!(
        (done.status, done.location),
        (303, format!("{page}?done=erased"))
    );
    let files = site.store().artifacts_of(world.artifacts_job).await;
    assert_eq!(files.unwrap(), []);
    assert!(site.store().blobs().list("").await.unwrap().is_empty());
    let seen = dev.see(&page).await;
    assert!(!seen.contains(&erase), "there is nothing more to erase");
    // One that runs cannot be.
    let page = format!("/{SHOP}/-/jobs/{}", world.running_job);
    let erase = format!("{page}/erase");
    assert!(!dev.see(&page).await.contains(&erase));
    let done = dev.submit(&page, &erase, &[]).await;
    assert_eq!(done.location, format!("{page}?done=nothing"));
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
