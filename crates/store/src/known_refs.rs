//! The branches and tags of a project as its pipelines know them.

use crate::error::StoreError;
use crate::ids::ProjectId;
use crate::sql::query;
use crate::store::Store;
use crate::transaction::Transaction;

/// A ref whose push is dealt with.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct KnownRef {
    /// The full name, `refs/heads/main`.
    pub name: String,
    /// Where it was.
    pub sha: String,
}

const OF: &str = "SELECT name, sha FROM known_refs WHERE project_id = $1 ORDER BY name";

const SET: &str = "INSERT INTO known_refs (project_id, name, sha) VALUES ($1, $2, $3) \
    ON CONFLICT (project_id, name) DO UPDATE SET sha = excluded.sha";

const DELETE: &str = "DELETE FROM known_refs WHERE project_id = $1 AND name = $2";

impl Store {
    /// The project's known refs.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn known_refs(&self, project: ProjectId) -> Result<Vec<KnownRef>, StoreError> {
        self.all(query(OF).bind(project)).await
    }
}

impl Transaction {
    /// Notes where a ref is now; `None` when it is gone.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn set_known_ref(
        &mut self,
        project: ProjectId,
        name: &str,
        sha: Option<&str>,
    ) -> Result<(), StoreError> {
        let set = match sha {
            Some(sha) => query(SET).bind(project).bind(name).bind(sha),
            None => query(DELETE).bind(project).bind(name),
        };
        self.execute(set).await.map(drop)
    }
}
