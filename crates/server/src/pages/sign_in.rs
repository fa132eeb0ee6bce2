//! Signing in and out.

use std::net::SocketAddr;

use askama::Template;
use axum::extract::{ConnectInfo, Form, Query, State};
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Router, http::HeaderValue};
use serde::Deserialize;

use super::refused;
use super::shell::Shell;
use super::visit::frame;
use crate::app::App;
use crate::error::ApiError;
use crate::identity::{Identity, end_session, ended_cookie, sign_in::sign_in};
use crate::proxies::OverHttps;

/// The page, at GitLab's address.
pub(super) const PATH: &str = "/users/sign_in";

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route(PATH, get(form).post(submit))
        .route("/users/sign_out", post(sign_out))
}

#[derive(Debug, Default, Deserialize)]
struct Whence {
    #[serde(default)]
    return_to: String,
}

#[derive(Debug, Deserialize)]
struct SignIn {
    #[serde(rename = "user[login]")]
    login: String,
    #[serde(rename = "user[password]")]
    password: String,
    #[serde(default)]
    return_to: String,
}

async fn form(
    State(app): State<App>,
    identity: Identity,
    Query(whence): Query<Whence>,
) -> Result<Response, ApiError> {
    match identity.user() {
        Some(_) => Ok(Redirect::to(&target(&app, &whence.return_to)).into_response()),
        None => super::page(&page(&app, "", &whence.return_to, None)),
    }
}

async fn submit(
    State(app): State<App>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    https: Option<Extension<OverHttps>>,
    Form(given): Form<SignIn>,
) -> Result<Response, ApiError> {
    let (login, password) = (&given.login, &given.password);
    match sign_in(&app, login, password, client.ip(), https.is_some()).await {
        Ok(cookie) => Ok(see_other(&target(&app, &given.return_to), cookie)),
        Err(error) if error.status() == StatusCode::UNAUTHORIZED => {
            let fault = "Invalid login or password.";
            refused(&page(&app, &given.login, &given.return_to, Some(fault)))
        }
        Err(error) => Err(error),
    }
}

async fn sign_out(State(app): State<App>, identity: Identity) -> Result<Response, ApiError> {
    end_session(&app, &identity).await?;
    let base = app.settings().external_url.path();
    Ok(see_other(&format!("{base}{PATH}"), ended_cookie(&app)))
}

fn see_other(target: &str, cookie: HeaderValue) -> Response {
    ([(SET_COOKIE, cookie)], Redirect::to(target)).into_response()
}

/// Where to go next: back, but never to another site.
fn target(app: &App, return_to: &str) -> String {
    let base = app.settings().external_url.path();
    let local = return_to.starts_with('/')
        && !return_to.starts_with("//")
        && !return_to.contains(['\\', '\r', '\n', '\t']);
    match local {
        true => format!("{base}{return_to}"),
        false => format!("{base}/"),
    }
}

#[derive(Debug, Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    shell: Shell,
    login: String,
    return_to: String,
}

fn page(app: &App, login: &str, return_to: &str, fault: Option<&str>) -> SignInPage {
    let mut shell = frame(app, &Identity::anonymous(), "Sign in");
    shell.fault = fault.map(str::to_owned);
    SignInPage {
        shell,
        login: login.to_owned(),
        return_to: return_to.to_owned(),
    }
}
