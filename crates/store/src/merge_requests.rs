//! Merge requests: branches that somebody wants merged into others.

use shipway_pipeline::PipelineId;

use crate::error::StoreError;
use crate::ids::{MergeRequestId, ProjectId, UserId};
use crate::names::MergeRequestState;
use crate::page::{Page, Paged};
use crate::projects;
use crate::rows::PipelineRow;
use crate::sql::query;
use crate::store::Store;
use crate::transaction::Transaction;

/// A stored merge request.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct MergeRequestRow {
    /// Unique in the store, never used again.
    pub id: MergeRequestId,
    /// Counts the project's merge requests from 1.
    pub iid: i64,
    /// Of both branches.
    pub project_id: ProjectId,
    /// What it is about, in a line.
    pub title: String,
    /// The same at length; may be empty.
    pub description: String,
    /// What is to be merged.
    pub source_branch: String,
    /// Where to.
    pub target_branch: String,
    /// Where it stands.
    pub state: MergeRequestState,
    /// The newest commit of the source.
    pub sha: String,
    /// The commit that merged it.
    pub merge_commit_sha: Option<String>,
    /// The commit that all of it became.
    pub squash_commit_sha: Option<String>,
    /// Who made it; none when the user is deleted.
    pub author_id: Option<UserId>,
    /// When it was made.
    pub created_at: i64,
    /// When it last changed.
    pub updated_at: i64,
    /// When it was merged.
    pub merged_at: Option<i64>,
    /// When it was closed.
    pub closed_at: Option<i64>,
}

/// A merge request to be stored, which is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMergeRequest {
    /// Of both branches.
    pub project_id: ProjectId,
    /// What it is about, in a line.
    pub title: String,
    /// The same at length; may be empty.
    pub description: String,
    /// What is to be merged.
    pub source_branch: String,
    /// Where to.
    pub target_branch: String,
    /// The newest commit of the source.
    pub sha: String,
    /// Who makes it.
    pub author_id: Option<UserId>,
    /// When it is made.
    pub created_at: i64,
}

/// Which of a project's merge requests are wanted; the default is all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MergeRequestFilter {
    /// In this state.
    pub state: Option<MergeRequestState>,
    /// Of this branch.
    pub source_branch: Option<String>,
    /// Into this branch.
    pub target_branch: Option<String>,
}

const INSERT: &str = "INSERT INTO merge_requests (iid, project_id, title, description, \
    source_branch, target_branch, state, sha, author_id, created_at, updated_at) \
    VALUES ((SELECT COALESCE(max(iid), 0) + 1 FROM merge_requests WHERE project_id = $1), \
    $1, $2, $3, $4, $5, 'opened', $6, $7, $8, $8) RETURNING *";

const BY_IID: &str = "SELECT * FROM merge_requests WHERE project_id = $1 AND iid = $2";

const FIND: &str = "SELECT * FROM merge_requests WHERE id = $1";

macro_rules! listing {
    ($what:literal, $end:literal) => {
        concat!(
            "SELECT ",
            $what,
            " FROM merge_requests WHERE project_id = $1 AND ($2 IS NULL OR state = $2) \
            AND ($3 IS NULL OR source_branch = $3) AND ($4 IS NULL OR target_branch = $4)",
            $end
        )
    };
}

const PAGE: &str = listing!("*", " ORDER BY id DESC LIMIT $5 OFFSET $6");

const COUNT: &str = listing!("count(*)", "");

const UPDATE: &str = "UPDATE merge_requests SET title = $2, description = $3, \
    target_branch = $4, state = $5, sha = $6, merge_commit_sha = $7, updated_at = $8, \
    merged_at = $9, closed_at = $10, squash_commit_sha = $11 WHERE id = $1";

const LINK: &str =
    "INSERT INTO merge_request_pipelines (pipeline_id, merge_request_id) VALUES ($1, $2)";

const PIPELINES: &str = "SELECT pipelines.* FROM merge_request_pipelines \
    JOIN pipelines ON pipelines.id = merge_request_pipelines.pipeline_id \
    WHERE merge_request_id = $1 ORDER BY pipelines.id DESC LIMIT $2";

impl Store {
    /// The project's merge request of this number.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn merge_request(
        &self,
        project: ProjectId,
        iid: i64,
    ) -> Result<Option<MergeRequestRow>, StoreError> {
        self.optional(query(BY_IID).bind(project).bind(iid)).await
    }

    /// The project's merge requests, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn merge_requests(
        &self,
        project: ProjectId,
        filter: &MergeRequestFilter,
        page: Page,
    ) -> Result<Paged<MergeRequestRow>, StoreError> {
        let bound = |text| {
            (query(text).bind(project))
                .bind(filter.state.map(MergeRequestState::as_str))
                .bind(filter.source_branch.as_deref())
                .bind(filter.target_branch.as_deref())
        };
        Ok(Paged {
            rows: self
                .all(bound(PAGE).bind(page.limit).bind(page.offset))
                .await?,
            total: self.number(bound(COUNT)).await?,
        })
    }

    /// The pipelines of a merge request, newest first, as many as asked for.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn pipelines_of_merge_request(
        &self,
        id: MergeRequestId,
        limit: i64,
    ) -> Result<Vec<PipelineRow>, StoreError> {
        self.all(query(PIPELINES).bind(id).bind(limit)).await
    }
}

impl Transaction {
    /// Stores a merge request under the next number of its project.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such project.
    pub async fn insert_merge_request(
        &mut self,
        new: &NewMergeRequest,
    ) -> Result<MergeRequestRow, StoreError> {
        let lock = query(projects::LOCK).bind(new.project_id);
        self.change(lock, "project", new.project_id.0).await?;
        let insert = query(INSERT)
            .bind(new.project_id)
            .bind(&new.title)
            .bind(&new.description)
            .bind(&new.source_branch)
            .bind(&new.target_branch)
            .bind(&new.sha)
            .bind(new.author_id)
            .bind(new.created_at);
        self.one(insert).await
    }

    /// The merge request as it stands.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the database does not answer.
    pub async fn merge_request(
        &mut self,
        id: MergeRequestId,
    ) -> Result<MergeRequestRow, StoreError> {
        self.existing_row(query(FIND).bind(id), "merge request", id.0)
            .await
    }

    /// Writes what of a merge request may change.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn update_merge_request(&mut self, row: &MergeRequestRow) -> Result<(), StoreError> {
        let update = query(UPDATE)
            .bind(row.id)
            .bind(&row.title)
            .bind(&row.description)
            .bind(&row.target_branch)
            .bind(row.state)
            .bind(&row.sha)
            .bind(&row.merge_commit_sha)
            .bind(row.updated_at)
            .bind(row.merged_at)
            .bind(row.closed_at)
            .bind(&row.squash_commit_sha);
        self.change(update, "merge request", row.id.0).await
    }

    /// Notes that a pipeline is one of a merge request.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn link_merge_request(
        &mut self,
        pipeline: PipelineId,
        id: MergeRequestId,
    ) -> Result<(), StoreError> {
        let link = query(LINK).bind(pipeline.0).bind(id);
        self.execute(link).await.map(drop)
    }
}
