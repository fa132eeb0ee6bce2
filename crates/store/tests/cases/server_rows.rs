//! What only a server has: people, projects, runners, and what sets pipelines off.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

use crate::support::server::{group, manager, new_runner, project, runner, user};
use crate::support::{pipeline, store, stored_in};
use shipway_store::{
    DeploymentStatus, EnvironmentState, Level, MemberRow, MemberSource, NewAccessToken,
    NewDeployment, NewEnvironment, NewNamespace, NewSchedule, NewTrigger, NewVariable, Page,
    ProjectFilter, ProtectedRefRow, RefKind, RegistrationTokenRow, RunnerKind, SessionRow, Store,
    StoreError, UserId, UserState, VariableType, Viewer, Visibility,
};

#[tokio::test]
async fn users_are_found_by_name_in_any_case_and_names_are_unique() {
    let (_directory, store) = store().await;
    let alice = user(&store, "Alice").await;
    let bob = user(&store, "bob").await;
    let found = store.user_by_username("aLICE").await.unwrap().unwrap();
    assert_eq!((found.id, found.username.as_str()), (alice, "Alice"));
    let found = store.user_by_email("ALICE@example.com").await.unwrap();
    assert_eq!(found.unwrap().id, alice);
    assert_eq!(store.user_by_username("carol").await.unwrap(), None);

    let mut transaction = store.begin().await.unwrap();
    let mut row = transaction.user(bob).await.unwrap();
    row.username = "ALICE".to_owned();
    let error = transaction.update_user(&row).await.unwrap_err();
    assert!(matches!(error, StoreError::Taken { .. }), "{error:?}");
    drop(transaction);

    let mut transaction = store.begin().await.unwrap();
    row.username = "robert".to_owned();
    row.state = UserState::Blocked;
    row.password_hash = None;
    transaction.update_user(&row).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(store.user(bob).await.unwrap().unwrap(), row);

    let page = Page {
        limit: 1,
        offset: 1,
    };
    let users = store.users(page).await.unwrap();
    assert_eq!((users.total, users.rows), (2, vec![row]));
    let mut transaction = store.begin().await.unwrap();
    let error = transaction.delete_user(UserId(99)).await.unwrap_err();
    assert!(error.to_string().contains("user 99"), "{error}");
}

#[tokio::test]
async fn tokens_and_sessions_are_found_by_digest_and_go_with_their_user() {
    let (_directory, store) = store().await;
    let alice = user(&store, "alice").await;
    let mut transaction = store.begin().await.unwrap();
    let new = NewAccessToken {
        user_id: alice,
        name: "laptop".to_owned(),
        digest: vec![7; 32],
        scopes: r#"["api"]"#.to_owned(),
        expires_at: Some(100),
        revoked: false,
        created_at: 1,
        last_used_at: None,
    };
    let token = transaction.insert_access_token(&new).await.unwrap();
    let session = |number: u8, expires_at| SessionRow {
        digest: vec![number; 32],
        user_id: alice,
        csrf: "form".to_owned(),
        created_at: 1,
        expires_at,
    };
    for (number, expires_at) in [(1, 10), (2, 20), (3, 30)] {
        let row = session(number, expires_at);
        transaction.insert_session(&row).await.unwrap();
    }
    transaction.access_token_used(token.id, 5).await.unwrap();
    transaction.revoke_access_token(token.id).await.unwrap();
    transaction.commit().await.unwrap();

    let found = store.access_token_by_digest(&[7; 32]).await.unwrap();
    let found = found.unwrap();
    assert_eq!((found.revoked, found.last_used_at), (true, Some(5)));
    assert_eq!(store.access_tokens(alice).await.unwrap(), [found]);
    assert_eq!(store.access_token_by_digest(&[8; 32]).await.unwrap(), None);

    let mut transaction = store.begin().await.unwrap();
    assert!(transaction.extend_session(&[2; 32], 40).await.unwrap());
    assert_eq!(transaction.delete_expired_sessions(30).await.unwrap(), 2);
    assert!(!transaction.delete_session(&[1; 32]).await.unwrap());
    transaction.commit().await.unwrap();
    assert_eq!(
        store.session(&[2; 32]).await.unwrap().unwrap().expires_at,
        40
    );
    assert_eq!(store.session(&[3; 32]).await.unwrap(), None);

    let mut transaction = store.begin().await.unwrap();
    transaction.delete_user(alice).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(store.session(&[2; 32]).await.unwrap(), None);
    assert_eq!(store.access_token(token.id).await.unwrap(), None);
}

