//! Deployments that are outdated: a newer job has deployed to their environment already, and the
//! project wants none to go back unnoticed (language inventory, 11.B).

use shipway_store::JobRow;

use crate::coordinator::Coordinator;
use crate::error::Error;
use crate::settings::ProjectSettings;
use crate::stop::environment_of;

/// GitLab's name of why such a job fails.
pub(crate) const OUTDATED: &str = "failed_outdated_deployment_job";

impl Coordinator {
    /// The environment to which a newer job has deployed another commit, where the project lets
    /// only newer jobs follow. Of jobs the one that was made later is newer, whatever it deploys.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn outdated(&self, job: &JobRow) -> Result<Option<String>, Error> {
        let deploys = environment_of(job).filter(|environment| environment.action == "start");
        let (Some(project), Some(environment)) = (job.project_id, deploys) else {
            return Ok(None);
        };
        let Some(settings) = self.store.project(project).await? else {
            return Ok(None);
        };
        if !ProjectSettings::of(&settings).ci_forward_deployment_enabled {
            return Ok(None);
        }
        let name = environment.name;
        let Some(row) = self.store.environment_by_name(project, &name).await? else {
            return Ok(None);
        };
        let last = self.store.last_successful_deployment(row.id).await?;
        let Some(last) = last.filter(|last| last.job_id > job.id) else {
            return Ok(None);
        };
        let pipeline = self.store.pipeline(job.pipeline_id).await?;
        let sha = pipeline.and_then(|pipeline| pipeline.sha);
        Ok((sha.as_deref() != Some(last.sha.as_str())).then_some(name))
    }

    /// Refuses to run a job that would deploy something outdated. One that has deployed before
    /// may do so again where the project allows to roll back.
    pub(crate) async fn may_deploy(&self, job: &JobRow) -> Result<(), Error> {
        let Some(environment) = self.outdated(job).await? else {
            return Ok(());
        };
        let project = match job.project_id {
            Some(project) => self.store.project(project).await?,
            None => None,
        };
        let settings = project.map(|project| ProjectSettings::of(&project));
        let rollback = settings.is_some_and(|one| one.ci_forward_deployment_rollback_allowed);
        match rollback && job.status.is_completed() {
            true => Ok(()),
            false => Err(Error::Outdated {
                job: job.name.clone(),
                environment,
            }),
        }
    }
}
