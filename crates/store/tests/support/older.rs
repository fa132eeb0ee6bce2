//! Pipelines as the third schema had them: with their own variables in the context.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

use shipway_pipeline::PipelineId;
use shipway_store::{Accessibility, Store};

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
