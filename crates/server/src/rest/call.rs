//! A request that its rule let pass, as handlers get it.

use std::ops::Deref;

use axum::extract::{FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Json, http::StatusCode};
use serde::Serialize;
use shipway_store::{NamespaceRow, ProjectRow, Store, UserId, UserRow};

use super::params::Params;
use crate::app::App;
use crate::error::ApiError;
use crate::identity::{Identity, Who};

/// What a handler answers.
pub(super) type Answer = Result<Response, ApiError>;

/// A request.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) app: App,
    pub(super) identity: Identity,
    /// What stands in the address, decoded.
    pub(super) path: PathParams,
    /// What is in the query and the body.
    pub(super) params: Params,
    pub(super) headers: HeaderMap,
    pub(super) uri: Uri,
}

/// A request about a project.
#[derive(Debug)]
pub(super) struct ProjectCall {
    pub(super) call: Call,
    pub(super) project: ProjectRow,
}

/// A request about a group.
#[derive(Debug)]
pub(super) struct GroupCall {
    pub(super) call: Call,
    pub(super) group: NamespaceRow,
}

impl Deref for ProjectCall {
    type Target = Call;

    fn deref(&self) -> &Call {
        &self.call
    }
}

impl Deref for GroupCall {
    type Target = Call;

    fn deref(&self) -> &Call {
        &self.call
    }
}

impl Call {
    pub(super) async fn read(
        app: App,
        identity: Identity,
        path: PathParams,
        request: Request,
    ) -> Result<Self, ApiError> {
        let (headers, uri) = (request.headers().clone(), request.uri().clone());
        let params = Params::read(request).await?;
        Ok(Self {
            app,
            identity,
            path,
            params,
            headers,
            uri,
        })
    }

    pub(super) fn store(&self) -> &Store {
        self.app.store()
    }

    /// The user, or the user on whose behalf the job runs.
    pub(super) fn acting_user(&self) -> Option<&UserRow> {
        match self.identity.who() {
            Who::User(user) => Some(user),
            Who::Job(job) => job.user.as_ref(),
            Who::Anonymous => None,
        }
    }

    /// Who asks, where it is somebody.
    pub(super) fn user_id(&self) -> Option<UserId> {
        self.acting_user().map(|user| user.id)
    }

    /// The server's address with this path behind it.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.app.settings().external_url)
    }
}

impl ProjectCall {
    /// The address of something of the project: `-/pipelines/7`.
    pub(super) fn project_url(&self, path: &str) -> String {
        self.url(&format!("{}/{path}", self.project.full_path))
    }
}

/// What stands in the address, decoded.
#[derive(Debug)]
pub(super) struct PathParams(Vec<(String, String)>);

impl PathParams {
    pub(super) async fn read(parts: &mut Parts) -> Result<Self, ApiError> {
        let raw = RawPathParams::from_request_parts(parts, &()).await;
        let raw = raw.map_err(|_| ApiError::parameter("path is invalid"))?;
        let params: Vec<(String, String)> = (raw.iter())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        match params.iter().find(|(_, value)| value.contains('\0')) {
            Some((name, _)) => Err(ApiError::parameter(format!("{name} is invalid"))),
            None => Ok(Self(params)),
        }
    }

    /// The text of this name; empty when the route has none.
    pub(super) fn text(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    /// The number of this name.
    pub(super) fn number(&self, name: &str) -> Result<i64, ApiError> {
        let text = self.text(name);
        let parsed = text.parse::<i64>().ok().filter(|number| *number >= 0);
        parsed.ok_or_else(|| ApiError::parameter(format!("{name} is invalid")))
    }
}

/// 200 with an entity.
pub(super) fn ok(entity: impl Serialize) -> Answer {
    Ok(Json(entity).into_response())
}

/// 201 with an entity.
pub(super) fn created(entity: impl Serialize) -> Answer {
    Ok((StatusCode::CREATED, Json(entity)).into_response())
}

/// 202: it is done, or will be.
pub(super) fn accepted() -> Answer {
    let body = serde_json::json!({ "message": "202 Accepted" });
    Ok((StatusCode::ACCEPTED, Json(body)).into_response())
}

/// 204: there is nothing more to say.
pub(super) fn no_content() -> Answer {
    Ok(StatusCode::NO_CONTENT.into_response())
}
