//! The language as tables: YAML in, messages with their places or typed jobs out.

mod artifacts;
mod basics;
mod environment;
mod extends;
mod flow;
mod hostile;
mod image;
mod include;
mod inherit;
mod needs;
mod origin;
mod references;
mod render;
mod rules;
mod support;
mod unsupported;
mod variables;
mod workflow;
