//! Pipelines as the third schema had them: with their own variables in the context.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

use shipway_pipeline::PipelineId;
use shipway_store::{Accessibility, ProjectId, SigningKeyRow, Store, Visibility};

use super::server::{group, project};
use super::{job, stored_in};

/// One with a variable and one without.
pub(crate) const OLDER_PIPELINES: &str = r#"
    INSERT INTO pipelines (id, iid, project, ref_name, ref_kind, source, status, created_at, context)
    VALUES (1, 1, 'group/app', 'main', 'branch', 'api', 'success', 1,
        '{"predefined":[],"outer":[{"key":"A","value":"geheim \u0000 \"outer\":[] ü"}],"keep_going":false}'),
        (2, 2, 'group/app', 'main', 'branch', 'api', 'success', 1, '{"outer":[]}');
    INSERT INTO jobs (id, pipeline_id, stage, name, status, run_when, allow_failure, scheduling,
        needs, spec, tags, attempt, triggered, reason)
    VALUES (1, 1, 0, 'a', 'success', 'on_success', FALSE, 'stage', '[]',
            '{"script":["\u0000"],"artifacts":{"access":"developer"}}', '[]', 1, FALSE, ''),
        (2, 1, 0, 'b', 'success', 'on_success', FALSE, 'stage', '[]',
            '{"artifacts":{"access":null}}', '[]', 1, FALSE, ''),
        (3, 1, 0, 'c', 'success', 'on_success', FALSE, 'stage', '[]', '{}', '[]', 1, FALSE, ''),
        (4, 1, 0, 'd', 'success', 'on_success', FALSE, 'stage', '[]',
            '{"artifacts":{"access":"none"}}', '[]', 1, FALSE, '');
    INSERT INTO artifacts (job_id, file_type, format, file_name, size, path)
    SELECT id, 'archive', 'zip', 'a.zip', 1, 'x' FROM jobs ORDER BY id;
"#;

pub(crate) async fn check_older_pipelines(store: &Store) {
    let variables = store.pipeline_variables(PipelineId(1)).await.unwrap();
    let expected = r#"[{"key":"A","value":"geheim \u0000 \"outer\":[] ü"}]"#;
    // PostgreSQL has no text with a NUL.
    let variables = String::from_utf8(variables).unwrap();
    assert_eq!(variables.replace(r"\ufffd", r"\u0000"), expected);
    let first = store.pipeline(PipelineId(1)).await.unwrap().unwrap();
    assert!(!first.context.contains("geheim"), "{}", first.context);
    assert!(first.context.contains(r#""predefined":[]"#) && first.context.contains("keep_going"));
    let files = store.artifacts_of_pipeline(PipelineId(1)).await.unwrap();
    let found: Vec<Accessibility> = files.iter().map(|file| file.accessibility).collect();
    let public = Accessibility::Public;
    assert_eq!(
        found,
        [Accessibility::Private, public, public, Accessibility::None]
    );
    let none = store.pipeline_variables(PipelineId(2)).await.unwrap();
    assert_eq!(none, b"");
}

/// Statuses as the eighth schema had them: with numbers that jobs have too, and without what
/// later ones made.
pub(crate) const OLDER_STATUSES: &str = "
    DROP TABLE merge_request_pipelines;
    DROP TABLE merge_requests;
    DROP TABLE test_failures;
    DROP INDEX environments_due;
    ALTER TABLE environments DROP COLUMN auto_stop_at;
    DROP TABLE job_users;
    DROP TABLE signing_keys;
    INSERT INTO commit_statuses (id, project_id, pipeline_id, sha, ref_name, name, status, created_at)
    VALUES (1, 1, 1, 'abc', 'main', 'x', 'success', 1), (2, 1, 1, 'abc', 'main', 'y', 'failed', 1);
";

/// The project and the jobs that they are beside of.
pub(crate) async fn beside_older_statuses(store: &Store) -> ProjectId {
    let group = group(store, "group", None).await;
    let project = project(store, group, "group/app", Visibility::Private).await;
    let jobs = ["a", "b", "c"].map(job);
    let pipeline = stored_in(store, project, "group/app", false, &jobs).await;
    assert_eq!((project, pipeline), (ProjectId(1), PipelineId(1)));
    project
}

pub(crate) async fn check_older_statuses(store: &Store, project: ProjectId) {
    let rows = store.commit_statuses(project, "abc", 9).await.unwrap();
    let found: Vec<(i64, &str)> = (rows.iter())
        .map(|row| (row.id.0, row.name.as_str()))
        .collect();
    assert_eq!(found, [(4, "x"), (5, "y")]);
    let next = stored_in(store, project, "group/app", false, &[job("d")]).await;
    assert_eq!(store.jobs(next).await.unwrap()[0].id.0, 6);
}

/// Keys as the fourteenth schema had them.
pub(crate) const OLDER_KEYS: &str = "
    ALTER TABLE merge_requests DROP COLUMN squash_commit_sha;
    ALTER TABLE signing_keys DROP COLUMN retired_at;
";

pub(crate) async fn with_a_key(store: &Store) {
    let row = SigningKeyRow {
        name: "id_tokens".to_owned(),
        private_key: b"geheim".to_vec(),
        created_at: 7,
        retired_at: None,
    };
    let mut transaction = store.begin().await.unwrap();
    transaction.insert_signing_key(&row).await.unwrap();
    transaction.commit().await.unwrap();
}

pub(crate) async fn check_older_keys(store: &Store) {
    let rows = store.signing_keys("id_tokens").await.unwrap();
    let found: Vec<_> = (rows.iter())
        .map(|row| (row.private_key.as_slice(), row.created_at, row.retired_at))
        .collect();
    assert_eq!(found, [(b"geheim".as_slice(), 7, None)]);
}
