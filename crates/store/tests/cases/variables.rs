//! The variables that a project's jobs get.

use crate::support::server::{group, project};
use crate::support::store;
use shipway_store::{Level, NewVariable, Visibility};

#[tokio::test]
async fn a_projects_variables_come_from_all_levels_the_nearest_last() {
    let (_directory, store) = store().await;
    let top = group(&store, "top", None).await;
    let below = group(&store, "top/below", Some(top)).await;
    let beside = group(&store, "top/beside", Some(top)).await;
    let app = project(&store, below, "top/below/app", Visibility::Private).await;
    let other = project(&store, beside, "top/beside/app", Visibility::Private).await;
    let mut transaction = store.begin().await.unwrap();
    for (level, level_id, value) in [
        (Level::Project, app.0, "project"),
        (Level::Project, other.0, "another"),
        (Level::Group, below.0, "below"),
        (Level::Group, beside.0, "beside"),
        (Level::Instance, 0, "instance"),
        (Level::Group, top.0, "top"),
    ] {
        let new = NewVariable {
            level,
            level_id,
            key: "WHERE".to_owned(),
            value: value.as_bytes().to_vec(),
            variable_type: shipway_store::VariableType::EnvVar,
            protected: false,
            masked: false,
            hidden: false,
            raw: false,
            environment_scope: "*".to_owned(),
            description: None,
        };
        transaction.insert_variable(&new).await.unwrap();
    }
    transaction.commit().await.unwrap();
    let rows = store.variables_for_project(app).await.unwrap();
    let values: Vec<_> = (rows.iter())
        .map(|row| String::from_utf8_lossy(&row.value))
        .collect();
    assert_eq!(values, ["instance", "top", "below", "project"]);
}
