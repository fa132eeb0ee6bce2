//! Every page: there for those who may see it, not there or refused for all others.

use crate::browser::Browser;
use crate::site::Site;
use crate::world::{SHOP, world};

#[tokio::test(flavor = "multi_thread")]
async fn who_sees_what() {
    let site = Site::start().await;
    let world = world(&site).await;
    let who = [
        Browser::anonymous(&site),
        Browser::sign_in(&site, "stranger").await,
        Browser::sign_in(&site, "guest").await,
        Browser::sign_in(&site, "dev").await,
        Browser::sign_in(&site, "ann").await,
        Browser::sign_in(&site, "root").await,
    ];
    // A private project: nobody without an account sees more than the way to sign in.
    let read = [303, 404, 403, 200, 200, 200];
    let set_up = [303, 404, 403, 403, 200, 200];
    let admin = [303, 403, 403, 403, 403, 200];
    let job = |id: shipway_pipeline::JobId, below: &str| format!("/{SHOP}/-/jobs/{id}{below}");
    let shop = |below: &str| format!("/{SHOP}{below}");
    let table = [
        ("/".to_owned(), [200; 6]),
        ("/projects/new".to_owned(), [303, 200, 200, 200, 200, 200]),
        (
            "/-/user_settings/personal_access_tokens".to_owned(),
            [303, 200, 200, 200, 200, 200],
        ),
        (shop(""), [303, 404, 200, 200, 200, 200]),
        (shop("/-/pipelines"), read),
        (shop("/-/pipelines?ref=main&status=success&page=2"), read),
        (shop("/-/pipelines/new"), read),
        (shop(&format!("/-/pipelines/{}", world.passed)), read),
        (shop("/-/pipelines/999999"), [303, 404, 403, 404, 404, 404]),
        (shop("/-/jobs"), read),
        (job(world.failed_job, ""), read),
        (job(world.failed_job, "?from=3"), read),
        (job(world.running_job, ""), read),
        (job(world.artifacts_job, "/artifacts/browse"), read),
        (job(world.artifacts_job, "/artifacts/browse/htmlcov"), read),
        (
            job(world.artifacts_job, "/artifacts/browse/none"),
            [303, 404, 403, 404, 404, 404],
        ),
        (shop("/-/environments"), read),
        (shop("/-/environments?state=stopped"), read),
        (shop("/-/pipeline_schedules"), read),
        (shop("/-/pipeline_schedules/new"), read),
        (shop("/-/ci/lint"), read),
        (shop("/-/project_members"), read),
        (shop("/-/runners"), set_up),
        (shop("/-/variables"), set_up),
        (shop("/-/triggers"), set_up),
        (shop("/-/settings/ci_cd"), set_up),
        ("/groups/team".to_owned(), [303, 404, 200, 200, 200, 200]),
        ("/team".to_owned(), [303, 404, 200, 200, 200, 200]),
        (
            "/groups/team/-/runners".to_owned(),
            [303, 404, 404, 404, 404, 200],
        ),
        ("/admin/runners".to_owned(), admin),
        ("/admin/variables".to_owned(), admin),
        ("/admin/users".to_owned(), admin),
        ("/nothing/here".to_owned(), [303, 404, 404, 404, 404, 404]),
    ];
    for (path, expected) in &table {
        let mut found = Vec::new();
        for browser in &who {
            found.push(browser.get(path).await.status);
        }
        assert_eq!(&found, expected, "{path}");
    }
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_say_what_is() {
    let site = Site::start().await;
    let world = world(&site).await;
    let dev = Browser::sign_in(&site, "dev").await;
    let pushed = dev
        .see(&format!("/{SHOP}/-/pipelines/{}", world.pushed))
        .await;
    // The only runner with the tag is paused and silent.
    assert!(
        pushed.contains("stuck") && pushed.contains("<code>arm-lab</code>"),
        "{pushed}"
    );
    assert!(
        pushed.contains("Waits for <code>build</code> (pending)."),
        "{pushed}"
    );
    let failed = dev
        .see(&format!("/{SHOP}/-/jobs/{}", world.failed_job))
        .await;
    for text in [
        "The script ended with exit code 1.",
        "class=\"f1 bold\">E       assert 3 == 4",
        "data-section=\"step_script\"",
        "<small>1 min 1 s</small>",
        "id=\"L16\"",
        "93.25%",
        "2 of 48 tests failed",
    ] {
        assert!(failed.contains(text), "{text} is missing: {failed}");
    }
    // The progress of the download is its end.
    assert!(failed.contains("whl 100%") && !failed.contains("whl  12%"));
    let list = dev.see(&format!("/{SHOP}/-/pipelines?status=failed")).await;
    assert!(list.contains("feature/cart") && !list.contains(&format!("#{}<", world.passed)));
    let overview = dev.see(&format!("/{SHOP}")).await;
    assert!(
        overview.contains(&format!("git clone {}/{SHOP}.git", site.url)),
        "{overview}"
    );
    assert!(overview.contains(&format!("/{SHOP}/badges/main/pipeline.svg")));
    // A Guest sees neither pipelines nor the menu that leads to them.
    let guest = Browser::sign_in(&site, "guest").await;
    let overview = guest.see(&format!("/{SHOP}")).await;
    assert!(
        !overview.contains(&format!("/{SHOP}/-/pipelines\"")),
        "{overview}"
    );
    let raw = dev
        .fetch(&format!("/{SHOP}/-/jobs/{}/raw", world.failed_job))
        .await;
    assert_eq!(raw.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(raw.text().await.unwrap(), crate::world::log());
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn badges_have_gitlabs_addresses() {
    let site = Site::start().await;
    world(&site).await;
    let dev = Browser::sign_in(&site, "dev").await;
    for (path, text) in [
        ("badges/main/pipeline.svg", "pipeline: running"),
        ("badges/feature/cart/pipeline.svg", "pipeline: failed"),
        ("badges/none/pipeline.svg", "pipeline: unknown"),
        ("-/badges/release.svg", "Latest Release: v2.0"),
        ("badges/main/coverage.svg", "coverage: 93.25%"),
        (
            "badges/main/coverage.svg?job=unit+tests",
            "coverage: 93.25%",
        ),
        ("badges/main/coverage.svg?job=none", "coverage: unknown"),
        (
            "badges/main/coverage.svg?key_text=py&style=flat-square",
            "py: 93.25%",
        ),
        (
            "badges/main/coverage.svg?key_text=%3Cscript%3E",
            "&lt;script&gt;: 93.25%",
        ),
    ] {
        let badge = dev.fetch(&format!("/{SHOP}/{path}")).await;
        assert_eq!(badge.status(), 200, "{path}");
        assert_eq!(badge.headers()["content-type"], "image/svg+xml", "{path}");
        let badge = badge.text().await.unwrap();
        assert!(
            badge.contains(&format!("<title>{text}</title>")),
            "{path}: {badge}"
        );
    }
    let anonymous = Browser::anonymous(&site);
    let hidden = anonymous
        .get(&format!("/{SHOP}/badges/main/pipeline.svg"))
        .await;
    assert_eq!(hidden.status, 303);
    site.stop().await;
}
