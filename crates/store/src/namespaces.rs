//! Namespaces: groups, and the place of each user's own projects.

use crate::error::StoreError;
use crate::ids::{NamespaceId, UserId};
use crate::names::{Level, MemberSource, NamespaceKind};
use crate::sql::{query, row};
use crate::store::Store;
use crate::transaction::Transaction;

row! {
    /// A group or the namespace of a user.
    NewNamespace => NamespaceRow {
        id: NamespaceId,
        /// `group/subgroup`; unique, whatever the case of its letters.
        full_path: String,
        /// The name for people.
        name: String,
        /// Which of the two.
        kind: NamespaceKind,
        /// Whose it is, if it is a user's.
        owner_id: Option<UserId>,
        /// The group above.
        parent_id: Option<NamespaceId>,
    }
}

const INSERT: &str = "INSERT INTO namespaces (full_path, name, kind, owner_id, parent_id) \
    VALUES ($1, $2, $3, $4, $5) RETURNING *";

const FIND: &str = "SELECT * FROM namespaces WHERE id = $1";

const BY_PATH: &str = "SELECT * FROM namespaces WHERE lower(full_path) = lower($1)";

const OF_USER: &str = "SELECT * FROM namespaces WHERE owner_id = $1 ORDER BY id LIMIT 1";

const CHILDREN: &str = "SELECT * FROM namespaces WHERE parent_id = $1 ORDER BY lower(full_path)";

const ALL: &str = "SELECT * FROM namespaces ORDER BY lower(full_path)";

/// UNION and not UNION ALL: it ends even if a namespace were below itself.
const WITH_ANCESTORS: &str = "WITH RECURSIVE above (id, parent_id) AS (\
        SELECT id, parent_id FROM namespaces WHERE id = $1 \
        UNION SELECT namespaces.id, namespaces.parent_id \
        FROM namespaces JOIN above ON namespaces.id = above.parent_id) \
    SELECT namespaces.* FROM namespaces JOIN above ON above.id = namespaces.id \
    ORDER BY length(full_path) DESC";

const UPDATE: &str = "UPDATE namespaces SET full_path = $2, name = $3, kind = $4, \
    owner_id = $5, parent_id = $6 WHERE id = $1";

const DELETE: &str = "DELETE FROM namespaces WHERE id = $1";

impl Store {
    /// The namespace, if there is one of this id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn namespace(&self, id: NamespaceId) -> Result<Option<NamespaceRow>, StoreError> {
        self.optional(query(FIND).bind(id)).await
    }

    /// The namespace at this path, in whatever case.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn namespace_by_path(&self, path: &str) -> Result<Option<NamespaceRow>, StoreError> {
        self.optional(query(BY_PATH).bind(path)).await
    }

    /// The namespace of a user's own projects.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn namespace_of_user(
        &self,
        user: UserId,
    ) -> Result<Option<NamespaceRow>, StoreError> {
        self.optional(query(OF_USER).bind(user)).await
    }

    /// All namespaces by their paths.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn namespaces(&self) -> Result<Vec<NamespaceRow>, StoreError> {
        self.all(query(ALL)).await
    }

    /// The groups right below.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn subgroups(&self, parent: NamespaceId) -> Result<Vec<NamespaceRow>, StoreError> {
        self.all(query(CHILDREN).bind(parent)).await
    }

    /// The namespace and those above, the nearest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn namespace_with_ancestors(
        &self,
        id: NamespaceId,
    ) -> Result<Vec<NamespaceRow>, StoreError> {
        self.all(query(WITH_ANCESTORS).bind(id)).await
    }
}

impl Transaction {
    /// The namespace at this path, in whatever case.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn namespace_by_path(
        &mut self,
        path: &str,
    ) -> Result<Option<NamespaceRow>, StoreError> {
        self.optional(query(BY_PATH).bind(path)).await
    }

    /// Stores a namespace.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when there is one at this path.
    pub async fn insert_namespace(
        &mut self,
        new: &NewNamespace,
    ) -> Result<NamespaceRow, StoreError> {
        let insert = query(INSERT)
            .bind(&new.full_path)
            .bind(&new.name)
            .bind(new.kind)
            .bind(new.owner_id)
            .bind(new.parent_id);
        self.one(insert).await
    }

    /// Writes all columns of a namespace; the paths of what is below stay.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Taken`] when another is at the path.
    pub async fn update_namespace(&mut self, row: &NamespaceRow) -> Result<(), StoreError> {
        let update = query(UPDATE)
            .bind(row.id)
            .bind(&row.full_path)
            .bind(&row.name)
            .bind(row.kind)
            .bind(row.owner_id)
            .bind(row.parent_id);
        self.change(update, "namespace", row.id.0).await
    }

    /// Forgets a namespace with its members, variables and registration token.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Query`] while projects or groups are below.
    pub async fn delete_namespace(&mut self, id: NamespaceId) -> Result<(), StoreError> {
        self.delete_members_of(MemberSource::Namespace, id.0)
            .await?;
        self.delete_level(Level::Group, id.0).await?;
        self.change(query(DELETE).bind(id), "namespace", id.0).await
    }
}