#[tokio::test]
async fn paths_are_unique_in_any_case_and_ancestors_come_nearest_first() {
    let (_directory, store) = store().await;
    let top = group(&store, "Top", None).await;
    let sub = group(&store, "Top/sub", Some(top)).await;
    let lowest = group(&store, "Top/sub/lowest", Some(sub)).await;
    let other = group(&store, "other", None).await;
    let names: Vec<_> = store
        .namespace_with_ancestors(lowest)
        .await
        .unwrap()
        .into_iter()
        .map(|row| row.id)
        .collect();
    assert_eq!(names, [lowest, sub, top]);
    assert_eq!(store.subgroups(top).await.unwrap()[0].id, sub);
    assert_eq!(store.namespaces().await.unwrap()[0].id, other);

    let row = store.namespace_by_path("top/SUB").await.unwrap().unwrap();
    let mut transaction = store.begin().await.unwrap();
    let new = NewNamespace {
        full_path: "TOP/sub".to_owned(),
        name: row.name,
        kind: row.kind,
        owner_id: None,
        parent_id: Some(top),
    };
    let error = transaction.insert_namespace(&new).await.unwrap_err();
    assert!(matches!(error, StoreError::Taken { .. }), "{error:?}");
    drop(transaction);
    // A namespace with something below stays.
    let mut transaction = store.begin().await.unwrap();
    let error = transaction.delete_namespace(sub).await.unwrap_err();
    assert!(matches!(error, StoreError::Query { .. }), "{error:?}");
    drop(transaction);
    let mut transaction = store.begin().await.unwrap();
    transaction.delete_namespace(lowest).await.unwrap();
    transaction.delete_namespace(sub).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(store.namespace(sub).await.unwrap(), None);
}

#[tokio::test]
async fn a_project_that_moves_keeps_its_pipelines_and_their_numbers() {
    let (_directory, store) = store().await;
    let top = group(&store, "top", None).await;
    let id = project(&store, top, "top/app", Visibility::Private).await;
    let first = stored_in(&store, id, "top/app", false, &[]).await;
    let mut transaction = store.begin().await.unwrap();
    let mut row = transaction.project(id).await.unwrap();
    row.full_path = "top/moved".to_owned();
    row.default_branch = Some("main".to_owned());
    row.settings = r#"{"timeout":60}"#.to_owned();
    transaction.update_project(&row).await.unwrap();
    transaction.commit().await.unwrap();

    let second = stored_in(&store, id, "top/moved", false, &[]).await;
    assert_eq!(store.pipeline(second).await.unwrap().unwrap().iid, 2);
    let found = store.pipeline_by_iid(id, 1).await.unwrap().unwrap();
    assert_eq!((found.id, found.project.as_str()), (first, "top/moved"));
    assert_eq!(store.project_by_path("top/app").await.unwrap(), None);
    let found = store.project_by_path("TOP/moved").await.unwrap();
    assert_eq!(found.unwrap(), row);

    let mut transaction = store.begin().await.unwrap();
    transaction.delete_project(id).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(store.pipelines(10).await.unwrap(), []);
    // A new project at the old place counts from 1.
    let id = project(&store, top, "top/moved", Visibility::Private).await;
    let third = stored_in(&store, id, "top/moved", false, &[]).await;
    assert_eq!(store.pipeline(third).await.unwrap().unwrap().iid, 1);
}

async fn seen(store: &Store, filter: ProjectFilter) -> Vec<String> {
    let found = store.projects(&filter, Page::first(100)).await.unwrap();
    assert_eq!(found.total, found.rows.len() as i64);
    found.rows.into_iter().map(|row| row.full_path).collect()
}

