//! CI/CD variables of the instance, of groups and of projects.

use crate::error::StoreError;
use crate::ids::{ProjectId, VariableId};
use crate::names::{Level, VariableType};
use crate::sealed_rows::{Secret, sealed_variable};
use crate::sql::{query, row};
use crate::store::Store;
use crate::transaction::Transaction;

row! {
    /// A variable.
    NewVariable => VariableRow {
        id: VariableId,
        /// Where it is defined.
        level: Level,
        /// In which group or project; 0 for the instance.
        level_id: i64,
        /// Its name; unique in its level together with the scope.
        key: String,
        /// In the database encrypted, where [`Options::keys`](crate::Options) are given.
        value: Vec<u8>,
        /// How a job sees it.
        variable_type: VariableType,
        /// Only for jobs of protected refs.
        protected: bool,
        /// Hidden in logs.
        masked: bool,
        /// Never shown again.
        hidden: bool,
        /// References in the value are not expanded.
        raw: bool,
        /// The environments whose jobs get it; `*` for all jobs.
        environment_scope: String,
        /// What it is for.
        description: Option<String>,
    }
}

const INSERT: &str = "INSERT INTO variables (level, level_id, key, value, variable_type, \
    protected, masked, hidden, raw, environment_scope, description) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING *";

const OF: &str = "SELECT * FROM variables WHERE level = $1 AND level_id = $2 \
    ORDER BY key, environment_scope";

/// The distance is that from the project: what is nearer comes later. It also ends the search
/// if a namespace were below itself.
const FOR_PROJECT: &str = "WITH RECURSIVE above (id, parent_id, distance) AS (\
        SELECT namespaces.id, parent_id, 1 FROM namespaces \
        JOIN projects ON projects.namespace_id = namespaces.id WHERE projects.id = $1 \
        UNION ALL SELECT namespaces.id, namespaces.parent_id, distance + 1 \
        FROM namespaces JOIN above ON namespaces.id = above.parent_id WHERE distance < 100), \
    levels (level, level_id, distance) AS (\
        SELECT 'project', $1, 0 UNION ALL SELECT 'group', id, distance FROM above \
        UNION ALL SELECT 'instance', 0, 101) \
    SELECT variables.* FROM levels JOIN variables \
        ON variables.level = levels.level AND variables.level_id = levels.level_id \
    ORDER BY distance DESC, key, environment_scope";

const FIND: &str = "SELECT * FROM variables WHERE id = $1";

const BY_KEY: &str = "SELECT * FROM variables WHERE level = $1 AND level_id = $2 AND key = $3 \
    ORDER BY environment_scope";

const UPDATE: &str = "UPDATE variables SET key = $2, value = $3, variable_type = $4, \
    protected = $5, masked = $6, hidden = $7, raw = $8, environment_scope = $9, \
    description = $10 WHERE id = $1";

const DELETE: &str = "DELETE FROM variables WHERE id = $1";

const DELETE_OF: &str = "DELETE FROM variables WHERE level = $1 AND level_id = $2";

const DELETE_REGISTRATION: &str =
    "DELETE FROM registration_tokens WHERE level = $1 AND level_id = $2";

impl Store {
    /// The variables of a level.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn variables(&self, level: Level, id: i64) -> Result<Vec<VariableRow>, StoreError> {
        let rows: Vec<VariableRow> = self.all(query(OF).bind(level).bind(id)).await?;
        self.opened(rows)
    }

    /// The variables of the instance, of the groups above a project from the top down, and of
    /// the project.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn variables_for_project(
        &self,
        project: ProjectId,
    ) -> Result<Vec<VariableRow>, StoreError> {
        let rows: Vec<VariableRow> = self.all(query(FOR_PROJECT).bind(project)).await?;
        self.opened(rows)
    }

    /// The variable, if there is one of this id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn variable(&self, id: VariableId) -> Result<Option<VariableRow>, StoreError> {
        let row: Option<VariableRow> = self.optional(query(FIND).bind(id)).await?;
        row.map(|row| row.opened(self.keys())).transpose()
    }

    /// The variables of a key in a level, one for each environment scope.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn variables_by_key(
        &self,
        level: Level,
        id: i64,
        key: &str,
    ) -> Result<Vec<VariableRow>, StoreError> {
        let rows = query(BY_KEY).bind(level).bind(id).bind(key);
        let rows: Vec<VariableRow> = self.all(rows).await?;
        self.opened(rows)
    }
}

impl Transaction {
    /// Stores a variable.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when the level has one of this key and scope.
    pub async fn insert_variable(&mut self, new: &NewVariable) -> Result<VariableRow, StoreError> {
        let sealed = sealed_variable(new, self.keys());
        let insert = query(INSERT)
            .bind(new.level)
            .bind(new.level_id)
            .bind(&new.key)
            .bind(&sealed)
            .bind(new.variable_type)
            .bind(new.protected)
            .bind(new.masked)
            .bind(new.hidden)
            .bind(new.raw)
            .bind(&new.environment_scope)
            .bind(&new.description);
        let row: VariableRow = self.one(insert).await?;
        row.opened(self.keys())
    }

    /// Writes all columns of a variable but its id and level.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Taken`] when another has the key and scope.
    pub async fn update_variable(&mut self, row: &VariableRow) -> Result<(), StoreError> {
        let sealed = row.sealed(self.keys());
        let update = query(UPDATE)
            .bind(row.id)
            .bind(&row.key)
            .bind(&sealed)
            .bind(row.variable_type)
            .bind(row.protected)
            .bind(row.masked)
            .bind(row.hidden)
            .bind(row.raw)
            .bind(&row.environment_scope)
            .bind(&row.description);
        self.change(update, "variable", row.id.0).await
    }

    /// Forgets a variable.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn delete_variable(&mut self, id: VariableId) -> Result<(), StoreError> {
        self.change(query(DELETE).bind(id), "variable", id.0).await
    }

    /// Forgets all that is defined at a level which is about to go.
    pub(crate) async fn delete_level(&mut self, level: Level, id: i64) -> Result<(), StoreError> {
        for text in [DELETE_OF, DELETE_REGISTRATION] {
            self.execute(query(text).bind(level).bind(id)).await?;
        }
        Ok(())
    }
}
