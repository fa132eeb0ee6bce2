//! Names, refs, logs and variables that somebody chose to do harm.

use shipway_pipeline::Status;
use shipway_store::{JobUpdate, MemberSource, NewStage};

use crate::browser::Browser;
use crate::site::{ROOT_TOKEN, Site};
use crate::world::{job, pipeline};

const EVIL: &str = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'`{{7*7}}";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_others_wrote_becomes_markup() {
    let site = Site::start().await;
    site.pushed("root/evil").await;
    let project = site.project("root/evil").await;
    let mut changed = project.clone();
    changed.name = EVIL.to_owned();
    changed.description = EVIL.to_owned();
    let mut new = pipeline(&project, Status::Failed, EVIL);
    new.name = Some(EVIL.to_owned());
    new.source = EVIL.to_owned();
    new.yaml_errors = Some(EVIL.to_owned());
    let mut evil_job = job(EVIL, 0, Status::Failed);
    evil_job.tags = serde_json::to_string(&[EVIL]).unwrap();
    evil_job.environment = Some(serde_json::json!({ "name": EVIL }).to_string());
    let mut waiting = job("waiting", 0, Status::Created);
    waiting.needs = serde_json::to_string(&[serde_json::json!({ "job": EVIL })]).unwrap();
    let mut transaction = site.store().begin().await.unwrap();
    transaction.update_project(&changed).await.unwrap();
    let pipeline = transaction.insert_pipeline(&new).await.unwrap().id;
    let stage = NewStage {
        position: 0,
        name: EVIL.to_owned(),
        status: Status::Failed,
    };
    transaction.insert_stages(pipeline, &[stage]).await.unwrap();
    let jobs = transaction
        .insert_jobs(pipeline, &[evil_job, waiting])
        .await
        .unwrap();
    let update = JobUpdate {
        failure_reason: Some(EVIL.to_owned()),
        runner: Some(EVIL.to_owned()),
        started_at: Some(1),
        finished_at: Some(2),
        ..JobUpdate::default()
    };
    transaction.update_job(jobs[0], &update).await.unwrap();
    transaction.commit().await.unwrap();
    let log = format!(
        "{EVIL}\nsection_start:1:{EVIL}\r\x1b[0K{EVIL}\n\x1b]8;;javascript:alert(1)\x07x\n"
    );
    site.store()
        .logs()
        .append(pipeline, jobs[0], 0, log.as_bytes())
        .unwrap();
    let member = site.user("member").await;
    site.member(MemberSource::Project, project.id.0, &member, 30)
        .await;

    let root = Browser::sign_in(&site, "root").await;
    let base = "/root/evil";
    // The forms take it where they take any text, and show it again where they do not.
    for (page, fields) in [
        (
            "variables",
            vec![
                ("key", "K"),
                ("value", EVIL),
                ("description", EVIL),
                ("environment_scope", EVIL),
            ],
        ),
        ("variables", vec![("key", EVIL), ("value", EVIL)]),
        ("triggers", vec![("description", EVIL)]),
        (
            "runners",
            vec![("description", EVIL), ("tags", EVIL), ("run_untagged", "1")],
        ),
        (
            "project_members",
            vec![("username", EVIL), ("access_level", "20")],
        ),
        ("ci/lint", vec![("content", EVIL), ("ref", EVIL)]),
        (
            "settings/ci_cd",
            vec![
                ("section", "pipelines"),
                ("build_timeout", EVIL),
                ("ci_config_path", EVIL),
            ],
        ),
        (
            "settings/ci_cd",
            vec![
                ("section", "protect"),
                ("pattern", EVIL),
                ("kind", "branch"),
                ("push_level", "40"),
            ],
        ),
    ] {
        let page = format!("{base}/-/{page}");
        let answer = root.submit(&page, &page, &fields).await;
        assert!(answer.status < 500, "{page}: {}", answer.text);
    }
    // The browser of the tests looks at every page that it gets; here are those that show it.
    let evil_ref = "%22%3E%3Cscript%3E";
    let pages = [
        "/".to_owned(),
        "/?search=%22%3E%3Cscript%3Ealert(1)%3C/script%3E".to_owned(),
        "/users/sign_in?return_to=%22%3E%3Cscript%3E".to_owned(),
        base.to_owned(),
        format!("{base}?done=%3Cscript%3E"),
        format!("{base}/-/pipelines"),
        format!("{base}/-/pipelines?ref={evil_ref}&status={evil_ref}&source={evil_ref}"),
        format!("{base}/-/pipelines/new?ref={evil_ref}&var[%3Cb%3E]={evil_ref}"),
        format!("{base}/-/pipelines/{pipeline}"),
        format!("{base}/-/jobs"),
        format!("{base}/-/jobs/{}", jobs[0]),
        format!("{base}/-/jobs/{}", jobs[1]),
        format!("{base}/-/variables"),
        format!("{base}/-/triggers"),
        format!("{base}/-/runners"),
        format!("{base}/-/settings/ci_cd"),
        format!("{base}/-/project_members"),
        format!("{base}/-/{evil_ref}"),
        format!("/{evil_ref}/x"),
    ];
    for path in pages {
        let page = root.get(&path).await;
        assert!(page.status < 500, "{path}");
        assert!(!page.text.contains("<script>"), "{path}: {}", page.text);
        assert!(!page.text.contains("<img src=x"), "{path}");
        assert!(!page.text.contains(ROOT_TOKEN), "{path}");
    }
    site.stop().await;
}