#[tokio::test]
async fn each_sees_the_projects_of_their_visibility_and_membership() {
    let (_directory, store) = store().await;
    let (alice, bob) = (user(&store, "alice").await, user(&store, "bob").await);
    let top = group(&store, "top", None).await;
    let sub = group(&store, "top/sub", Some(top)).await;
    let mut transaction = store.begin().await.unwrap();
    let new = NewNamespace {
        full_path: "bob".to_owned(),
        name: "Bob".to_owned(),
        kind: shipway_store::NamespaceKind::User,
        owner_id: Some(bob),
        parent_id: None,
    };
    let home = transaction.insert_namespace(&new).await.unwrap().id;
    transaction.commit().await.unwrap();
    assert_eq!(
        store.namespace_of_user(bob).await.unwrap().unwrap().id,
        home
    );
    for (namespace, path, visibility) in [
        (top, "top/public", Visibility::Public),
        (top, "top/internal", Visibility::Internal),
        (sub, "top/sub/private", Visibility::Private),
        (home, "bob/50%_private", Visibility::Private),
    ] {
        project(&store, namespace, path, visibility).await;
    }
    let private = store.project_by_path("top/sub/private").await.unwrap();
    let private = private.unwrap().id;
    let mut transaction = store.begin().await.unwrap();
    for (source, source_id, access_level) in [
        (MemberSource::Namespace, top.0, 20),
        (MemberSource::Project, private.0, 40),
    ] {
        let member = MemberRow {
            source,
            source_id,
            user_id: alice,
            access_level,
            created_at: None,
        };
        transaction.set_member(&member).await.unwrap();
    }
    transaction.commit().await.unwrap();

    let by = |seen_by, member: Option<UserId>, search: &str| ProjectFilter {
        seen_by,
        member,
        search: (!search.is_empty()).then(|| search.to_owned()),
        namespace: None,
    };
    let (public, internal) = ("top/public", "top/internal");
    let (private_path, own) = ("top/sub/private", "bob/50%_private");
    for (filter, expected) in [
        (by(Viewer::Anonymous, None, ""), vec![public]),
        (
            by(Viewer::User(alice), None, ""),
            vec![private_path, internal, public],
        ),
        (by(Viewer::User(bob), None, ""), vec![own, internal, public]),
        (
            by(Viewer::Admin, None, ""),
            vec![own, private_path, internal, public],
        ),
        (by(Viewer::User(bob), Some(bob), ""), vec![own]),
        (
            by(Viewer::User(bob), Some(alice), ""),
            vec![internal, public],
        ),
        (by(Viewer::Admin, None, "INTER"), vec![internal]),
        (by(Viewer::Admin, None, "%_"), vec![own]),
        (by(Viewer::Admin, None, "_"), vec![own]),
    ] {
        assert_eq!(seen(&store, filter.clone()).await, expected, "{filter:?}");
    }

    assert_eq!(store.access_level(alice, private).await.unwrap(), Some(40));
    assert_eq!(store.access_level(bob, private).await.unwrap(), None);
    assert_eq!(store.memberships(alice).await.unwrap().len(), 2);
    let mut transaction = store.begin().await.unwrap();
    let source = MemberSource::Project;
    assert!(
        transaction
            .remove_member(source, private.0, alice)
            .await
            .unwrap()
    );
    assert!(
        !transaction
            .remove_member(source, private.0, alice)
            .await
            .unwrap()
    );
    transaction.commit().await.unwrap();
    assert_eq!(store.access_level(alice, private).await.unwrap(), Some(20));
    assert_eq!(store.members(source, private.0).await.unwrap(), []);
}

#[tokio::test]
async fn protections_are_one_for_each_pattern() {
    let (_directory, store) = store().await;
    let top = group(&store, "top", None).await;
    let id = project(&store, top, "top/app", Visibility::Private).await;
    let mut row = ProtectedRefRow {
        id: shipway_store::ProtectedRefId(0),
        project_id: id,
        kind: RefKind::Branch,
        pattern: "release/*".to_owned(),
        push_level: 40,
        merge_level: 30,
    };
    let mut transaction = store.begin().await.unwrap();
    let first = transaction.set_protected_ref(&row).await.unwrap();
    row.push_level = 0;
    let row = transaction.set_protected_ref(&row).await.unwrap();
    assert_eq!(row.id, first.id, "a change keeps the number");
    let tag = ProtectedRefRow {
        id: shipway_store::ProtectedRefId(0),
        kind: RefKind::Tag,
        ..row.clone()
    };
    let tag = transaction.set_protected_ref(&tag).await.unwrap();
    transaction.commit().await.unwrap();
    assert_ne!(tag.id, row.id);
    assert_eq!((row.push_level, tag.kind), (0, RefKind::Tag));
    assert_eq!(store.protected_refs(id).await.unwrap(), [row, tag]);
    let mut transaction = store.begin().await.unwrap();
    for expected in [true, false] {
        let deleted = transaction.delete_protected_ref(id, RefKind::Tag, "release/*");
        assert_eq!(deleted.await.unwrap(), expected);
    }
}

