//! Pipeline schedules.

use crate::error::StoreError;
use crate::ids::{ProjectId, ScheduleId, UserId};
use crate::sealed_rows::Secret;
use crate::sql::{query, row};
use crate::store::Store;
use crate::transaction::Transaction;

row! {
    /// A schedule.
    NewSchedule => ScheduleRow {
        id: ScheduleId,
        /// Whose pipelines it sets off.
        project_id: ProjectId,
        /// What it is for.
        description: String,
        /// For which branch or tag.
        ref_name: String,
        /// When, as five fields.
        cron: String,
        /// Where it is that time, `Europe/Berlin` for instance.
        timezone: String,
        /// It sets off pipelines.
        active: bool,
        /// In whose name the pipelines run.
        owner_id: UserId,
        /// When it is due; none for never.
        next_run_at: Option<i64>,
        /// JSON: the variables of its pipelines. In the database encrypted, where
        /// [`Options::keys`](crate::Options) are given.
        variables: Vec<u8>,
        /// The pipeline it set off last.
        last_pipeline_id: Option<i64>,
        /// When it was made.
        created_at: i64,
    }
}

const INSERT: &str = "INSERT INTO schedules (project_id, description, ref_name, cron, timezone, \
    active, owner_id, next_run_at, variables, last_pipeline_id, created_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING *";

const FIND: &str = "SELECT * FROM schedules WHERE id = $1";

const OF: &str = "SELECT * FROM schedules WHERE project_id = $1 ORDER BY id";

const DUE: &str = "SELECT * FROM schedules WHERE active AND next_run_at <= $1 \
    ORDER BY next_run_at, id LIMIT $2";

const NEXT: &str = "SELECT min(next_run_at) FROM schedules WHERE active";

const UPDATE: &str = "UPDATE schedules SET description = $2, ref_name = $3, cron = $4, \
    timezone = $5, active = $6, owner_id = $7, next_run_at = $8, variables = $9, \
    last_pipeline_id = $10 WHERE id = $1";

const DELETE: &str = "DELETE FROM schedules WHERE id = $1";

impl Store {
    /// The schedule, if there is one of this id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn schedule(&self, id: ScheduleId) -> Result<Option<ScheduleRow>, StoreError> {
        let row: Option<ScheduleRow> = self.optional(query(FIND).bind(id)).await?;
        row.map(|row| row.opened(self.keys())).transpose()
    }

    /// The project's schedules.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn schedules(&self, project: ProjectId) -> Result<Vec<ScheduleRow>, StoreError> {
        let rows: Vec<ScheduleRow> = self.all(query(OF).bind(project)).await?;
        self.opened(rows)
    }

    /// The active schedules that are due at `now`, the longest overdue first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn due_schedules(
        &self,
        now: i64,
        limit: i64,
    ) -> Result<Vec<ScheduleRow>, StoreError> {
        let rows: Vec<ScheduleRow> = self.all(query(DUE).bind(now).bind(limit)).await?;
        self.opened(rows)
    }

    /// When the next active schedule is due.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn next_schedule_at(&self) -> Result<Option<i64>, StoreError> {
        let found: Option<(Option<i64>,)> = self.optional(query(NEXT)).await?;
        Ok(found.and_then(|(at,)| at))
    }
}

impl Transaction {
    /// The schedule as it stands; one that is due may have been taken by another process.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the database does not answer.
    pub async fn schedule(&mut self, id: ScheduleId) -> Result<ScheduleRow, StoreError> {
        let row = self.existing_row(query(FIND).bind(id), "schedule", id.0);
        let row: ScheduleRow = row.await?;
        row.opened(self.keys())
    }

    /// Stores a schedule.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn insert_schedule(&mut self, new: &NewSchedule) -> Result<ScheduleRow, StoreError> {
        let insert = query(INSERT)
            .bind(new.project_id)
            .bind(&new.description)
            .bind(&new.ref_name)
            .bind(&new.cron)
            .bind(&new.timezone)
            .bind(new.active)
            .bind(new.owner_id)
            .bind(new.next_run_at)
            .bind(&[0_u8; 0][..])
            .bind(new.last_pipeline_id)
            .bind(new.created_at);
        // Sealed for its id, which it has only now.
        let row: ScheduleRow = self.one(insert).await?;
        let row = ScheduleRow {
            variables: new.variables.clone(),
            ..row
        };
        self.update_schedule(&row).await?;
        Ok(row)
    }

    /// Writes all columns of a schedule but its id, its project and the time it was made.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn update_schedule(&mut self, row: &ScheduleRow) -> Result<(), StoreError> {
        let sealed = row.sealed(self.keys());
        let update = query(UPDATE)
            .bind(row.id)
            .bind(&row.description)
            .bind(&row.ref_name)
            .bind(&row.cron)
            .bind(&row.timezone)
            .bind(row.active)
            .bind(row.owner_id)
            .bind(row.next_run_at)
            .bind(&sealed)
            .bind(row.last_pipeline_id);
        self.change(update, "schedule", row.id.0).await
    }

    /// Forgets a schedule.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn delete_schedule(&mut self, id: ScheduleId) -> Result<(), StoreError> {
        self.change(query(DELETE).bind(id), "schedule", id.0).await
    }
}
