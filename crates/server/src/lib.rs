//! The HTTP faces of the coordinator.
//!
//! [`App`] is what a server has, [`router`] what it answers and [`serve`] its life. Each face
//! is a module with its routes: [`operations`] for whoever keeps it running, `runner_api` for
//! runners, `rest` for programs, `git` for repositories, `pages` for people. None of them
//! knows SQL or decides about pipelines. Who asks is [`identity`]; whether they may is
//! [`permission`], asked through [`App::require`]; what is refused is an [`ApiError`].

mod access;
mod app;
mod archive;
pub mod badge;
mod clock;
mod embedded_runner;
mod erase;
mod error;
mod first_start;
mod git;
pub mod identity;
mod latest_job;
mod limiter;
mod limits;
pub mod log_html;
pub mod oidc;
pub mod operations;
mod pages;
pub mod permission;
mod project_address;
mod projects;
mod proxies;
mod reconcile;
mod related;
mod rest;
mod router;
mod runner_api;
mod serve;
mod settings;
pub mod users;

pub use access::ProjectRef;
pub use app::{App, OpenError};
pub use embedded_runner::{EmbeddedRunnerError, EmbeddedRunnerWishes, embedded_runner};
pub use error::ApiError;
pub use first_start::{Credentials, RootWishes, first_start};
pub use proxies::{NetworkError, TrustedProxies};
pub use router::router;
pub use serve::{DRAIN, serve};
pub use settings::{EmbeddedRunner, ExternalUrl, ExternalUrlError, Settings};
