//! Projects.

use crate::error::StoreError;
use crate::ids::{NamespaceId, ProjectId, UserId};
use crate::names::{Level, MemberSource, Visibility};
use crate::page::{Beyond, Page, Paged};
use crate::sql::{Query, query, row};
use crate::store::Store;
use crate::transaction::Transaction;

row! {
    /// A repository with its pipelines.
    NewProject => ProjectRow {
        id: ProjectId,
        /// Where it is.
        namespace_id: NamespaceId,
        /// `group/name`; unique, whatever the case of its letters.
        full_path: String,
        /// The name for people.
        name: String,
        /// What it is for; may be empty.
        description: String,
        /// Who sees it without being a member.
        visibility: Visibility,
        /// None before the first push.
        default_branch: Option<String>,
        /// JSON: the settings of CI/CD.
        settings: String,
        /// When it was made.
        created_at: i64,
    }
}

/// Which projects are wanted; the default is all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProjectFilter {
    /// Those that this user sees.
    pub seen_by: Viewer,
    /// Those that this user is a member of, itself or through a group.
    pub member: Option<UserId>,
    /// Those right in this namespace.
    pub namespace: Option<NamespaceId>,
    /// Those with this text in path or name, in whatever case.
    pub search: Option<String>,
}

/// Whose eyes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Viewer {
    /// Somebody who sees everything.
    #[default]
    Admin,
    /// Somebody who is not signed in: public projects.
    Anonymous,
    /// A user: besides, internal projects and those that the user is a member of.
    User(UserId),
}

const INSERT: &str = "INSERT INTO projects (namespace_id, full_path, name, description, \
    visibility, default_branch, settings, created_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING *";

/// Of two who would do the same at once, the second waits for the first: with this as the
/// beginning of a transaction, on an engine with many writers too.
pub(crate) const LOCK: &str = "UPDATE projects SET name = name WHERE id = $1";

const FIND: &str = "SELECT * FROM projects WHERE id = $1";

const BY_PATH: &str = "SELECT * FROM projects WHERE lower(full_path) = lower($1)";

/// The projects of a member: `$1` is who, also behind a group of any depth, or the owner of
/// the namespace.
macro_rules! listing {
    ($what:literal, $end:literal) => {
        concat!(
            "WITH RECURSIVE groups (id, user_id) AS (\
                SELECT source_id, user_id FROM members \
                WHERE source = 'namespace' AND user_id IN ($1, $2) \
                UNION SELECT id, owner_id FROM namespaces WHERE owner_id IN ($1, $2) \
                UNION SELECT namespaces.id, groups.user_id \
                FROM namespaces JOIN groups ON namespaces.parent_id = groups.id), \
            mine (id, user_id) AS (\
                SELECT source_id, user_id FROM members \
                WHERE source = 'project' AND user_id IN ($1, $2) \
                UNION SELECT projects.id, groups.user_id \
                FROM projects JOIN groups ON groups.id = projects.namespace_id) \
            SELECT ",
            $what,
            " FROM projects WHERE ($3 OR visibility = 'public' \
                OR ($1 IS NOT NULL AND visibility = 'internal') \
                OR id IN (SELECT id FROM mine WHERE user_id = $1)) \
            AND ($2 IS NULL OR id IN (SELECT id FROM mine WHERE user_id = $2)) \
            AND ($4 IS NULL OR namespace_id = $4) \
            AND ($5 IS NULL OR lower(full_path) LIKE lower($5) ESCAPE '!' \
                OR lower(name) LIKE lower($5) ESCAPE '!') ",
            $end
        )
    };
}

const PAGE: &str = listing!("*", "ORDER BY id DESC LIMIT $6 OFFSET $7");

const BEFORE: &str = listing!("*", "AND ($6 IS NULL OR id < $6) ORDER BY id DESC LIMIT $7");

const AFTER: &str = listing!("*", "AND ($6 IS NULL OR id > $6) ORDER BY id LIMIT $7");

const COUNT: &str = listing!("count(*)", "");

const UPDATE: &str = "UPDATE projects SET namespace_id = $2, full_path = $3, name = $4, \
    description = $5, visibility = $6, default_branch = $7, settings = $8 WHERE id = $1";

/// Pipelines are numbered by path; a project that moves takes its numbers along.
const MOVE_NUMBERS: &str = "UPDATE pipeline_numbers SET path = $2 WHERE path = $1";

const MOVE_PIPELINES: &str = "UPDATE pipelines SET project = $2 WHERE project_id = $1";

