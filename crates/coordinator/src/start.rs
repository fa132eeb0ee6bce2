//! A pipeline of a server's project: from a commit to stored jobs.

use std::io::{self, Read};
use std::sync::Arc;

use shipway_config::variables::Variable;
use shipway_config::{InputValues, Limits, LoadContext, SourceError};
use shipway_git::Facts;
use shipway_git::hosting::{BareRepository, skips_ci};
use shipway_pipeline::{Context, Host, PipelineId, Plan, PlanError, Source, Status};
use shipway_store::{
    JobRow, MergeRequestId, MergeRequestRow, PipelineRow, ProjectId, ProjectRow, RefKind, UserRow,
};
use tokio::runtime::Handle;

use crate::cache_key::resolve_with;
use crate::commit_files::CommitFiles;
use crate::coordinator::{Coordinator, NewRun, Origin, now};
use crate::downstream::{Link, OWNER};
use crate::elsewhere::Elsewhere;
use crate::error::Error;
use crate::hosting::Hosting;
use crate::limits::ServerLimits;
use crate::merge_request;
use crate::merge_requests::head_ref;
use crate::predefined::{Identity, Occasion, context_of};
use crate::project_variables::VariableScope;
use crate::protection::protections;
use crate::settings::{OverrideRole, ProjectSettings};

/// How full names of branches and tags begin.
pub(crate) const HEADS: &str = "refs/heads/";
pub(crate) const TAGS: &str = "refs/tags/";

/// Inputs that a pipeline may be given from outside, as on GitLab.
const MAX_INPUTS: usize = 20;

/// Microseconds within which pipelines of a commit are counted.
const MINUTE: i64 = 60_000_000;

/// What a pipeline is wanted for.
#[derive(Debug, Clone)]
pub struct PipelineRequest {
    /// The project.
    pub project: ProjectRow,
    /// Who wants it: the pusher, the schedule's owner, the trigger's.
    pub user: Option<UserRow>,
    /// The full name of a branch or tag, `refs/heads/main`.
    pub reference: String,
    /// The commit.
    pub sha: String,
    /// Where the ref was before a push; zeros for a new one.
    pub before_sha: Option<String>,
    /// What sets it off.
    pub source: Source,
    /// Predefined variables of what sets it off, below all others.
    pub about: Vec<Variable>,
    /// The pipeline's own variables, above all others.
    pub variables: Vec<Variable>,
    /// Values for the inputs of the configuration.
    pub inputs: InputValues,
    /// The push option `ci.skip`.
    pub skip: bool,
}

/// Why a request made no pipeline; no fault, but what the rules say. [`Display`](std::fmt::Display)
/// is GitLab's text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoPipeline {
    /// The commit has no configuration.
    #[error("Missing CI config file")]
    NoConfiguration,
    /// `workflow` keeps it out.
    #[error("Pipeline filtered out by workflow rules.")]
    FilteredByWorkflow,
    /// No job would be in it.
    #[error(
        "The resulting pipeline would have been empty. Review the rules configuration for the relevant jobs."
    )]
    Empty,
    /// Who wants it may not set variables in this project.
    #[error("Insufficient permissions to set pipeline variables")]
    VariablesForbidden,
    /// The limit `pipelines-per-minute` of the server.
    #[error(
        "Too many pipelines created in the last minute. Try again later. (The limit `pipelines-per-minute` of the server is {0} for a user and a commit.)"
    )]
    TooOften(u64),
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Started {
    /// There is a pipeline; it may have failed at birth, with its `yaml_errors`, or be skipped.
    Pipeline(Box<PipelineRow>),
    /// There is none.
    None(NoPipeline),
}

/// What started a pipeline besides its request.
#[derive(Debug, Clone, Default)]
pub(crate) struct StartedBy {
    /// The job that asks for it.
    pub(crate) link: Option<Link>,
    /// The merge request whose newest commit it is of.
    pub(crate) merge_request: Option<MergeRequestRow>,
}

impl StartedBy {
    /// A job asks for it.
    pub(crate) fn job(link: Link) -> Self {
        Self {
            link: Some(link),
            merge_request: None,
        }
    }
}

/// The files that a pipeline is made of.
pub trait PipelineFiles: shipway_config::Source + Send {
    /// Opens a file whatever it holds, up to `limit` bytes; none where there is no such file.
    ///
    /// # Errors
    /// When it cannot be read.
    fn open(&self, path: &str, limit: u64) -> io::Result<Option<Box<dyn Read>>>;

