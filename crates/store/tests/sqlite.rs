//! The cases that both engines must pass, on SQLite.

#[path = "cases/changes.rs"]
mod changes;
#[path = "cases/pruning.rs"]
mod pruning;
#[path = "cases/queue.rs"]
mod queue;
#[path = "cases/rows.rs"]
mod rows;
#[path = "cases/secrets.rs"]
mod secrets;
#[path = "cases/server_rows.rs"]
mod server_rows;
mod support;