const DELETE_NUMBERS: &str = "DELETE FROM pipeline_numbers WHERE path = $1";

const DELETE: &str = "DELETE FROM projects WHERE id = $1";

impl Store {
    /// The project, if there is one of this id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn project(&self, id: ProjectId) -> Result<Option<ProjectRow>, StoreError> {
        self.optional(query(FIND).bind(id)).await
    }

    /// The project at this path, in whatever case.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn project_by_path(&self, path: &str) -> Result<Option<ProjectRow>, StoreError> {
        self.optional(query(BY_PATH).bind(path)).await
    }

    /// Projects, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn projects(
        &self,
        filter: &ProjectFilter,
        page: Page,
    ) -> Result<Paged<ProjectRow>, StoreError> {
        let search = filter.search.as_deref().map(contains);
        let bound = |text| filter.bound(text, search.as_deref());
        Ok(Paged {
            rows: self
                .all(bound(PAGE).bind(page.limit).bind(page.offset))
                .await?,
            total: self.number(bound(COUNT)).await?,
        })
    }

    /// Some projects from `beyond` on, in the order of their ids: however many there are, each
    /// part is found as fast as the first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn projects_beyond(
        &self,
        filter: &ProjectFilter,
        beyond: Beyond,
        limit: i64,
    ) -> Result<Vec<ProjectRow>, StoreError> {
        let search = filter.search.as_deref().map(contains);
        let text = match beyond.ascending {
            true => AFTER,
            false => BEFORE,
        };
        let found = filter.bound(text, search.as_deref());
        self.all(found.bind(beyond.last).bind(limit)).await
    }
}

impl ProjectFilter {
    /// A listing with what all of them ask first.
    fn bound<'q>(&self, text: &'static str, search: Option<&'q str>) -> Query<'q> {
        let (user, everything) = match self.seen_by {
            Viewer::Admin => (None, true),
            Viewer::Anonymous => (None, false),
            Viewer::User(user) => (Some(user), false),
        };
        query(text)
            .bind(user)
            .bind(self.member)
            .bind(everything)
            .bind(self.namespace)
            .bind(search)
    }
}

/// A pattern of LIKE, with `!` as its escape.
pub(crate) fn contains(text: &str) -> String {
    let mut pattern = String::from("%");
    for character in text.chars() {
        if matches!(character, '!' | '%' | '_') {
            pattern.push('!');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}

impl Transaction {
    /// The project as it stands.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the database does not answer.
    pub async fn project(&mut self, id: ProjectId) -> Result<ProjectRow, StoreError> {
        self.existing_row(query(FIND).bind(id), "project", id.0)
            .await
    }

    /// Stores a project.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when there is one at this path.
    pub async fn insert_project(&mut self, new: &NewProject) -> Result<ProjectRow, StoreError> {
        let insert = query(INSERT)
            .bind(new.namespace_id)
            .bind(&new.full_path)
            .bind(&new.name)
            .bind(&new.description)
            .bind(new.visibility)
            .bind(&new.default_branch)
            .bind(&new.settings)
            .bind(new.created_at);
        self.one(insert).await
    }

    /// Writes all columns of a project but the id and the time it was made. With a new path it
    /// keeps its pipelines and their numbers.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Taken`] when another is at the path.
    pub async fn update_project(&mut self, row: &ProjectRow) -> Result<(), StoreError> {
        let before = self.project(row.id).await?;
        let update = query(UPDATE)
            .bind(row.id)
            .bind(row.namespace_id)
            .bind(&row.full_path)
            .bind(&row.name)
            .bind(&row.description)
            .bind(row.visibility)
            .bind(&row.default_branch)
            .bind(&row.settings);
        self.change(update, "project", row.id.0).await?;
        if before.full_path != row.full_path {
            let (old, new) = (&before.full_path, &row.full_path);
            self.execute(query(MOVE_NUMBERS).bind(old).bind(new))
                .await?;
            self.execute(query(MOVE_PIPELINES).bind(row.id).bind(new))
                .await?;
        }
        Ok(())
    }

    /// Forgets a project with all that belongs to it; files and the repository stay.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn delete_project(&mut self, id: ProjectId) -> Result<(), StoreError> {
        let row = self.project(id).await?;
        self.notify(format!("project {id}"));
        self.delete_members_of(MemberSource::Project, id.0).await?;
        self.delete_level(Level::Project, id.0).await?;
        self.change(query(DELETE).bind(id), "project", id.0).await?;
        let numbers = query(DELETE_NUMBERS).bind(&row.full_path);
        self.execute(numbers).await.map(drop)
    }
}