    /// The id of the newest commit that changed a file; none for a file of no commit.
    ///
    /// # Errors
    /// When the history cannot be read.
    fn last_change(&self, path: &str) -> io::Result<Option<String>>;
}

/// Gives the files of a local run, on any thread.
pub type MakeFiles = Arc<dyn Fn() -> Box<dyn PipelineFiles> + Send + Sync>;

impl Coordinator {
    /// Creates the pipeline of a commit, and cancels older ones of its ref that it makes
    /// redundant. A configuration that is wrong makes a failed pipeline that says why.
    ///
    /// # Errors
    /// [`Error::NoCommit`]; otherwise when the repository or the store fails.
    pub async fn start_pipeline(&self, request: &PipelineRequest) -> Result<Started, Error> {
        self.start_for(request, &StartedBy::default()).await
    }

    /// As [`Self::start_pipeline`], for a job that asks for it with its token: the new pipeline
    /// is downstream of the job's.
    ///
    /// # Errors
    /// As [`Self::start_pipeline`].
    pub async fn start_pipeline_by_job(
        &self,
        request: &PipelineRequest,
        job: &JobRow,
    ) -> Result<Started, Error> {
        let link = self.link(job.id, job.pipeline_id).await?;
        self.start_for(request, &StartedBy::job(link)).await
    }

    /// As [`Self::start_pipeline`], for a job or a merge request, or not.
    pub(crate) async fn start_for(
        &self,
        request: &PipelineRequest,
        by: &StartedBy,
    ) -> Result<Started, Error> {
        let hosting = self.hosting.as_ref().ok_or(Error::NoRepositories)?;
        let settings = ProjectSettings::of(&request.project);
        if let Some(reason) = self.refusal(hosting, request).await? {
            return Ok(Started::None(reason));
        }
        let mut birth = self.birth(hosting, request, &settings).await?;
        if let Some(link) = by.link {
            birth.context.predefined.extend(link.variables());
        }
        let mut before = before(request);
        if let Some(row) = &by.merge_request {
            before = self.detach(&mut birth, row).await?;
        }
        let by_push = matches!(request.source, Source::Push | Source::MergeRequestEvent);
        let started = if by_push && (request.skip || skips_ci(&birth.facts.message)) {
            birth.name_ref();
            let id = self
                .store_without_jobs(&birth, Status::Skipped, None, by.link)
                .await?;
            return self.started(id).await;
        } else if request.inputs.len() > MAX_INPUTS {
            let count = request.inputs.len();
            Err(Unplanned::Wrong(vec![format!(
                "the pipeline is given {count} inputs; it takes at most {MAX_INPUTS}"
            )]))
        } else {
            let commit = CommitFiles {
                repository: birth.repository.clone(),
                commit: request.sha.clone(),
                before,
                handle: Handle::current(),
                elsewhere: Elsewhere::new(
                    &self.store,
                    hosting,
                    request.user.as_ref().map(|user| user.id),
                ),
            };
            let (path, context) = (settings.config_path().to_owned(), birth.context.clone());
            let inputs = request.inputs.clone();
            let planning = tokio::task::spawn_blocking(move || {
                let text = read(&commit, path, &context, inputs)?;
                plan(&commit, &text, &context, Host::Server)
            });
            let planned = planning
                .await
                .map_err(|error| Error::Panicked(error.to_string()))?;
            self.within_limits(Some(request.project.id), planned)
                .await?
        };
        let id = match started {
            Ok(Planned {
                plan,
                on_new_commit,
            }) => {
                let run = NewRun {
                    sha: birth.facts.sha.clone(),
                    origin: Some(birth.origin()),
                    on_new_commit,
                    upstream: by.link,
                    merge_request: birth.merge_request,
                    ..NewRun::default()
                };
                birth.name_ref();
                self.create_pipeline(&plan, &birth.context, &run).await?
            }
            Err(Unplanned::None(reason)) => return Ok(Started::None(reason)),
            Err(Unplanned::Wrong(errors)) => {
                let errors = Some(errors.join("\n"));
                birth.name_ref();
                self.store_without_jobs(&birth, Status::Failed, errors, by.link)
                    .await?
            }
            Err(Unplanned::Unreadable(error)) => return Err(error),
        };
        if settings.auto_cancel_pending_pipelines && by_push {
            let (name, sha) = (&birth.context.ref_name, birth.facts.sha.as_deref());
            self.cancel_redundant(&request.project, name, id, sha)
                .await?;
        }
        self.started(id).await
    }

