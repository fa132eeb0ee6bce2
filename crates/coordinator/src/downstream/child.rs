//! A child pipeline: another configuration of the same project at the same commit.

use serde_json::{Value, json};
use shipway_config::variables::{Collection, FileReferences, Undefined, Variable};
use shipway_config::{Forward, InputValues, LoadContext};
use shipway_pipeline::{Context, Host, PipelineId, RefKind, Source};
use shipway_store::ProjectId;

use super::{Bridge, CREATION_FAILED, Refused};
use crate::commit_files::CommitFiles;
use crate::coordinator::{Coordinator, NewRun, Origin};
use crate::elsewhere::Elsewhere;
use crate::error::Error;
use crate::project_variables::VariableScope;
use crate::start::{PipelineFiles, Text, Unplanned, plan};

impl Coordinator {
    pub(super) async fn start_child(
        &self,
        bridge: &Bridge,
        include: &[Value],
        forward: Forward,
    ) -> Result<Result<PipelineId, Refused>, Error> {
        let (text, inputs) = match self.configuration(bridge, include).await? {
            Ok(found) => found,
            Err(refused) => return Ok(Err(refused)),
        };
        let variables = self.forwarded(bridge, forward).await?;
        let row = &bridge.row;
        let (files, origin, mut outer): (Box<dyn PipelineFiles>, _, _) = match row.project_id {
            Some(project) => {
                let (files, origin) = self.of_commit(bridge, project, &variables).await?;
                let scope = VariableScope {
                    protected: row.protected,
                    environment: None,
                };
                let outer = self.project_variables(project, scope).await?;
                (Box::new(files), Some(origin), outer)
            }
            None => {
                let make = self.files.clone().ok_or(Error::NoRepositories)?;
                (make(), None, Vec::new())
            }
        };
        outer.extend(variables);
        let context = child_context(bridge, outer);
        let load = LoadContext {
            // A file that a job made names its includes without variables, as on GitLab.
            variables: match include.iter().any(is_artifact) {
                true => Collection::default(),
                false => context.known_to_includes(),
            },
            inputs,
        };
        let text = Text {
            path: format!("the child pipeline of {}", bridge.spec.name),
            text,
            load,
        };
        let planning = {
            let context = context.clone();
            let host = match row.project_id {
                Some(_) => Host::Server,
                None => Host::Local,
            };
            tokio::task::spawn_blocking(move || plan(&*files, &text, &context, host))
        };
        let planned = planning
            .await
            .map_err(|error| Error::Panicked(error.to_string()))?;
        let planned = self.within_limits(row.project_id, planned).await?;
        let planned = match planned {
            Ok(planned) => planned,
            Err(Unplanned::None(reason)) => {
                return Ok(Err(Refused::new(CREATION_FAILED, reason.to_string())));
            }
            Err(Unplanned::Wrong(errors)) => {
                return Ok(Err(Refused::new(CREATION_FAILED, errors.join("\n"))));
            }
            Err(Unplanned::Unreadable(error)) => return Err(error),
        };
        let run = NewRun {
            sha: row.sha.clone(),
            keep_going: bridge.shared.keep_going,
            origin,
            on_new_commit: planned.on_new_commit,
            upstream: Some(bridge.link),
            ..NewRun::default()
        };
        let made = self.create_pipeline(&planned.plan, &context, &run).await?;
        Ok(Ok(made))
    }

    /// The text of the configuration, and values for its inputs: a file that a job made, or
    /// one that includes what `trigger:include` lists.
    async fn configuration(
        &self,
        bridge: &Bridge,
        include: &[Value],
    ) -> Result<Result<(String, InputValues), Refused>, Error> {
        if !include.iter().any(is_artifact) {
            let text = json!({ "include": include }).to_string();
            return Ok(Ok((text, InputValues::default())));
        }
        let [entry] = include else {
            let text = "`trigger:include` takes a file that a job made alone: \
                let the job put the other files into it, or let it include them.";
            return Ok(Err(Refused::new(CREATION_FAILED, text)));
        };
        let text = |key: &str| {
            let text = entry.get(key).and_then(Value::as_str).unwrap_or_default();
            let known = &bridge.known;
            known.expand(text, Undefined::Empty, FileReferences::Keep)
        };
        let inputs = match entry.get("inputs") {
            Some(inputs) => serde_json::from_value(inputs.clone()).unwrap_or_default(),
            None => InputValues::default(),
        };
        let (job, path) = (text("job"), text("artifact"));
        let found = self.file_of_archive(bridge, &job, &path).await?;
        Ok(found.map(|text| (text, inputs)))
    }

    /// The files of the pipeline's commit, and whose the new pipeline is.
    async fn of_commit(
        &self,
        bridge: &Bridge,
        project: ProjectId,
        variables: &[Variable],
    ) -> Result<(CommitFiles, Origin), Error> {
        let row = &bridge.row;
        let project = self.store.project(project).await?;
        let project = project.ok_or(Error::NoPipeline(row.id.0))?;
        let hosting = self.hosting.as_ref().ok_or(Error::NoRepositories)?;
        let repository = hosting.repository(&project).await?;
        // A merge request is compared with its target, in its children too.
        let keys = ["CI_MERGE_REQUEST_DIFF_BASE_SHA", "CI_COMMIT_BEFORE_SHA"];
        let values = keys.map(|key| bridge.shared.predefined(key));
        let known = |value: &&str| value.bytes().any(|byte| byte != b'0');
        let before = values.into_iter().find(known).map(str::to_owned);
        let files = CommitFiles {
            repository: repository.clone(),
            commit: row.sha.clone().unwrap_or_default(),
            before,
            handle: tokio::runtime::Handle::current(),
            elsewhere: Elsewhere::new(&self.store, hosting, row.user_id),
        };
        let origin = Origin {
            project: project.id,
            user: row.user_id,
            protected: row.protected,
            variables: variables.to_vec(),
            pushed: None,
            repository,
        };
        Ok((files, origin))
    }
}

/// Whether an entry of `trigger:include` is a file that a job made.
fn is_artifact(entry: &Value) -> bool {
    entry.get("artifact").is_some()
}

/// The parent's context, as a child sees it.
fn child_context(bridge: &Bridge, outer: Vec<Variable>) -> Context {
    let source = Source::ParentPipeline;
    let mut predefined = Collection::default();
    predefined.extend(bridge.shared.predefined.iter().cloned());
    predefined.push(Variable::new("CI_PIPELINE_SOURCE", source.as_str()));
    predefined.extend(bridge.link.variables());
    let mut above = Collection::default();
    above.extend(outer);
    let row = &bridge.row;
    let kinds = [RefKind::Branch, RefKind::Tag, RefKind::MergeRequest];
    let kind = kinds.into_iter().find(|kind| kind.as_str() == row.ref_kind);
    Context {
        ref_name: row.ref_name.clone(),
        ref_kind: kind.unwrap_or_default(),
        source,
        project_path: row.project.clone(),
        predefined,
        outer: above,
    }
}
