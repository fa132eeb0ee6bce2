//! Merge requests of a server's projects: opened, followed by pushes, merged, and their
//! pipelines. Both branches are of one project.

use shipway_git::hosting::{Annotation, MergeCommits, MergePlan, Merged, Push, RefUpdate};
use shipway_pipeline::Source;
use shipway_store::{
    MergeRequestFilter, MergeRequestRow, MergeRequestState, NewMergeRequest, Page, ProjectRow,
    UserRow,
};

use crate::coordinator::{Boxed, Coordinator, now};
use crate::error::Error;
use crate::settings::{MergeMethod, ProjectSettings};
use crate::start::{HEADS, PipelineRequest, Started, StartedBy};

/// Open merge requests that a push moves on.
const FOLLOWED: i64 = 100;

/// What became of the wish to merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MergeOutcome {
    /// It is merged.
    Merged(Box<MergeRequestRow>),
    /// It is not open.
    NotOpen,
    /// Both branches changed the same lines.
    Conflict,
    /// The project merges only what goes on from the target branch.
    NotLinear,
    /// A branch is gone, or moved meanwhile.
    Moved,
}

/// How somebody wants to merge; the default leaves it to the project.
#[derive(Debug, Clone, Copy, Default)]
pub struct MergeWish<'a> {
    /// The message of the merge commit.
    pub message: Option<&'a str>,
    /// Make one commit of all, as far as the project leaves the choice.
    pub squash: Option<bool>,
    /// Its message.
    pub squash_message: Option<&'a str>,
}

/// The ref that has the newest commit of a merge request.
pub(crate) fn head_ref(iid: i64) -> String {
    format!("refs/merge-requests/{iid}/head")
}

impl Coordinator {
    /// Stores a merge request and makes its first pipeline, if its rules let any job in.
    ///
    /// # Errors
    /// When the store or the repository fails.
    pub async fn open_merge_request(
        &self,
        project: &ProjectRow,
        user: Option<&UserRow>,
        new: &NewMergeRequest,
    ) -> Result<MergeRequestRow, Error> {
        let mut transaction = self.store.begin().await?;
        let row = transaction.insert_merge_request(new).await?;
        transaction.commit().await?;
        let repository = self.repository(project).await?;
        repository.create_ref(&head_ref(row.iid), &row.sha).await?;
        self.start_merge_request_pipeline(project, user, &row)
            .await?;
        Ok(row)
    }

