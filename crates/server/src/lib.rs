//! HTTP faces of the coordinator. Under construction: what stands here is complete in itself
//! and not served yet.

pub mod badge;
pub mod log_html;
pub mod permission;
