//! Pipelines as the third schema had them: with their own variables in the context.

use shipway_pipeline::PipelineId;
use shipway_store::Store;

/// One with a variable and one without.
pub(crate) const OLDER_PIPELINES: &str = r#"
    INSERT INTO pipelines (id, iid, project, ref_name, ref_kind, source, status, created_at, context)
    VALUES (1, 1, 'group/app', 'main', 'branch', 'api', 'success', 1,
        '{"predefined":[],"outer":[{"key":"A","value":"geheim \u0000 \"outer\":[] ü"}],"keep_going":false}'),
        (2, 2, 'group/app', 'main', 'branch', 'api', 'success', 1, '{"outer":[]}');
"#;

pub(crate) async fn check_older_pipelines(store: &Store) {
    let variables = store.pipeline_variables(PipelineId(1)).await.unwrap();
    let expected = r#"[{"key":"A","value":"geheim \u0000 \"outer\":[] ü"}]"#;
    assert_eq!(String::from_utf8(variables).unwrap(), expected);
    let first = store.pipeline(PipelineId(1)).await.unwrap().unwrap();
    assert!(!first.context.contains("geheim"), "{}", first.context);
    assert!(first.context.contains(r#""predefined":[]"#) && first.context.contains("keep_going"));
    let none = store.pipeline_variables(PipelineId(2)).await.unwrap();
    assert_eq!(none, b"");
}
