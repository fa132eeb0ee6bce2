//! The cases that both engines must pass, on SQLite.

#[path = "cases/changes.rs"]
mod changes;
#[path = "cases/pruning.rs"]
mod pruning;
#[path = "cases/published.rs"]
mod published;
#[path = "cases/queue.rs"]
mod queue;
#[path = "cases/rows.rs"]
mod rows;
#[path = "cases/rows_in_memory.rs"]
mod rows_in_memory;
#[path = "cases/secrets.rs"]
mod secrets;
#[path = "cases/server_rows.rs"]
mod server_rows;
mod support;
#[path = "cases/variables.rs"]
mod variables;
