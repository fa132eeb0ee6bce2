//! What follows when branches and tags have moved.

use std::collections::BTreeMap;

use shipway_config::variables::Variable;
use shipway_git::hosting::{BareRepository, Push, RefUpdate};
use shipway_pipeline::{PipelineId, Source};
use shipway_store::{PipelineRow, ProjectRow, ProtectedRefRow, RefKind, UserRow};

use crate::coordinator::Coordinator;
use crate::error::Error;
use crate::start::{PipelineRequest, Started};

/// Of the refs of one push so many get a pipeline, as on GitLab.
pub const PIPELINES_PER_PUSH: usize = 4;

/// The role that may push to a default branch.
const MAINTAINER: i64 = 40;

impl Coordinator {
    /// Makes the pipelines of a push. A ref whose pipeline cannot be made does not keep the
    /// others from theirs; it is tried again by [`Coordinator::catch_up`].
    ///
    /// # Errors
    /// The first failure, after everything else is done.
    pub async fn pushed(
        &self,
        project: &ProjectRow,
        user: Option<&UserRow>,
        push: &Push,
    ) -> Result<Vec<PipelineRow>, Error> {
        let project = self.with_default_branch(project, &push.updates).await?;
        let mut pipelines = Vec::new();
        let mut failure = None;
        for (position, update) in push.updates.iter().enumerate() {
            let wanted = position < PIPELINES_PER_PUSH;
            let made = match &update.new {
                Some(sha) if wanted => {
                    let request = PipelineRequest {
                        project: project.clone(),
                        user: user.cloned(),
                        reference: update.name.clone(),
                        sha: sha.clone(),
                        before_sha: Some(update.before().to_owned()),
                        source: Source::Push,
                        about: Vec::new(),
                        variables: (push.options.variables.iter())
                            .map(|(key, value)| Variable::new(key, value))
                            .collect(),
                        inputs: (push.options.inputs.iter())
                            .map(|(name, value)| (name.clone(), value.as_str().into()))
                            .collect(),
                        skip: push.options.skip,
                    };
                    self.start_pipeline(&request).await.map(Some)
                }
                _ => Ok(None),
            };
            let made = match made {
                Ok(started) => self.follow(&project, user, update).await.map(|()| started),
                error => error,
            };
            match made {
                Ok(Some(Started::Pipeline(row))) => pipelines.push(*row),
                Ok(_) => {
                    self.know(&project, update).await?;
                    if let (None, Some(branch)) = (&update.new, update.branch()) {
                        let user = user.map(|user| user.id);
                        self.stop_environments_of(&project, branch, user).await?;
                    }
                }
                Err(error) => {
                    tracing::warn!(project = project.id.0, reference = update.name, %error, "push.without.pipeline");
                    failure.get_or_insert(error);
                }
            }
        }
        failure.map_or(Ok(pipelines), Err)
    }

    /// What a moved ref means for merge requests.
    async fn follow(
        &self,
        project: &ProjectRow,
        user: Option<&UserRow>,
        update: &RefUpdate,
    ) -> Result<(), Error> {
        match (update.branch(), &update.new) {
            (Some(branch), Some(sha)) => {
                self.follow_merge_requests(project, user, branch, sha).await
            }
            _ => Ok(()),
        }
    }

    /// Notes a ref that gets no pipeline.
    async fn know(&self, project: &ProjectRow, update: &RefUpdate) -> Result<(), Error> {
        let mut transaction = self.store.begin().await?;
        let sha = update.new.as_deref();
        transaction
            .set_known_ref(project.id, &update.name, sha)
            .await?;
        Ok(transaction.commit().await?)
    }

