//! What a person gives a single job when playing it or running it again.

use serde::{Deserialize, Serialize};
use shipway_config::InputValues;
use shipway_config::variables::Variable;
use shipway_store::JobRow;

use crate::coordinator::Coordinator;
use crate::error::Error;

/// Variables and values of inputs for one job; later attempts have them too.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Given {
    /// Variables above those of the pipeline.
    pub variables: Vec<Variable>,
    /// Values for the inputs of the job.
    #[serde(default)]
    pub inputs: InputValues,
}

impl Given {
    /// Nothing is given.
    pub fn is_empty(&self) -> bool {
        self.variables.is_empty() && self.inputs.is_empty()
    }

    /// Reads what is stored with a job. Older rows have the list of the variables.
    fn read(json: &[u8]) -> serde_json::Result<Self> {
        match serde_json::from_slice(json) {
            Ok(variables) => Ok(Self {
                variables,
                inputs: InputValues::new(),
            }),
            Err(_) => serde_json::from_slice(json),
        }
    }
}

impl Coordinator {
    /// What the newest attempt was given that was given anything.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn given(&self, job: &JobRow) -> Result<Given, Error> {
        let json = self.store.job_variables(job.pipeline_id, &job.name).await?;
        if json.is_empty() {
            return Ok(Given::default());
        }
        Given::read(&json).map_err(Error::stored("variables", job.id))
    }

    pub(crate) async fn store_given(&self, job: &JobRow, given: &Given) -> Result<(), Error> {
        let json = serde_json::to_vec(given).map_err(Error::stored("variables", job.id))?;
        let mut transaction = self.store.begin().await?;
        transaction.set_job_variables(job.id, json).await?;
        Ok(transaction.commit().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read_in_both_forms() {
        let variables = vec![Variable::new("A", "b")];
        let list = serde_json::to_vec(&variables).unwrap();
        let given = Given {
            variables,
            inputs: InputValues::new(),
        };
        assert_eq!(Given::read(&list).unwrap(), given);
        let whole = Given {
            inputs: [("x".to_owned(), 1.into())].into(),
            ..given
        };
        let json = serde_json::to_vec(&whole).unwrap();
        assert_eq!(Given::read(&json).unwrap(), whole);
        assert!(Given::read(b"{}").is_err());
    }
}
