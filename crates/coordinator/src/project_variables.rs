//! CI/CD variables of the instance, the groups and the project, in rising precedence
//! (language inventory, 3.1).

use shipway_config::variables::Variable;
use shipway_store::{ProjectId, VariableRow, VariableType};

use crate::coordinator::Coordinator;
use crate::error::Error;
use crate::protection::wildcard_matches;

/// For which jobs variables are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VariableScope<'a> {
    /// The ref is protected.
    pub protected: bool,
    /// The job's environment, where it has one.
    pub environment: Option<&'a str>,
}

impl Coordinator {
    /// The variables that a job of the project in this scope has from outside of its file.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn project_variables(
        &self,
        project: ProjectId,
        scope: VariableScope<'_>,
    ) -> Result<Vec<Variable>, Error> {
        let rows = self.store().variables_for_project(project).await?;
        let levels = rows.chunk_by(|a, b| (a.level, a.level_id) == (b.level, b.level_id));
        Ok(levels.flat_map(|rows| chosen(rows, scope)).collect())
    }
}

/// Those of one level that the scope gets; of several of one name the one with the nearest
/// environment scope comes last, and so wins.
fn chosen(rows: &[VariableRow], scope: VariableScope<'_>) -> Vec<Variable> {
    let mut rows: Vec<&VariableRow> = (rows.iter())
        .filter(|row| scope.protected || !row.protected)
        .filter(|row| match scope.environment {
            Some(environment) => wildcard_matches(&row.environment_scope, environment),
            None => row.environment_scope == "*",
        })
        .collect();
    rows.sort_by_key(|row| row.environment_scope.replace('*', "").len());
    rows.into_iter().map(variable).collect()
}

fn variable(row: &VariableRow) -> Variable {
    Variable {
        key: row.key.clone(),
        value: String::from_utf8_lossy(&row.value).into_owned(),
        public: false,
        masked: row.masked,
        file: row.variable_type == VariableType::File,
        raw: row.raw,
    }
}

#[cfg(test)]
mod tests {
    use shipway_store::{Level, VariableId};

    use super::*;

    fn row(key: &str, value: &str, protected: bool, environment_scope: &str) -> VariableRow {
        VariableRow {
            id: VariableId(1),
            level: Level::Project,
            level_id: 1,
            key: key.to_owned(),
            value: value.as_bytes().to_vec(),
            variable_type: VariableType::EnvVar,
            protected,
            masked: false,
            hidden: false,
            raw: false,
            environment_scope: environment_scope.to_owned(),
            description: None,
        }
    }

    #[test]
    fn scopes_choose_and_the_nearest_wins() {
        let rows = || {
            vec![
                row("A", "production", false, "production"),
                row("A", "all", false, "*"),
                row("A", "review", false, "review/*"),
                row("SECRET", "s", true, "*"),
            ]
        };
        let last = |protected, environment| {
            let scope = VariableScope {
                protected,
                environment,
            };
            let found = chosen(&rows(), scope);
            let value = |key: &str| {
                let found = found.iter().rfind(|variable| variable.key == key);
                found.map(|variable| variable.value.clone())
            };
            (value("A"), value("SECRET"))
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(last(false, None), (some("all"), None));
        assert_eq!(last(true, None), (some("all"), some("s")));
        assert_eq!(last(false, Some("production")), (some("production"), None));
        assert_eq!(last(false, Some("review/1")), (some("review"), None));
        assert_eq!(last(false, Some("other")), (some("all"), None));
    }
}
