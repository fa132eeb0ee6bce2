//! Real `git` clients against the hosting functions behind a small HTTP server.

mod broken;
mod fetch;
mod push;
mod refuse;
mod repositories;
mod site;