    /// Why a request makes no pipeline, whatever its commit has.
    async fn refusal(
        &self,
        hosting: &Hosting,
        request: &PipelineRequest,
    ) -> Result<Option<NoPipeline>, Error> {
        let project = &request.project;
        let (Some(user), Source::Push | Source::Web | Source::Api | Source::Trigger) =
            (&request.user, request.source)
        else {
            return Ok(None);
        };
        // What a hook of another system sends is no choice of the token's owner.
        let chosen = |variable: &Variable| variable.key != "TRIGGER_PAYLOAD";
        if request.variables.iter().any(chosen) && !self.may_set_variables(project, user).await? {
            return Ok(Some(NoPipeline::VariablesForbidden));
        }
        let limit = hosting.limits.pipelines_per_minute;
        if limit == 0 {
            return Ok(None);
        }
        let since = now() - MINUTE;
        let made = (self.store)
            .count_pipelines_since(project.id, user.id, &request.sha, since)
            .await?;
        let allowed = ServerLimits::allows(limit, made);
        Ok((!allowed).then_some(NoPipeline::TooOften(limit)))
    }

    /// Whether the user, who may start pipelines of the project, may give them variables.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn may_set_variables(
        &self,
        project: &ProjectRow,
        user: &UserRow,
    ) -> Result<bool, Error> {
        let role = ProjectSettings::of(project).ci_pipeline_variables_minimum_override_role;
        if role == OverrideRole::Developer {
            return Ok(true);
        }
        let level = match user.admin {
            true => Some(OWNER),
            false => self.store.access_level(user.id, project.id).await?,
        };
        Ok(role.admits(level.unwrap_or_default()))
    }

    /// The plan, if the server's limits allow that many jobs.
    pub(crate) async fn within_limits(
        &self,
        project: Option<ProjectId>,
        planned: Result<Planned, Unplanned>,
    ) -> Result<Result<Planned, Unplanned>, Error> {
        let (Some(hosting), Some(project), Ok(found)) = (&self.hosting, project, &planned) else {
            return Ok(planned);
        };
        let limits = &hosting.limits;
        if let Some(fault) = limits.refuse(&found.plan) {
            return Ok(Err(Unplanned::Wrong(vec![fault])));
        }
        let limit = limits.active_jobs;
        if limit > 0 && self.store.count_active_jobs(project).await? as u64 >= limit {
            return Ok(Err(Unplanned::Wrong(vec![format!(
                "Project exceeded the allowed number of jobs in active pipelines. Retry later. \
                 (The limit `active-jobs` of the server is {limit}.)"
            )])));
        }
        Ok(planned)
    }

    /// Makes the pipeline of a branch one of its merge request. Returns the commit with which
    /// `rules:changes` compares.
    async fn detach(
        &self,
        birth: &mut Birth,
        row: &MergeRequestRow,
    ) -> Result<Option<String>, Error> {
        let repository = &birth.repository;
        let target = format!("{HEADS}{}", row.target_branch);
        let base = match repository.resolve(&target).await? {
            Some(target) => repository.merge_base(&target, &row.sha).await?,
            None => None,
        };
        let rows = self.store.protected_refs(birth.project.id).await?;
        let mut protected = protections(&rows, RefKind::Branch, &row.target_branch);
        let protected = protected.next().is_some();
        let squash = ProjectSettings::of(&birth.project)
            .squash_option
            .decides(None);
        let context = &mut birth.context;
        merge_request::of(context, row, protected, base.as_deref(), squash);
        birth.merge_request = Some(row.id);
        birth.merge_request_ref = Some(head_ref(row.iid));
        Ok(base)
    }

    async fn started(&self, id: PipelineId) -> Result<Started, Error> {
        let row = self.store.pipeline(id).await?;
        Ok(Started::Pipeline(Box::new(
            row.ok_or(Error::NoPipeline(id.0))?,
        )))
    }

    async fn birth(
        &self,
        hosting: &Hosting,
        request: &PipelineRequest,
        settings: &ProjectSettings,
    ) -> Result<Birth, Error> {
        let project = &request.project;
        let repository = self.repository(project).await?;
        let path = hosting.project_path(project);
        let facts = repository.facts(&request.sha, &request.reference, path);
        let mut facts = facts.await?.ok_or_else(|| Error::NoCommit {
            project: project.full_path.clone(),
            sha: request.sha.clone(),
        })?;
        if let Some(before) = &request.before_sha {
            facts.before_sha.clone_from(before);
        }
        let (context, protected) = self.context_at(hosting, request, settings, &facts).await?;
        Ok(Birth {
            context,
            facts,
            repository,
            protected,
            project: project.clone(),
            user: request.user.as_ref().map(|user| user.id),
            variables: request.variables.clone(),
            // What was pushed, which of an annotated tag is the tag itself.
            pushed: (request.source == Source::Push)
                .then(|| (request.reference.clone(), request.sha.clone())),
            merge_request: None,
            merge_request_ref: None,
        })
    }

    /// What the rules of a configuration see: predefined variables, those of the instance, the
    /// groups and the project, and the request's own. Also whether the ref is protected.
    pub(crate) async fn context_at(
        &self,
        hosting: &Hosting,
        request: &PipelineRequest,
        settings: &ProjectSettings,
        facts: &Facts,
    ) -> Result<(Context, bool), Error> {
        let project = &request.project;
        let (kind, name) = match request.reference.strip_prefix(TAGS) {
            Some(tag) => (RefKind::Tag, tag),
            None => {
                let name = request.reference.as_str();
                (RefKind::Branch, name.strip_prefix(HEADS).unwrap_or(name))
            }
        };
        let rows = self.store.protected_refs(project.id).await?;
        let protected = protections(&rows, kind, name).next().is_some();
        let user = request.user.as_ref();
        let occasion = Occasion {
            source: request.source,
            config_path: settings.config_path().to_owned(),
            user: user.map(|user| user.username.clone()).unwrap_or_default(),
            variables: Vec::new(),
        };
        let identity = Identity {
            server: hosting.address.clone(),
            project_id: project.id.0,
            namespace_id: project.namespace_id.0,
            title: project.name.clone(),
            description: project.description.clone(),
            visibility: project.visibility.as_str(),
            ref_protected: protected,
            user_id: user.map_or(0, |user| user.id.0),
            user_name: user.map(|user| user.name.clone()).unwrap_or_default(),
            user_email: user.map(|user| user.email.clone()).unwrap_or_default(),
        };
        let scope = VariableScope {
            protected,
            environment: None,
        };
        let mut outer = self.project_variables(project.id, scope).await?;
        outer.extend(request.variables.iter().cloned());
        let mut context = context_of(facts, &occasion, &identity, outer);
        context.predefined.extend(request.about.iter().cloned());
        if kind == RefKind::Branch {
            let open = self.open_merge_requests(project, Some(name), None).await?;
            if !open.is_empty() {
                // GitLab's: four at most.
                let names = open.iter().take(4);
                let names = names.map(|one| format!("{}!{}", project.full_path, one.iid));
                let names = names.collect::<Vec<_>>().join(",");
                let variable = Variable::new("CI_OPEN_MERGE_REQUESTS", names);
                context.predefined.push(variable);
            }
        }
        Ok((context, protected))
    }

    /// A pipeline that is only for what other systems say.
    pub(crate) async fn create_external(
        &self,
        request: &PipelineRequest,
        status: Status,
    ) -> Result<PipelineId, Error> {
        let hosting = self.hosting.as_ref().ok_or(Error::NoRepositories)?;
        let settings = ProjectSettings::of(&request.project);
        let birth = self.birth(hosting, request, &settings).await?;
        self.store_without_jobs(&birth, status, None, None).await
    }

    /// A pipeline that has no jobs, with the reason.
    async fn store_without_jobs(
        &self,
        birth: &Birth,
        status: Status,
        yaml_errors: Option<String>,
        upstream: Option<Link>,
    ) -> Result<PipelineId, Error> {
        let run = NewRun {
            sha: birth.facts.sha.clone(),
            origin: Some(birth.origin()),
            verdict: Some((status, yaml_errors)),
            upstream,
            merge_request: birth.merge_request,
            ..NewRun::default()
        };
        self.create_pipeline(&Plan::default(), &birth.context, &run)
            .await
    }
}

