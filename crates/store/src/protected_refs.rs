//! Protected branches and tags.

use crate::error::StoreError;
use crate::ids::{ProjectId, ProtectedRefId};
use crate::names::RefKind;
use crate::sql::query;
use crate::store::Store;
use crate::transaction::Transaction;

/// A protection of the refs that a pattern matches.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ProtectedRefRow {
    /// Unique in the store; what one has that is to be stored does not matter.
    pub id: ProtectedRefId,
    /// In which project.
    pub project_id: ProjectId,
    /// Branches or tags.
    pub kind: RefKind,
    /// A name, in which `*` stands for anything.
    pub pattern: String,
    /// The lowest role that may push, for a tag create; 0 for nobody.
    pub push_level: i64,
    /// The lowest role that may merge; 0 for nobody.
    pub merge_level: i64,
}

const SET: &str = "INSERT INTO protected_refs \
    (project_id, kind, pattern, push_level, merge_level) VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT (project_id, kind, pattern) \
    DO UPDATE SET push_level = excluded.push_level, merge_level = excluded.merge_level \
    RETURNING *";

const OF: &str = "SELECT * FROM protected_refs WHERE project_id = $1 ORDER BY kind, pattern";

const DELETE: &str = "DELETE FROM protected_refs \
    WHERE project_id = $1 AND kind = $2 AND pattern = $3";

impl Store {
    /// The project's protections.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn protected_refs(
        &self,
        project: ProjectId,
    ) -> Result<Vec<ProtectedRefRow>, StoreError> {
        self.all(query(OF).bind(project)).await
    }
}

impl Transaction {
    /// Protects the refs of a pattern, or changes who may use them; returns what is stored.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn set_protected_ref(
        &mut self,
        row: &ProtectedRefRow,
    ) -> Result<ProtectedRefRow, StoreError> {
        let set = query(SET)
            .bind(row.project_id)
            .bind(row.kind)
            .bind(&row.pattern)
            .bind(row.push_level)
            .bind(row.merge_level);
        self.one(set).await
    }

    /// Ends a protection; returns whether there was one.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn delete_protected_ref(
        &mut self,
        project: ProjectId,
        kind: RefKind,
        pattern: &str,
    ) -> Result<bool, StoreError> {
        let delete = query(DELETE).bind(project).bind(kind).bind(pattern);
        Ok(self.execute(delete).await? > 0)
    }
}
