//! What forms do, what they refuse, and that nobody sends them for somebody else.

use shipway_pipeline::Status;
use shipway_store::{JobRow, Level, MemberSource, RefKind};

use crate::browser::Browser;
use crate::html;
use crate::site::{ROOT_TOKEN, Site};
use crate::world::{SHOP, world};

#[tokio::test(flavor = "multi_thread")]
async fn without_the_token_nothing_is_done() {
    let site = Site::start().await;
    let world = world(&site).await;
    let ann = Browser::sign_in(&site, "ann").await;
    let pipeline = format!("/{SHOP}/-/pipelines/{}", world.pushed);
    for path in [
        "/users/sign_out".to_owned(),
        "/projects".to_owned(),
        "/-/user_settings/personal_access_tokens".to_owned(),
        format!("{pipeline}/cancel"),
        format!("{pipeline}/delete"),
        format!("/{SHOP}/-/pipelines"),
        format!("/{SHOP}/-/jobs/{}/retry", world.failed_job),
        format!("/{SHOP}/-/runners"),
        format!("/{SHOP}/-/runners/reset_registration_token"),
        format!("/{SHOP}/-/variables"),
        format!("/{SHOP}/-/triggers"),
        format!("/{SHOP}/-/pipeline_schedules"),
        format!("/{SHOP}/-/project_members"),
        format!("/{SHOP}/-/settings/ci_cd"),
    ] {
        for token in [None, Some("wrong")] {
            let fields = token.map(|token| ("authenticity_token", token));
            let answer = ann.post(&path, fields.as_slice()).await;
            assert_eq!(answer.status, 422, "{path}");
            assert!(answer.text.contains("rejected"), "{path}: {}", answer.text);
        }
    }
    ann.see("/").await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelines_and_jobs() {
    let site = Site::start().await;
    let world = world(&site).await;
    let dev = Browser::sign_in(&site, "dev").await;
    let base = format!("/{SHOP}/-/pipelines");
    let page = format!("{base}/{}", world.pushed);
    let done = dev.submit(&page, &format!("{page}/cancel"), &[]).await;
    assert_eq!(
        (done.status, done.location),
        (303, format!("{page}?done=canceled"))
    );
    let row = site.store().pipeline(world.pushed).await.unwrap().unwrap();
    assert_eq!(row.status, Status::Canceled);
    let done = dev.submit(&page, &format!("{page}/retry"), &[]).await;
    assert_eq!(done.status, 303);
    let jobs = site.store().jobs(world.pushed).await.unwrap();
    let build = jobs
        .iter()
        .find(|job| job.name == "build" && !job.retried)
        .unwrap();
    assert_eq!(build.status, Status::Pending);
    // What a job cannot do is no fault; what somebody may not do is.
    let job = format!("/{SHOP}/-/jobs/{}", build.id);
    let done = dev.submit(&job, &format!("{job}/play"), &[]).await;
    assert_eq!(done.location, format!("{job}?done=nothing"));
    let done = dev.submit(&job, &format!("{job}/cancel"), &[]).await;
    assert_eq!(done.location, format!("{job}?done=canceled"));
    let done = dev.submit(&job, &format!("{job}/retry"), &[]).await;
    assert_eq!(done.status, 303);
    assert_ne!(done.location, job, "a new attempt has a page of its own");
    let refused = dev.submit(&page, &format!("{page}/delete"), &[]).await;
    assert_eq!(refused.status, 403);

    let new = format!("{base}/new");
    let fields = [("ref", "none"), ("key", ""), ("value", "")];
    let refused = dev.submit(&new, &base, &fields).await;
    assert_eq!(refused.status, 422);
    assert!(refused.text.contains("There is no branch or tag"));
    let fields = [
        ("ref", "main"),
        ("key", "COLOUR"),
        ("value", "blue & <green>"),
    ];
    let done = dev.submit(&new, &base, &fields).await;
    assert_eq!(done.status, 303, "{}", done.text);
    let id = done.location.rsplit('/').next().unwrap().parse().unwrap();
    let row = site
        .store()
        .pipeline(shipway_pipeline::PipelineId(id))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (row.source.as_str(), row.ref_name.as_str()),
        ("web", "main")
    );
    dev.see(&done.location).await;

    // A value for no input makes a pipeline that says so.
    let fields = [("ref", "main"), ("input", "colour"), ("input_value", "red")];
    let done = dev.submit(&new, &base, &fields).await;
    assert_eq!(done.status, 303, "{}", done.text);
    let seen = dev.see(&done.location).await;
    assert!(seen.contains("Given inputs not defined"), "{seen}");
    let filled = dev.see(&format!("{new}?inputs[colour]=red")).await;
    assert!(
        filled.contains("name=\"input\" value=\"colour\""),
        "{filled}"
    );
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn setting_up() {
    let site = Site::start().await;
    let world = world(&site).await;
    let ann = Browser::sign_in(&site, "ann").await;
    let (store, project) = (site.store(), world.project.id);

    let page = format!("/{SHOP}/-/variables");
    let fields = [("key", "A"), ("value", "1"), ("environment_scope", "")];
    assert_eq!(ann.submit(&page, &page, &fields).await.status, 303);
    let again = ann.submit(&page, &page, &fields).await;
    assert_eq!(again.status, 422);
    assert!(again.text.contains("already"), "{}", again.text);
    let short = [("key", "B"), ("value", "short"), ("masked", "1")];
    assert_eq!(ann.submit(&page, &page, &short).await.status, 422);
    let rows = store.variables(Level::Project, project.0).await.unwrap();
    let row = rows.iter().find(|row| row.key == "A").unwrap();
    assert_eq!(
        (row.value.as_slice(), row.environment_scope.as_str()),
        (&b"1"[..], "*")
    );
    let hidden = rows.iter().find(|row| row.hidden).unwrap();
    let own = format!("{page}/{}", hidden.id);
    assert!(!ann.see(&page).await.contains("hidden-secret-value"));
    assert!(!ann.see(&own).await.contains("hidden-secret-value"));
    let fields = [
        ("key", "DEPLOY_KEY"),
        ("value", ""),
        ("description", "changed"),
    ];
    assert_eq!(ann.submit(&own, &own, &fields).await.status, 303);
    let kept = store.variable(hidden.id).await.unwrap().unwrap();
    assert!(kept.hidden && kept.masked && kept.value == b"hidden-secret-value");
    assert_eq!(
        ann.submit(&page, &format!("{own}/delete"), &[])
            .await
            .status,
        303
    );

    let page = format!("/{SHOP}/-/settings/ci_cd");
    let fields = [
        ("section", "pipelines"),
        ("build_timeout", "2h"),
        ("ci_config_path", "ci.yml"),
        ("ci_default_git_depth", "7"),
        ("build_git_strategy", "clone"),
        ("build_coverage_regex", r"TOTAL.*\s+(\d+%)$"),
        ("shared_runners", "1"),
    ];
    let done = ann.submit(&page, &page, &fields).await;
    assert_eq!(done.status, 303, "{}", done.text);
    let row = store.project(project).await.unwrap().unwrap();
    let settings = shipway_coordinator::ProjectSettings::of(&row);
    assert_eq!(
        (settings.build_timeout, settings.ci_config_path.as_str()),
        (7200, "ci.yml")
    );
    assert!(settings.shared_runners_enabled && !settings.group_runners_enabled);
    assert!(!settings.public_jobs, "its box was not checked");
    let seen = ann.see(&page).await;
    assert!(seen.contains("name=\"public_jobs\" value=\"1\">"), "{seen}");
    let list = format!("/{SHOP}/-/pipelines");
    let clear = format!("{page}/reset_cache");
    for index in 1..3 {
        let done = ann.submit(&list, &clear, &[]).await;
        assert_eq!(done.location, format!("{list}?done=caches"));
        let row = store.project(project).await.unwrap().unwrap();
        let settings = shipway_coordinator::ProjectSettings::of(&row);
        assert_eq!(settings.jobs_cache_index, index);
        assert_eq!(settings.build_timeout, 7200, "the others stay");
    }
    let dev = Browser::sign_in(&site, "dev").await;
    assert!(!dev.see(&list).await.contains("reset_cache"));
    assert_eq!(dev.submit(&list, &clear, &[]).await.status, 403);
    let fields = [("section", "pipelines"), ("build_timeout", "soon")];
    assert_eq!(ann.submit(&page, &page, &fields).await.status, 422);
    let fields = [
        ("section", "protect"),
        ("pattern", "release/*"),
        ("kind", "branch"),
        ("push_level", "40"),
    ];
    assert_eq!(ann.submit(&page, &page, &fields).await.status, 303);
    let rows = store.protected_refs(project).await.unwrap();
    assert!(
        rows.iter()
            .any(|row| row.pattern == "release/*" && row.kind == RefKind::Branch)
    );
    let fields = [("section", "delete"), ("confirm", SHOP)];
    assert_eq!(ann.submit(&page, &page, &fields).await.status, 403);

    let page = format!("/{SHOP}/-/pipeline_schedules");
    let new = format!("{page}/new");
    let fields = [
        ("description", "nightly"),
        ("cron", "0 2 * * *"),
        ("cron_timezone", "Europe/Paris"),
        ("ref", "main"),
        ("active", "1"),
        ("key", "NIGHT"),
        ("value", "1"),
    ];
    assert_eq!(ann.submit(&new, &page, &fields).await.status, 303);
    let wrong = [("description", "x"), ("cron", "often"), ("ref", "main")];
    assert_eq!(ann.submit(&new, &page, &wrong).await.status, 422);
    let row = store.schedules(project).await.unwrap().remove(0);
    assert!(row.next_run_at.is_some() && row.active);
    let play = format!("{page}/{}/play", row.id);
    let played = ann.submit(&new, &play, &[]).await;
    assert_eq!(played.status, 303, "{}", played.text);
    assert!(ann.see(&page).await.contains("nightly"));

    let page = format!("/{SHOP}/-/project_members");
    let fields = [("username", "stranger"), ("access_level", "20")];
    assert_eq!(ann.submit(&page, &page, &fields).await.status, 303);
    // A Maintainer makes nobody an Owner.
    let fields = [("username", "ann"), ("access_level", "50")];
    assert_eq!(ann.submit(&page, &page, &fields).await.status, 422);
    let fields = [("username", "nobody"), ("access_level", "20")];
    assert_eq!(ann.submit(&page, &page, &fields).await.status, 422);
    let fields = [("username", "stranger")];
    assert_eq!(
        ann.submit(&page, &format!("{page}/remove"), &fields)
            .await
            .status,
        303
    );
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_shown_once() {
    let site = Site::start().await;
    let world = world(&site).await;
    let ann = Browser::sign_in(&site, "ann").await;
    let tokens = "/-/user_settings/personal_access_tokens";
    let triggers = format!("/{SHOP}/-/triggers");
    let runners = format!("/{SHOP}/-/runners");
    for (page, fields, prefix) in [
        (
            tokens,
            vec![
                ("name", "laptop"),
                ("scopes", "api"),
                ("scopes", "read_repository"),
            ],
            "glpat-",
        ),
        (
            triggers.as_str(),
            vec![("description", "nightly")],
            "glptt-",
        ),
        (
            runners.as_str(),
            vec![
                ("description", "mine"),
                ("tags", "a, b"),
                ("run_untagged", "1"),
            ],
            "glrt-",
        ),
    ] {
        let made = ann.submit(page, page, &fields).await;
        assert_eq!(made.status, 201, "{page}: {}", made.text);
        let copied = html::after(&made.text, "data-copy=\"").unwrap();
        let at = copied.find(prefix).unwrap();
        let secret: String = (copied[at..].chars())
            .take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c))
            .collect();
        assert!(secret.len() >= prefix.len() + 24, "{page}: {secret}");
        assert!(!ann.see(page).await.contains(&secret), "{page}");
    }
    let reset = format!("{runners}/reset_registration_token");
    assert_eq!(ann.submit(&runners, &reset, &[]).await.status, 303);
    let page = ann.see(&runners).await;
    assert!(page.contains("--registration-token GR1348941"), "{page}");
    let row = site
        .store()
        .registration_token(Level::Project, world.project.id.0)
        .await
        .unwrap();
    assert!(row.is_some());
    // Shared runners are not changed from a project.
    let all = site
        .store()
        .runners_for_project(world.project.id)
        .await
        .unwrap();
    for runner in all {
        let pause = format!("{runners}/{}/pause", runner.id);
        let expected = if runner.description == "build-1" {
            404
        } else {
            303
        };
        assert_eq!(ann.submit(&runners, &pause, &[]).await.status, expected);
    }
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_and_users() {
    let site = Site::start().await;
    let root = Browser::sign_in(&site, "root").await;
    let fields = [
        ("username", "eve"),
        ("name", "Eve"),
        ("email", "eve@example.com"),
        ("password", crate::site::PASSWORD),
    ];
    assert_eq!(
        root.submit("/admin/users", "/admin/users", &fields)
            .await
            .status,
        303
    );
    assert_eq!(
        root.submit("/admin/users", "/admin/users", &fields)
            .await
            .status,
        422
    );
    let eve = Browser::sign_in(&site, "eve").await;
    let fields = [
        ("namespace", "eve"),
        ("path", "app"),
        ("visibility", "public"),
    ];
    let made = eve.submit("/projects/new", "/projects", &fields).await;
    assert_eq!(
        (made.status, made.location.as_str()),
        (303, "/eve/app?done=project")
    );
    let page = eve.see(&made.location).await;
    assert!(page.contains("The project is made.") && page.contains("git push -u origin main"));
    for (namespace, path) in [
        ("eve", "app"),
        ("eve", "-x"),
        ("eve", ""),
        ("root", "app"),
        ("none", "app"),
    ] {
        let fields = [("namespace", namespace), ("path", path)];
        let refused = eve.submit("/projects/new", "/projects", &fields).await;
        assert_eq!(refused.status, 422, "{namespace}/{path}");
    }
    let anonymous = Browser::anonymous(&site);
    anonymous.see("/eve/app").await;
    assert!(anonymous.see("/").await.contains("eve/app"));
    let eve_row = site.store().user_by_username("eve").await.unwrap().unwrap();
    let block = format!("/admin/users/{}/block", eve_row.id);
    assert_eq!(root.submit("/admin/users", &block, &[]).await.status, 303);
    assert_eq!(eve.get("/projects/new").await.status, 303, "signed out");
    let page = "/eve/app/-/settings/ci_cd";
    let fields = [("section", "delete"), ("confirm", "eve/other")];
    assert_eq!(root.submit(page, page, &fields).await.status, 422);
    let fields = [("section", "delete"), ("confirm", "eve/app")];
    assert_eq!(
        root.submit(page, page, &fields).await.location,
        "/?done=project-deleted"
    );
    assert_eq!(root.get("/eve/app").await.status, 404);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_is_checked() {
    let site = Site::start().await;
    world(&site).await;
    let dev = Browser::sign_in(&site, "dev").await;
    let page = format!("/{SHOP}/-/ci/lint");
    assert!(
        dev.see(&page).await.contains("script: pytest"),
        "the project's own to begin with"
    );
    for (content, text) in [
        ("a:\n  script: make\n", "The configuration is valid."),
        ("include: /.gitlab-ci.yml\n", "The configuration is valid."),
        (
            "a:\n  stage: nowhere\n  script: make\n",
            "The configuration is not valid.",
        ),
        (
            "<script>alert(1)</script>",
            "The configuration is not valid.",
        ),
    ] {
        let checked = dev
            .submit(&page, &page, &[("content", content), ("ref", "main")])
            .await;
        assert_eq!(checked.status, 200);
        assert!(checked.text.contains(text), "{content}: {}", checked.text);
    }
    site.stop().await;
}

const WITH_VALUES: &str = "
stages: [one, two]
a:
  stage: one
  when: manual
  inputs: {where: {default: staging, description: Where to}, size: {options: [s, m], default: s}}
  script: ['to ${{ job.inputs.where }} ${{ job.inputs.size }}']
b: {stage: one, when: manual, script: x}
c: {stage: two, script: x}
";

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_given_values() {
    let site = Site::start().await;
    site.group("team").await;
    let work = site.work("values");
    std::fs::write(work.path.join(".gitlab-ci.yml"), WITH_VALUES).unwrap();
    work.commit("a");
    let url = site.clone_url("root", ROOT_TOKEN, "team/values");
    work.ok(&["push", "--quiet", &url, "main"]);
    let project = site.project("team/values").await;
    let user = site.user("dev").await;
    site.member(MemberSource::Project, project.id.0, &user, 30)
        .await;
    let dev = Browser::sign_in(&site, "dev").await;
    let newest = site.store().newest_pipeline(project.id, "main").await;
    let pipeline = newest.unwrap().unwrap().id;
    let job = async |name: &str| -> JobRow {
        let jobs = site.store().jobs(pipeline).await.unwrap();
        let mut jobs = jobs.into_iter();
        jobs.find(|job| job.name == name && !job.retried).unwrap()
    };
    let address = |job: &JobRow| format!("/team/values/-/jobs/{}", job.id);

    let a = address(&job("a").await);
    let seen = dev.see(&a).await;
    for text in [
        "Run with inputs and variables",
        "Where to",
        "value=\"staging\"",
    ] {
        assert!(seen.contains(text), "{text}: {seen}");
    }
    let values = |size: &'static str| {
        [
            ("given", "1"),
            ("input", "where"),
            ("input_value", "live"),
            ("input", "size"),
            ("input_value", size),
            ("key", "COLOUR"),
            ("value", "blue"),
        ]
    };
    let refused = dev.submit(&a, &format!("{a}/play"), &values("xl")).await;
    assert_eq!(refused.status, 400, "{}", refused.text);
    let done = dev.submit(&a, &format!("{a}/play"), &values("m")).await;
    assert_eq!((done.status, &done.location), (303, &a));
    assert_eq!(job("a").await.status, Status::Pending);
    let stored = async || -> serde_json::Value {
        let json = site.store().job_variables(pipeline, "a").await.unwrap();
        serde_json::from_slice(&json).unwrap()
    };
    let given = stored().await;
    assert_eq!(given["inputs"]["where"], "live", "{given}");
    assert_eq!(given["variables"][0]["value"], "blue", "{given}");
    dev.submit(&a, &format!("{a}/cancel"), &[]).await;

    // The form for another attempt has them.
    let seen = dev.see(&a).await;
    for text in [
        "Retry with",
        "value=\"live\"",
        "value=\"COLOUR\"",
        "<option selected>m",
    ] {
        assert!(seen.contains(text), "{text}: {seen}");
    }
    let done = dev.submit(&a, &format!("{a}/retry"), &values("s")).await;
    assert_eq!(done.status, 303, "{}", done.text);
    assert_eq!(stored().await["inputs"]["size"], "s");
    assert_eq!(job("a").await.status, Status::Pending);

    let page = format!("/team/values/-/pipelines/{pipeline}");
    assert!(dev.see(&page).await.contains("Run all manual jobs of one"));
    let play = format!("{page}/play");
    for (stage, location) in [
        ("two", format!("{page}?done=nothing")),
        ("one", page.clone()),
    ] {
        let done = dev.submit(&page, &play, &[("stage", stage)]).await;
        assert_eq!((done.status, done.location), (303, location), "{stage}");
    }
    assert_eq!(job("b").await.status, Status::Pending);
    site.stop().await;
}
