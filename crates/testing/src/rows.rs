//! Rows as a test needs them: it changes the fields that it is about.

use shipway_pipeline::Status;
use shipway_store::{
    NamespaceId, NamespaceKind, NewJob, NewNamespace, NewPipeline, NewProject, NewRunner, NewStage,
    NewUser, ProjectRow, RunnerKind, Store, UserRow, UserState, Visibility,
};

/// An active user without a password.
pub fn user(username: &str) -> NewUser {
    NewUser {
        username: username.to_owned(),
        name: username.to_uppercase(),
        email: format!("{username}@example.com"),
        password_hash: None,
        admin: false,
        state: UserState::Active,
        created_at: 1,
    }
}

/// A group at the top.
pub fn group(path: &str) -> NewNamespace {
    NewNamespace {
        full_path: path.to_owned(),
        name: path.to_owned(),
        kind: NamespaceKind::Group,
        owner_id: None,
        parent_id: None,
    }
}

/// A private project with the default settings, whose branch is `main`.
pub fn project(namespace: NamespaceId, path: &str) -> NewProject {
    NewProject {
        namespace_id: namespace,
        full_path: path.to_owned(),
        name: path.rsplit('/').next().unwrap_or(path).to_owned(),
        description: String::new(),
        visibility: Visibility::Private,
        default_branch: Some("main".to_owned()),
        settings: "{}".to_owned(),
        created_at: 1,
    }
}

/// A runner of the instance that takes everything; the digest is that of its token.
pub fn runner(token_digest: Vec<u8>) -> NewRunner {
    NewRunner {
        token_digest,
        token_prefix: "glrt-abcd".to_owned(),
        token_expires_at: None,
        kind: RunnerKind::Instance,
        owner_id: None,
        description: "build host".to_owned(),
        maintenance_note: None,
        tags: "[]".to_owned(),
        run_untagged: true,
        locked: false,
        protected_only: false,
        paused: false,
        maximum_timeout: None,
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

/// A pipeline of a push to `main`, of no project of a server.
pub fn pipeline(project: &str) -> NewPipeline {
    NewPipeline {
        project: project.to_owned(),
        ref_name: "main".to_owned(),
        ref_kind: "branch".to_owned(),
        sha: Some("a".repeat(40)),
        source: "push".to_owned(),
        status: Status::Created,
        name: None,
        created_at: 1_700_000_000_000_000,
        yaml_errors: None,
        context: "{}".to_owned(),
        variables: Vec::new(),
        project_id: None,
        user_id: None,
        protected: false,
    }
}

/// A job of the first stage.
pub fn job(name: &str) -> NewJob {
    NewJob {
        stage: 0,
        name: name.to_owned(),
        status: Status::Created,
        when: "on_success".to_owned(),
        allow_failure: false,
        scheduling: "stage".to_owned(),
        needs: "null".to_owned(),
        spec: "{}".to_owned(),
        tags: "[]".to_owned(),
        attempt: 1,
        triggered: false,
        environment: None,
        reason: String::new(),
    }
}

/// A stage, the first of which has position 0.
pub fn stage(position: i64, name: &str) -> NewStage {
    NewStage {
        position,
        name: name.to_owned(),
        status: Status::Created,
    }
}

/// Stores the user `dev` and the project `group/app`.
pub async fn dev_and_app(store: &Store) -> (UserRow, ProjectRow) {
    let mut transaction = store.begin().await.expect("begin");
    let user = transaction.insert_user(&user("dev")).await.expect("user");
    let group = transaction.insert_namespace(&group("group")).await;
    let project = project(group.expect("group").id, "group/app");
    let project = transaction.insert_project(&project).await.expect("project");
    transaction.commit().await.expect("commit");
    (user, project)
}
