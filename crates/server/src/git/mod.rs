//! Git over smart HTTP: clone, fetch and push at the address of a project.
//!
//! [`answer`] joins HTTP, permissions and `shipway_git::hosting`, which does the pack work. A
//! push by somebody who may makes the project; [`protection`] says which refs may move, before
//! they do; [`pushed`] is what follows.

mod answer;
mod create_project;
mod new_tag;
mod protection;
mod pushed;
mod rules;

pub(crate) use answer::{answer, endpoint};
pub(crate) use new_tag::{NewTag, TagError};