/// What a pipeline is born of.
struct Birth {
    context: Context,
    facts: Facts,
    repository: BareRepository,
    protected: bool,
    project: ProjectRow,
    user: Option<shipway_store::UserId>,
    variables: Vec<Variable>,
    pushed: Option<(String, String)>,
    /// The merge request, and what its pipelines call their ref.
    merge_request: Option<MergeRequestId>,
    merge_request_ref: Option<String>,
}

impl Birth {
    /// Of a merge request the rules see the source branch, and everybody else its own ref.
    fn name_ref(&mut self) {
        if let Some(name) = self.merge_request_ref.take() {
            self.context.ref_name = name;
        }
    }

    fn origin(&self) -> Origin {
        Origin {
            project: self.project.id,
            user: self.user,
            protected: self.protected,
            variables: self.variables.clone(),
            pushed: self.pushed.clone(),
            repository: self.repository.clone(),
        }
    }
}

/// A plan, and what it says of newer commits.
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    pub(crate) on_new_commit: Option<String>,
}

/// Why there is no plan.
pub(crate) enum Unplanned {
    None(NoPipeline),
    Wrong(Vec<String>),
    Unreadable(Error),
}

/// A configuration to be read.
pub(crate) struct Text {
    /// What faults call the file.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) load: LoadContext,
}