#[tokio::test]
async fn a_variable_is_one_for_each_key_and_scope_of_a_level() {
    let (_directory, store) = store().await;
    let new = |level, level_id, key: &str, scope: &str| NewVariable {
        level,
        level_id,
        key: key.to_owned(),
        value: vec![0, 159, 146, 150],
        variable_type: VariableType::File,
        protected: true,
        masked: false,
        hidden: true,
        raw: false,
        environment_scope: scope.to_owned(),
        description: None,
    };
    let mut transaction = store.begin().await.unwrap();
    let mut stored = Vec::new();
    for (level, id, key, scope) in [
        (Level::Project, 1, "KEY", "*"),
        (Level::Project, 1, "KEY", "production"),
        (Level::Project, 2, "KEY", "*"),
        (Level::Group, 1, "KEY", "*"),
        (Level::Instance, 0, "key", "*"),
    ] {
        let new = new(level, id, key, scope);
        stored.push(transaction.insert_variable(&new).await.unwrap());
    }
    transaction.commit().await.unwrap();
    assert_eq!(
        store.variables(Level::Project, 1).await.unwrap(),
        stored[..2]
    );
    let by_key = store
        .variables_by_key(Level::Group, 1, "KEY")
        .await
        .unwrap();
    assert_eq!(by_key, stored[3..4]);
    assert_eq!(
        store.variable(stored[4].id).await.unwrap().unwrap().value,
        [0, 159, 146, 150]
    );

    let mut transaction = store.begin().await.unwrap();
    stored[1].environment_scope = "*".to_owned();
    let error = transaction.update_variable(&stored[1]).await.unwrap_err();
    assert!(matches!(error, StoreError::Taken { .. }), "{error:?}");
    drop(transaction);
    let mut transaction = store.begin().await.unwrap();
    stored[1].environment_scope = "review/*".to_owned();
    stored[1].value = Vec::new();
    transaction.update_variable(&stored[1]).await.unwrap();
    transaction.delete_variable(stored[0].id).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(
        store.variables(Level::Project, 1).await.unwrap(),
        stored[1..2]
    );
}

