//! What a server has besides pipelines.

use shipway_store::{
    NamespaceId, NamespaceKind, NewNamespace, NewProject, NewRunner, NewUser, ProjectId, RunnerId,
    RunnerKind, RunnerManagerRow, Store, UserId, UserState, Visibility,
};

pub(crate) async fn user(store: &Store, username: &str) -> UserId {
    let new = NewUser {
        username: username.to_owned(),
        name: username.to_uppercase(),
        email: format!("{username}@example.com"),
        password_hash: Some("$argon2id$…".to_owned()),
        admin: false,
        state: UserState::Active,
        created_at: 1,
    };
    let mut transaction = store.begin().await.expect("begin");
    let row = transaction.insert_user(&new).await.expect("user");
    transaction.commit().await.expect("commit");
    row.id
}

pub(crate) async fn group(store: &Store, path: &str, parent: Option<NamespaceId>) -> NamespaceId {
    let new = NewNamespace {
        full_path: path.to_owned(),
        name: path.to_owned(),
        kind: NamespaceKind::Group,
        owner_id: None,
        parent_id: parent,
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
        namespace_id: namespace,
        full_path: path.to_owned(),
        name: path.to_owned(),
        description: String::new(),
        visibility,
        default_branch: None,
        settings: "{}".to_owned(),
        created_at: 1,
    };
    let mut transaction = store.begin().await.expect("begin");
    let row = transaction.insert_project(&new).await.expect("project");
    transaction.commit().await.expect("commit");
    row.id
}

/// A runner whose token's digest tells kind and owner.
pub(crate) fn new_runner(kind: RunnerKind, owner: Option<i64>) -> NewRunner {
    NewRunner {
        token_digest: format!("{kind} {owner:?}").into_bytes(),
        token_prefix: "glrt-abcd".to_owned(),
        token_expires_at: None,
        kind,
        owner_id: owner,
        description: format!("{kind} runner"),
        maintenance_note: None,
        tags: "[]".to_owned(),
        run_untagged: true,
        locked: false,
        protected_only: false,
        paused: false,
        maximum_timeout: Some(3600),
        version: None,
        revision: None,
        platform: None,
        architecture: None,
        executor: None,
        ip: None,
        contacted_at: None,
        created_at: 1,
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
