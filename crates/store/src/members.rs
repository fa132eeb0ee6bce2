//! Who is a member of what, and with which role.

use crate::error::StoreError;
use crate::ids::{ProjectId, UserId};
use crate::names::MemberSource;
use crate::sql::query;
use crate::store::Store;
use crate::transaction::Transaction;

/// One membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct MemberRow {
    /// Of what kind of thing.
    pub source: MemberSource,
    /// Of which one.
    pub source_id: i64,
    /// Who.
    pub user_id: UserId,
    /// GitLab's number of the role: 10 guest, 20 reporter, 30 developer, 40 maintainer,
    /// 50 owner.
    pub access_level: i64,
    /// Since when; unknown of who became one before this was kept.
    pub created_at: Option<i64>,
}

const SET: &str = "INSERT INTO members (source, source_id, user_id, access_level, created_at) \
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT (source, source_id, user_id) \
    DO UPDATE SET access_level = excluded.access_level";

const OF: &str = "SELECT * FROM members WHERE source = $1 AND source_id = $2 ORDER BY user_id";

const OF_USER: &str = "SELECT * FROM members WHERE user_id = $1 ORDER BY source, source_id";

const IN_PROJECT: &str = "WITH RECURSIVE above (id, parent_id) AS (\
        SELECT namespaces.id, parent_id FROM namespaces \
        JOIN projects ON projects.namespace_id = namespaces.id WHERE projects.id = $2 \
        UNION SELECT namespaces.id, namespaces.parent_id \
        FROM namespaces JOIN above ON namespaces.id = above.parent_id) \
    SELECT max(access_level) FROM members WHERE user_id = $1 \
    AND ((source = 'project' AND source_id = $2) \
    OR (source = 'namespace' AND source_id IN (SELECT id FROM above)))";

const REMOVE: &str = "DELETE FROM members WHERE source = $1 AND source_id = $2 AND user_id = $3";

const DELETE_OF: &str = "DELETE FROM members WHERE source = $1 AND source_id = $2";

impl Store {
    /// The members of a namespace or project, without those of the groups above.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn members(
        &self,
        source: MemberSource,
        id: i64,
    ) -> Result<Vec<MemberRow>, StoreError> {
        self.all(query(OF).bind(source).bind(id)).await
    }

    /// All that a user is a member of.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn memberships(&self, user: UserId) -> Result<Vec<MemberRow>, StoreError> {
        self.all(query(OF_USER).bind(user)).await
    }

    /// The highest role of the user in the project, as a member of it or of a group above.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn access_level(
        &self,
        user: UserId,
        project: ProjectId,
    ) -> Result<Option<i64>, StoreError> {
        let found: Option<(Option<i64>,)> = self
            .optional(query(IN_PROJECT).bind(user).bind(project))
            .await?;
        Ok(found.and_then(|(level,)| level))
    }
}

impl Transaction {
    /// Makes somebody a member, or gives a member another role and leaves since when.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn set_member(&mut self, row: &MemberRow) -> Result<(), StoreError> {
        let set = query(SET)
            .bind(row.source)
            .bind(row.source_id)
            .bind(row.user_id)
            .bind(row.access_level)
            .bind(row.created_at);
        self.execute(set).await.map(drop)
    }

    /// Ends a membership; returns whether there was one.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn remove_member(
        &mut self,
        source: MemberSource,
        id: i64,
        user: UserId,
    ) -> Result<bool, StoreError> {
        let remove = query(REMOVE).bind(source).bind(id).bind(user);
        Ok(self.execute(remove).await? > 0)
    }

    pub(crate) async fn delete_members_of(
        &mut self,
        source: MemberSource,
        id: i64,
    ) -> Result<(), StoreError> {
        self.execute(query(DELETE_OF).bind(source).bind(id))
            .await
            .map(drop)
    }
}