#[tokio::test]
async fn a_runner_is_kept_with_its_machines_and_projects() {
    let (_directory, store) = store().await;
    let top = group(&store, "top", None).await;
    let sub = group(&store, "top/sub", Some(top)).await;
    let app = project(&store, sub, "top/sub/app", Visibility::Private).await;
    let other = project(&store, top, "top/other", Visibility::Private).await;
    let instance = runner(&store, RunnerKind::Instance, None).await;
    let of_top = runner(&store, RunnerKind::Group, Some(top.0)).await;
    let of_sub = runner(&store, RunnerKind::Group, Some(sub.0)).await;
    let of_app = runner(&store, RunnerKind::Project, Some(app.0)).await;
    let mut transaction = store.begin().await.unwrap();
    for _ in 0..2 {
        transaction.assign_runner(of_app, app).await.unwrap();
    }
    transaction.commit().await.unwrap();
    let usable = async |id| -> Vec<_> {
        let rows = store.runners_for_project(id).await.unwrap();
        rows.into_iter().map(|row| row.id).collect()
    };
    assert_eq!(usable(app).await, [instance, of_top, of_sub, of_app]);
    assert_eq!(usable(other).await, [instance, of_top]);
    assert_eq!(store.runner_projects(of_app).await.unwrap(), [app]);
    let groups = store
        .runners(Some(RunnerKind::Group), None, Page::first(1))
        .await
        .unwrap();
    assert_eq!((groups.total, groups.rows[0].id), (2, of_sub));
    let owned = store
        .runners(Some(RunnerKind::Group), Some(top.0), Page::first(9))
        .await
        .unwrap();
    assert_eq!((owned.total, owned.rows[0].id), (1, of_top));

    let mut call = manager(of_app, "s_1");
    let mut transaction = store.begin().await.unwrap();
    transaction.runner_contact(&call).await.unwrap();
    call.version = None;
    call.ip = Some("10.0.0.2".to_owned());
    (call.created_at, call.contacted_at) = (70, 70);
    transaction.runner_contact(&call).await.unwrap();
    transaction
        .runner_contact(&manager(of_app, "s_2"))
        .await
        .unwrap();
    let mut row = transaction.runner(of_app).await.unwrap();
    row.paused = true;
    row.tags = r#"["docker"]"#.to_owned();
    transaction.update_runner(&row).await.unwrap();
    transaction.commit().await.unwrap();
    let found = store.runner_manager(of_app, "s_1").await.unwrap().unwrap();
    assert_eq!((found.created_at, found.contacted_at), (50, 70));
    assert_eq!(
        (found.version.as_deref(), found.ip.as_deref()),
        (Some("19.4.0"), Some("10.0.0.2"))
    );
    let digest = new_runner(RunnerKind::Project, Some(app.0)).token_digest;
    let found = store.runner_by_digest(&digest).await.unwrap().unwrap();
    assert_eq!((found.paused, found.tags.as_str()), (true, r#"["docker"]"#));
    assert_eq!(found.contacted_at, Some(50));
    assert_eq!(store.runner_managers(of_app).await.unwrap().len(), 2);

    let mut transaction = store.begin().await.unwrap();
    assert!(
        transaction
            .delete_runner_manager(of_app, "s_2")
            .await
            .unwrap()
    );
    assert!(
        !transaction
            .delete_runner_manager(of_app, "s_2")
            .await
            .unwrap()
    );
    assert!(transaction.unassign_runner(of_app, app).await.unwrap());
    transaction.delete_runner(of_app).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(store.runner(of_app).await.unwrap(), None);
    assert_eq!(store.runner_managers(of_app).await.unwrap(), []);
}

#[tokio::test]
async fn a_level_has_one_registration_token() {
    let (_directory, store) = store().await;
    let row = |number: u8| RegistrationTokenRow {
        level: Level::Instance,
        level_id: 0,
        digest: vec![number; 32],
        token: vec![number; 60],
        created_at: i64::from(number),
    };
    let mut transaction = store.begin().await.unwrap();
    for number in [1, 2] {
        let row = row(number);
        transaction.set_registration_token(&row).await.unwrap();
    }
    transaction.commit().await.unwrap();
    let found = store.registration_token(Level::Instance, 0).await.unwrap();
    assert_eq!(found, Some(row(2)));
    let found = store.registration_token_by_digest(&[1; 32]).await.unwrap();
    assert_eq!(found, None);
}

#[tokio::test]
async fn triggers_are_found_by_digest() {
    let (_directory, store) = store().await;
    let owner_id = user(&store, "alice").await;
    let top = group(&store, "top", None).await;
    let project_id = project(&store, top, "top/app", Visibility::Private).await;
    let mut transaction = store.begin().await.unwrap();
    let new = NewTrigger {
        project_id,
        description: "nightly".to_owned(),
        token_digest: vec![9; 32],
        token_prefix: "glptt-abcd".to_owned(),
        owner_id,
        created_at: 1,
        last_used_at: None,
    };
    let mut row = transaction.insert_trigger(&new).await.unwrap();
    row.last_used_at = Some(8);
    transaction.update_trigger(&row).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(
        store.trigger_by_digest(&[9; 32]).await.unwrap(),
        Some(row.clone())
    );
    assert_eq!(store.triggers(project_id).await.unwrap(), [row.clone()]);
    let mut transaction = store.begin().await.unwrap();
    transaction.delete_trigger(row.id).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(store.trigger(row.id).await.unwrap(), None);
}

#[tokio::test]
async fn active_schedules_are_due_in_order() {
    let (_directory, store) = store().await;
    let owner_id = user(&store, "alice").await;
    let top = group(&store, "top", None).await;
    let project_id = project(&store, top, "top/app", Visibility::Private).await;
    let mut transaction = store.begin().await.unwrap();
    let mut ids = Vec::new();
    for (active, next_run_at) in [
        (true, Some(30)),
        (true, Some(20)),
        (false, Some(10)),
        (true, Some(40)),
        (true, None),
    ] {
        let new = NewSchedule {
            project_id,
            description: "nightly".to_owned(),
            ref_name: "main".to_owned(),
            cron: "0 3 * * *".to_owned(),
            timezone: "Europe/Berlin".to_owned(),
            active,
            owner_id,
            next_run_at,
            variables: vec![1, 2],
            last_pipeline_id: None,
            created_at: 1,
        };
        ids.push(transaction.insert_schedule(&new).await.unwrap().id);
    }
    transaction.commit().await.unwrap();
    let due: Vec<_> = store.due_schedules(30, 9).await.unwrap();
    let due: Vec<_> = due.into_iter().map(|row| row.id).collect();
    assert_eq!(due, [ids[1], ids[0]]);
    assert_eq!(store.next_schedule_at().await.unwrap(), Some(20));

    let mut transaction = store.begin().await.unwrap();
    let mut row = transaction.schedule(ids[1]).await.unwrap();
    row.next_run_at = Some(100);
    row.last_pipeline_id = Some(5);
    transaction.update_schedule(&row).await.unwrap();
    transaction.delete_schedule(ids[0]).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(store.due_schedules(30, 9).await.unwrap(), []);
    assert_eq!(store.schedule(ids[1]).await.unwrap(), Some(row));
    assert_eq!(store.schedules(project_id).await.unwrap().len(), 4);
}

#[tokio::test]
async fn deployments_are_numbered_per_project_and_the_last_success_is_what_is_deployed() {
    let (_directory, store) = store().await;
    let top = group(&store, "top", None).await;
    let project_id = project(&store, top, "top/app", Visibility::Private).await;
    let jobs = [
        crate::support::job("a"),
        crate::support::job("b"),
        crate::support::job("c"),
    ];
    let pipeline = stored_in(&store, project_id, "top/app", false, &jobs).await;
    let jobs = store.jobs(pipeline).await.unwrap();
    let new = NewEnvironment {
        project_id,
        name: "production".to_owned(),
        slug: "production".to_owned(),
        state: EnvironmentState::Available,
        external_url: Some("https://example.com".to_owned()),
        tier: "production".to_owned(),
        created_at: 1,
        auto_stop_at: None,
    };
    let mut transaction = store.begin().await.unwrap();
    let environment = transaction.ensure_environment(&new).await.unwrap();
    let again = NewEnvironment {
        external_url: None,
        state: EnvironmentState::Stopped,
        ..new
    };
    let again = transaction.ensure_environment(&again).await.unwrap();
    assert_eq!(
        (again.id, again.state),
        (environment.id, EnvironmentState::Stopped)
    );
    assert_eq!(again.external_url, environment.external_url);
    let mut deployments = Vec::new();
    for job in &jobs {
        let new = NewDeployment {
            project_id,
            environment_id: environment.id,
            job_id: job.id,
            sha: "a".repeat(40),
            ref_name: "main".to_owned(),
            status: DeploymentStatus::Running,
            created_at: 1,
        };
        deployments.push(transaction.insert_deployment(&new).await.unwrap());
    }
    for (row, status) in [
        (&deployments[0], DeploymentStatus::Success),
        (&deployments[1], DeploymentStatus::Success),
        (&deployments[2], DeploymentStatus::Failed),
    ] {
        transaction
            .set_deployment_status(row.id, status, Some(9))
            .await
            .unwrap();
    }
    transaction.commit().await.unwrap();
    assert_eq!(
        deployments.iter().map(|row| row.iid).collect::<Vec<_>>(),
        [1, 2, 3]
    );
    let last = store
        .last_successful_deployment(environment.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((last.id, last.finished_at), (deployments[1].id, Some(9)));
    let page = store
        .deployments(project_id, Some(environment.id), Page::first(1))
        .await
        .unwrap();
    assert_eq!((page.total, page.rows[0].id), (3, deployments[2].id));
    let of_job = store.deployment_of_job(jobs[0].id).await.unwrap().unwrap();
    assert_eq!(of_job.id, deployments[0].id);
    let named = store
        .environment_by_name(project_id, "production")
        .await
        .unwrap();
    assert_eq!(named, Some(again));
    assert_eq!(
        store
            .environments(project_id, Page::first(9))
            .await
            .unwrap()
            .total,
        1
    );
}

#[tokio::test]
async fn a_row_that_needs_another_is_refused_without_it() {
    let (_directory, store) = store().await;
    let mut transaction = store.begin().await.unwrap();
    let mut new = pipeline("top/app");
    new.project_id = Some(shipway_store::ProjectId(9));
    let error = transaction.insert_pipeline(&new).await.unwrap_err();
    assert!(matches!(error, StoreError::Query { .. }), "{error:?}");
}
