//! What a server has besides pipelines.

use shipway_store::{
    NamespaceId, NewNamespace, NewProject, NewRunner, NewUser, ProjectId, RunnerId, RunnerKind,
    RunnerManagerRow, Store, UserId, Visibility,
};
use shipway_testing::rows;

pub(crate) async fn user(store: &Store, username: &str) -> UserId {
    let new = NewUser {
        password_hash: Some("$argon2id$…".to_owned()),
        ..rows::user(username)
    };
    let mut transaction = store.begin().await.expect("begin");
    let row = transaction.insert_user(&new).await.expect("user");
    transaction.commit().await.expect("commit");
    row.id
}

pub(crate) async fn group(store: &Store, path: &str, parent: Option<NamespaceId>) -> NamespaceId {
    let new = NewNamespace {
        parent_id: parent,
        ..rows::group(path)
    };
    let mut transaction = store.begin().await.expect("begin");
    let row = transaction.insert_namespace(&new).await.expect("group");
    transaction.commit().await.expect("commit");
    row.id
}

pub(crate) async fn project(
    store: &Store,
    namespace: NamespaceId,
    path: &str,
    visibility: Visibility,
) -> ProjectId {
    let new = NewProject {
        name: path.to_owned(),
        visibility,
        default_branch: None,
        ..rows::project(namespace, path)
    };
    let mut transaction = store.begin().await.expect("begin");
    let row = transaction.insert_project(&new).await.expect("project");
    transaction.commit().await.expect("commit");
    row.id
}

/// A runner whose token's digest tells kind and owner.
pub(crate) fn new_runner(kind: RunnerKind, owner: Option<i64>) -> NewRunner {
    NewRunner {
        kind,
        owner_id: owner,
        description: format!("{kind} runner"),
        maximum_timeout: Some(3600),
        ..rows::runner(format!("{kind} {owner:?}").into_bytes())
    }
}

pub(crate) async fn runner(store: &Store, kind: RunnerKind, owner: Option<i64>) -> RunnerId {
    let new = new_runner(kind, owner);
    let mut transaction = store.begin().await.expect("begin");
    let row = transaction.insert_runner(&new).await.expect("runner");
    transaction.commit().await.expect("commit");
    row.id
}

/// What a machine says when it calls.
pub(crate) fn manager(runner: RunnerId, system_id: &str) -> RunnerManagerRow {
    RunnerManagerRow {
        runner_id: runner,
        system_id: system_id.to_owned(),
        version: Some("19.4.0".to_owned()),
        revision: Some("d79f3e7b".to_owned()),
        platform: Some("linux".to_owned()),
        architecture: Some("amd64".to_owned()),
        executor: Some("docker".to_owned()),
        ip: Some("10.0.0.1".to_owned()),
        features: r#"{"cancelable":true}"#.to_owned(),
        created_at: 50,
        contacted_at: 50,
    }
}