    /// Makes a pipeline of an open merge request's newest commit.
    ///
    /// # Errors
    /// When the repository or the store fails.
    pub fn start_merge_request_pipeline<'a>(
        &'a self,
        project: &'a ProjectRow,
        user: Option<&'a UserRow>,
        row: &'a MergeRequestRow,
    ) -> Boxed<'a, Result<Started, Error>> {
        Box::pin(async move {
            let request = PipelineRequest {
                project: project.clone(),
                user: user.cloned(),
                reference: format!("{HEADS}{}", row.source_branch),
                sha: row.sha.clone(),
                before_sha: None,
                source: Source::MergeRequestEvent,
                about: Vec::new(),
                variables: Vec::new(),
                inputs: shipway_config::InputValues::new(),
                skip: false,
            };
            let by = StartedBy {
                merge_request: Some(row.clone()),
                ..StartedBy::default()
            };
            self.start_for(&request, &by).await
        })
    }

    /// Open merge requests of a branch, newest first.
    pub(crate) async fn open_merge_requests(
        &self,
        project: &ProjectRow,
        source: Option<&str>,
        target: Option<&str>,
    ) -> Result<Vec<MergeRequestRow>, Error> {
        let filter = MergeRequestFilter {
            state: Some(MergeRequestState::Opened),
            source_branch: source.map(str::to_owned),
            target_branch: target.map(str::to_owned),
        };
        let found = (self.store).merge_requests(project.id, &filter, Page::first(FOLLOWED));
        Ok(found.await?.rows)
    }

    /// What a push means for merge requests: those of the branch have a new commit and a
    /// pipeline of it; those into it whose commit has arrived are merged.
    pub(crate) async fn follow_merge_requests(
        &self,
        project: &ProjectRow,
        user: Option<&UserRow>,
        branch: &str,
        sha: &str,
    ) -> Result<(), Error> {
        let repository = self.repository(project).await?;
        for row in self
            .open_merge_requests(project, None, Some(branch))
            .await?
        {
            if repository.is_ancestor(&row.sha, sha).await? {
                self.note_merged(&row, &MergeCommits::default()).await?;
                self.merge_request_ended(project, user, &row).await?;
            }
        }
        for row in self
            .open_merge_requests(project, Some(branch), None)
            .await?
        {
            if row.sha == sha {
                continue;
            }
            let mut transaction = self.store.begin().await?;
            let mut row = transaction.merge_request(row.id).await?;
            row.sha = sha.to_owned();
            row.updated_at = now();
            transaction.update_merge_request(&row).await?;
            transaction.commit().await?;
            repository.create_ref(&head_ref(row.iid), sha).await?;
            self.start_merge_request_pipeline(project, user, &row)
                .await?;
        }
        Ok(())
    }

    /// Stops the environments of a merge request that was merged or closed.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn merge_request_ended(
        &self,
        project: &ProjectRow,
        user: Option<&UserRow>,
        row: &MergeRequestRow,
    ) -> Result<(), Error> {
        let user = user.map(|user| user.id);
        self.stop_environments_of(project, &head_ref(row.iid), user)
            .await
    }

    async fn note_merged(
        &self,
        row: &MergeRequestRow,
        commits: &MergeCommits,
    ) -> Result<MergeRequestRow, Error> {
        let mut transaction = self.store.begin().await?;
        let mut row = transaction.merge_request(row.id).await?;
        if row.state == MergeRequestState::Opened {
            row.state = MergeRequestState::Merged;
            row.merged_at = Some(now());
            row.updated_at = now();
        }
        row.merge_commit_sha = commits.merge.clone().or(row.merge_commit_sha);
        row.squash_commit_sha = commits.squash.clone().or(row.squash_commit_sha);
        transaction.update_merge_request(&row).await?;
        transaction.commit().await?;
        Ok(row)
    }

    /// Merges an open merge request as the project merges, and makes the pipelines of the target
    /// branch as a push does. Whether the user may is asked elsewhere.
    ///
    /// # Errors
    /// When the store or the repository fails.
    pub async fn merge(
        &self,
        project: &ProjectRow,
        user: &UserRow,
        row: &MergeRequestRow,
        wish: MergeWish<'_>,
    ) -> Result<MergeOutcome, Error> {
        if row.state != MergeRequestState::Opened {
            return Ok(MergeOutcome::NotOpen);
        }
        let repository = self.repository(project).await?;
        let reference = format!("{HEADS}{}", row.target_branch);
        let Some(target) = repository.resolve(&reference).await? else {
            return Ok(MergeOutcome::Moved);
        };
        let (source_name, target_name) = (&row.source_branch, &row.target_branch);
        let default = format!(
            "Merge branch '{source_name}' into '{target_name}'\n\n{}\n\nSee merge request {}!{}\n",
            row.title, project.full_path, row.iid
        );
        let annotation = |user: &UserRow, message: String| Annotation {
            name: user.name.clone(),
            email: user.email.clone(),
            at: now() / 1_000_000,
            message,
        };
        let by = annotation(user, wish.message.map_or(default, str::to_owned));
        let settings = ProjectSettings::of(project);
        let author = match row.author_id {
            Some(id) => self.store.user(id).await?,
            None => None,
        };
        let message = wish.squash_message.unwrap_or(&row.title).to_owned();
        let squash = annotation(author.as_ref().unwrap_or(user), message);
        let method = settings.merge_method;
        let plan = MergePlan {
            branch: target_name,
            target: &target,
            source: &row.sha,
            squash: (settings.squash_option.decides(wish.squash)).then_some(&squash),
            linear: method != MergeMethod::Merge,
            commit: (method != MergeMethod::Ff).then_some(&by),
            by: &by,
        };
        let commits = match repository.merge(&plan).await? {
            Merged::Done(commits) => commits,
            Merged::Conflict => return Ok(MergeOutcome::Conflict),
            Merged::NotLinear => return Ok(MergeOutcome::NotLinear),
            Merged::Moved => return Ok(MergeOutcome::Moved),
        };
        let merged = self.note_merged(row, &commits).await?;
        self.merge_request_ended(project, Some(user), row).await?;
        let push = Push {
            updates: vec![RefUpdate {
                name: reference,
                old: Some(target),
                new: Some(commits.head),
            }],
            ..Push::default()
        };
        // The branch has moved: whatever goes wrong with its pipeline is not the merge's fault.
        if let Err(error) = self.pushed(project, Some(user), &push).await {
            tracing::warn!(project = project.id.0, %error, "merge.without.pipeline");
        }
        Ok(MergeOutcome::Merged(Box::new(merged)))
    }
}