/// The configuration of a commit. Blocks.
fn read(
    files: &CommitFiles,
    path: String,
    context: &Context,
    inputs: InputValues,
) -> Result<Text, Unplanned> {
    use shipway_config::Source as _;
    let text = match files.local(&path) {
        Ok(text) => text,
        Err(SourceError::NotFound) => return Err(Unplanned::None(NoPipeline::NoConfiguration)),
        Err(error) => return Err(Unplanned::Wrong(vec![format!("{path}: {error}")])),
    };
    let load = LoadContext {
        variables: context.known_to_includes(),
        inputs,
    };
    Ok(Text { path, text, load })
}

/// From a configuration to the plan. Blocks.
pub(crate) fn plan(
    files: &dyn PipelineFiles,
    text: &Text,
    context: &Context,
    host: Host,
) -> Result<Planned, Unplanned> {
    let limits = Limits::default();
    let Text { path, text, load } = text;
    let loaded = shipway_config::load_for(path, text, files, &limits, load);
    let errors: Vec<String> = (loaded.errors())
        .map(|fault| match fault.span {
            Some(span) => {
                let file = loaded.files.path(span.file);
                format!("{file}:{}:{}: {}", span.line, span.column, fault.message)
            }
            None => fault.message.clone(),
        })
        .collect();
    let Some(config) = loaded.config else {
        return Err(Unplanned::Wrong(errors));
    };
    let mut plan = shipway_pipeline::create(&config, context, files).map_err(refusal)?;
    let unsupported = plan.unsupported(host, context);
    if !unsupported.is_empty() {
        let told = unsupported.iter().map(ToString::to_string);
        return Err(Unplanned::Wrong(told.collect()));
    }
    let open = |name: &str| files.open(name, limits.yaml_bytes as u64);
    resolve_with(&mut plan, &open, &|name| files.last_change(name))
        .map_err(|error| Unplanned::Unreadable(Error::file(path)(error)))?;
    let on_new_commit = plan.on_new_commit.clone();
    Ok(Planned {
        plan,
        on_new_commit,
    })
}

fn refusal(faults: Vec<PlanError>) -> Unplanned {
    match faults.first() {
        Some(PlanError::FilteredByWorkflow) => Unplanned::None(NoPipeline::FilteredByWorkflow),
        Some(PlanError::Empty { .. }) => Unplanned::None(NoPipeline::Empty),
        _ => Unplanned::Wrong(faults.iter().map(ToString::to_string).collect()),
    }
}

/// What a push moved a branch from. New branches, tags, and pipelines without a push have
/// nothing to compare with (language inventory, 2.4).
fn before(request: &PipelineRequest) -> Option<String> {
    let is_push = request.source == Source::Push && !request.reference.starts_with(TAGS);
    let before = request.before_sha.as_ref().filter(|_| is_push)?;
    let is_new = before.bytes().all(|byte| byte == b'0');
    (!is_new).then(|| before.clone())
}
