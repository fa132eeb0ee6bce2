//! The columns that are secret, and bringing all of them under the newest key.

use crate::error::StoreError;
use crate::job_variables::JobVariablesRow;
use crate::pipeline_variables::PipelineVariablesRow;
use crate::registration_tokens::RegistrationTokenRow;
use crate::schedules::ScheduleRow;
use crate::secrets::{HEAD_BYTES, PLAIN, Record, SEALED, SecretKeys};
use crate::signing_keys::SigningKeyRow;
use crate::sql::query;
use crate::store::Store;
use crate::variables::{NewVariable, VariableRow};

/// A row with a secret, which is sealed in the database only.
pub(crate) trait Secret: Sized {
    /// The secret, and the record that it is sealed for.
    fn with_secret<T>(&mut self, work: impl FnOnce(&mut Vec<u8>, &Record<'_>) -> T) -> T;

    /// As it is stored.
    fn sealed(&self, keys: &SecretKeys) -> Vec<u8>
    where
        Self: Clone,
    {
        let mut row = self.clone();
        row.with_secret(|secret, record| keys.seal(record, secret))
    }

    /// As it was before it was stored.
    fn opened(mut self, keys: &SecretKeys) -> Result<Self, StoreError> {
        self.with_secret(|secret, record| {
            *secret = keys
                .open(record, secret)
                .map_err(|source| StoreError::Secret {
                    what: record.to_string(),
                    source,
                })?;
            Ok::<(), StoreError>(())
        })?;
        Ok(self)
    }
}

impl Secret for VariableRow {
    fn with_secret<T>(&mut self, work: impl FnOnce(&mut Vec<u8>, &Record<'_>) -> T) -> T {
        let (level_id, value) = (self.level_id.to_string(), &mut self.value);
        let identity = [
            self.level.as_str(),
            &level_id,
            &self.key,
            &self.environment_scope,
        ];
        work(value, &variable(&identity))
    }
}

/// What is stored of a new variable's value.
pub(crate) fn sealed_variable(new: &NewVariable, keys: &SecretKeys) -> Vec<u8> {
    let level_id = new.level_id.to_string();
    let identity = [
        new.level.as_str(),
        &level_id,
        &new.key,
        &new.environment_scope,
    ];
    keys.seal(&variable(&identity), &new.value)
}

fn variable<'a>(identity: &'a [&'a str]) -> Record<'a> {
    Record {
        table: "variables",
        identity,
    }
}

impl Secret for ScheduleRow {
    fn with_secret<T>(&mut self, work: impl FnOnce(&mut Vec<u8>, &Record<'_>) -> T) -> T {
        let id = self.id.0.to_string();
        let record = Record {
            table: "schedules",
            identity: &[&id],
        };
        work(&mut self.variables, &record)
    }
}

impl Secret for RegistrationTokenRow {
    fn with_secret<T>(&mut self, work: impl FnOnce(&mut Vec<u8>, &Record<'_>) -> T) -> T {
        let level_id = self.level_id.to_string();
        let record = Record {
            table: "registration_tokens",
            identity: &[self.level.as_str(), &level_id],
        };
        work(&mut self.token, &record)
    }
}

impl Secret for PipelineVariablesRow {
    fn with_secret<T>(&mut self, work: impl FnOnce(&mut Vec<u8>, &Record<'_>) -> T) -> T {
        let id = self.pipeline_id.0.to_string();
        let record = Record {
            table: "pipeline_variables",
            identity: &[&id],
        };
        work(&mut self.variables, &record)
    }
}

impl Secret for JobVariablesRow {
    fn with_secret<T>(&mut self, work: impl FnOnce(&mut Vec<u8>, &Record<'_>) -> T) -> T {
        let id = self.job_id.0.to_string();
        let record = Record {
            table: "job_variables",
            identity: &[&id],
        };
        work(&mut self.variables, &record)
    }
}

impl Secret for SigningKeyRow {
    fn with_secret<T>(&mut self, work: impl FnOnce(&mut Vec<u8>, &Record<'_>) -> T) -> T {
        let record = Record {
            table: "signing_keys",
            identity: &[&self.name],
        };
        work(&mut self.private_key, &record)
    }
}

/// The different beginnings of secrets that begin with `$1`.
const HEADS: &str = "SELECT DISTINCT substr(value, 1, CAST($2 AS INTEGER)) FROM variables \
        WHERE substr(value, 1, 1) = $1 \
    UNION SELECT DISTINCT substr(variables, 1, CAST($2 AS INTEGER)) FROM schedules \
        WHERE substr(variables, 1, 1) = $1 \
    UNION SELECT DISTINCT substr(variables, 1, CAST($2 AS INTEGER)) FROM pipeline_variables \
        WHERE substr(variables, 1, 1) = $1 \
    UNION SELECT DISTINCT substr(variables, 1, CAST($2 AS INTEGER)) FROM job_variables \
        WHERE substr(variables, 1, 1) = $1 \
    UNION SELECT DISTINCT substr(token, 1, CAST($2 AS INTEGER)) FROM registration_tokens \
        WHERE substr(token, 1, 1) = $1 \
    UNION SELECT DISTINCT substr(private_key, 1, CAST($2 AS INTEGER)) FROM signing_keys \
        WHERE substr(private_key, 1, 1) = $1";

const VARIABLES: &str = "SELECT * FROM variables WHERE substr(value, 1, CAST($2 AS INTEGER)) <> $1";

const SCHEDULES: &str =
    "SELECT * FROM schedules WHERE substr(variables, 1, CAST($2 AS INTEGER)) <> $1";

const OF_PIPELINES: &str =
    "SELECT * FROM pipeline_variables WHERE substr(variables, 1, CAST($2 AS INTEGER)) <> $1";

const OF_JOBS: &str =
    "SELECT * FROM job_variables WHERE substr(variables, 1, CAST($2 AS INTEGER)) <> $1";

const TOKENS: &str =
    "SELECT * FROM registration_tokens WHERE substr(token, 1, CAST($2 AS INTEGER)) <> $1";

const SIGNING: &str =
    "SELECT * FROM signing_keys WHERE substr(private_key, 1, CAST($2 AS INTEGER)) <> $1";

impl Store {
    /// Refuses a database with secrets of other keys than ours, and seals what was kept as it
    /// is until now.
    pub(crate) async fn check_secrets(&self) -> Result<(), StoreError> {
        for (head,) in self.heads(SEALED, HEAD_BYTES).await? {
            self.keys()
                .knows(&head)
                .map_err(|source| StoreError::Secret {
                    what: self.database().display().to_string(),
                    source,
                })?;
        }
        if self.keys().head().is_some() && !self.heads(PLAIN, 1).await?.is_empty() {
            self.reseal().await?;
        }
        Ok(())
    }

    async fn heads(&self, first: u8, length: usize) -> Result<Vec<(Vec<u8>,)>, StoreError> {
        let first = [first];
        let heads = query(HEADS).bind(&first[..]).bind(length as i64);
        self.all(heads).await
    }

    /// Encrypts all secrets with the newest key that are not yet; returns how many. Afterwards
    /// older keys are not needed, but by backups. Without a key it does nothing.
    ///
    /// # Errors
    /// [`StoreError::Secret`] for one that cannot be read; nothing is changed then.
    pub async fn reseal(&self) -> Result<usize, StoreError> {
        let Some(head) = self.keys().head() else {
            return Ok(0);
        };
        let others = |text| {
            query(text)
                .bind(&head[..])
                .bind(HEAD_BYTES as i64)
                .locking()
        };
        let mut transaction = self.begin().await?;
        let variables: Vec<VariableRow> = transaction.all(others(VARIABLES)).await?;
        let schedules: Vec<ScheduleRow> = transaction.all(others(SCHEDULES)).await?;
        let of_pipelines: Vec<PipelineVariablesRow> = transaction.all(others(OF_PIPELINES)).await?;
        let of_jobs: Vec<JobVariablesRow> = transaction.all(others(OF_JOBS)).await?;
        let tokens: Vec<RegistrationTokenRow> = transaction.all(others(TOKENS)).await?;
        let signing: Vec<SigningKeyRow> = transaction.all(others(SIGNING)).await?;
        let for_pipelines = of_pipelines.len() + of_jobs.len();
        let for_server = tokens.len() + signing.len();
        let count = variables.len() + schedules.len() + for_pipelines + for_server;
        for row in variables {
            let row = row.opened(self.keys())?;
            transaction.update_variable(&row).await?;
        }
        for row in schedules {
            let row = row.opened(self.keys())?;
            transaction.update_schedule(&row).await?;
        }
        for row in of_pipelines {
            let row = row.opened(self.keys())?;
            transaction.set_pipeline_variables(&row).await?;
        }
        for row in of_jobs {
            let row = row.opened(self.keys())?;
            transaction.store_job_variables(&row).await?;
        }
        for row in tokens {
            let row = row.opened(self.keys())?;
            transaction.set_registration_token(&row).await?;
        }
        for row in signing {
            let row = row.opened(self.keys())?;
            transaction.update_signing_key(&row).await?;
        }
        transaction.commit().await?;
        Ok(count)
    }

    /// The rows with their secrets opened.
    pub(crate) fn opened<R: FromIterator<T>, T: Secret>(
        &self,
        rows: impl IntoIterator<Item = T>,
    ) -> Result<R, StoreError> {
        rows.into_iter()
            .map(|row| row.opened(self.keys()))
            .collect()
    }
}
