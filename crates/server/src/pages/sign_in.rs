//! Signing in and out.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Form, Query, State};
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Router, http::HeaderValue};
use serde::Deserialize;

use super::errors::escape;
use crate::app::App;
use crate::error::ApiError;
use crate::identity::{Identity, end_session, ended_cookie, sign_in::sign_in};

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
) -> Response {
    match identity.user() {
        Some(_) => Redirect::to(&target(&app, &whence.return_to)).into_response(),
        None => page(&whence.return_to, "").into_response(),
    }
}

async fn submit(
    State(app): State<App>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    Form(given): Form<SignIn>,
) -> Result<Response, ApiError> {
    match sign_in(&app, &given.login, &given.password, client.ip()).await {
        Ok(cookie) => Ok(see_other(&target(&app, &given.return_to), cookie)),
        Err(error) if error.status() == StatusCode::UNAUTHORIZED => {
            let page = page(&given.return_to, "Invalid login or password.");
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
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

fn page(return_to: &str, fault: &str) -> Html<String> {
    let fault = match fault {
        "" => String::new(),
        fault => format!("<p role=\"alert\">{}</p>", escape(fault)),
    };
    Html(format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Sign in</title>\
         <h1>Sign in</h1>{fault}<form method=\"post\">\
         <label>Username or e-mail <input name=\"user[login]\" autocomplete=\"username\" \
         required autofocus></label> \
         <label>Password <input name=\"user[password]\" type=\"password\" \
         autocomplete=\"current-password\" required></label> \
         <input type=\"hidden\" name=\"return_to\" value=\"{}\">\
         <button>Sign in</button></form></html>\n",
        escape(return_to)
    ))
}