    /// The first branch of a project becomes its default branch and is protected, as on GitLab.
    async fn with_default_branch(
        &self,
        project: &ProjectRow,
        updates: &[RefUpdate],
    ) -> Result<ProjectRow, Error> {
        if project.default_branch.is_some() {
            return Ok(project.clone());
        }
        let created = updates.iter().filter(|update| update.new.is_some());
        let branches: Vec<&str> = created.filter_map(RefUpdate::branch).collect();
        let repository = self.repository(project).await?;
        let named = repository.default_branch().await?;
        let Some(first) = (branches.iter().find(|branch| **branch == named)).or(branches.first())
        else {
            return Ok(project.clone());
        };
        repository.set_default_branch(first).await?;
        let mut transaction = self.store.begin().await?;
        let mut project = transaction.project(project.id).await?;
        if project.default_branch.is_none() {
            project.default_branch = Some((*first).to_owned());
            transaction.update_project(&project).await?;
            let protection = ProtectedRefRow {
                id: shipway_store::ProtectedRefId(0),
                project_id: project.id,
                kind: RefKind::Branch,
                pattern: (*first).to_owned(),
                push_level: MAINTAINER,
                merge_level: MAINTAINER,
            };
            transaction.set_protected_ref(&protection).await?;
        }
        transaction.commit().await?;
        Ok(project)
    }

    /// The repository of a project.
    ///
    /// # Errors
    /// When there is none.
    pub async fn repository(&self, project: &ProjectRow) -> Result<BareRepository, Error> {
        let hosting = self.hosting.as_ref().ok_or(Error::NoRepositories)?;
        hosting.repository(project).await
    }

    /// The full name and the commit of a branch or tag, given by its full or its short name;
    /// of a branch and a tag of one name the branch.
    ///
    /// # Errors
    /// When git fails.
    pub async fn find_ref(
        &self,
        project: &ProjectRow,
        name: &str,
    ) -> Result<Option<(String, String)>, Error> {
        let repository = self.repository(project).await?;
        let names = match name.starts_with("refs/") {
            true => vec![name.to_owned()],
            false => vec![format!("refs/heads/{name}"), format!("refs/tags/{name}")],
        };
        for name in names {
            if let Ok(Some(sha)) = repository.resolve(&name).await {
                return Ok(Some((name, sha)));
            }
        }
        Ok(None)
    }

    /// Makes the pipelines of pushes whose refs moved while the server died. To be called at
    /// the start, before anybody can push; who pushed is not known any more.
    ///
    /// # Errors
    /// When the project's repository or the store fails.
    pub async fn catch_up(&self, project: &ProjectRow) -> Result<Vec<PipelineId>, Error> {
        let refs = self.repository(project).await?.refs().await?;
        let branches = refs.branches.iter();
        let branches = branches.map(|one| (format!("refs/heads/{}", one.name), &one.commit));
        let tags = refs.tags.iter();
        let tags = tags.map(|one| (format!("refs/tags/{}", one.name), &one.object));
        let there: BTreeMap<String, &String> = branches.chain(tags).collect();
        let known = self.store.known_refs(project.id).await?;
        let known: BTreeMap<&str, &str> = (known.iter())
            .map(|known| (known.name.as_str(), known.sha.as_str()))
            .collect();
        let mut updates: Vec<RefUpdate> = (there.iter())
            .filter(|(name, sha)| known.get(name.as_str()) != Some(&sha.as_str()))
            .map(|(name, sha)| RefUpdate {
                name: name.clone(),
                old: known.get(name.as_str()).map(|sha| (*sha).to_owned()),
                new: Some((*sha).clone()),
            })
            .collect();
        let gone = known.iter().filter(|(name, _)| !there.contains_key(**name));
        updates.extend(gone.map(|(name, sha)| RefUpdate {
            name: (*name).to_owned(),
            old: Some((*sha).to_owned()),
            new: None,
        }));
        if updates.is_empty() {
            return Ok(Vec::new());
        }
        let push = Push {
            updates,
            ..Push::default()
        };
        let made = self.pushed(project, None, &push).await?;
        Ok(made.into_iter().map(|row| row.id).collect())
    }
}
