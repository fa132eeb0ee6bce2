//! The language as tables: YAML in, messages with their places or typed jobs out.

mod artifacts;
mod basics;
mod delivery;
mod environment;
mod extends;
mod flow;
mod hostile;
mod image;
mod include;
mod inherit;
mod inputs;
mod matrix;
mod needs;
mod origin;
mod paths;
mod references;
mod render;
mod rules;
mod support;
mod trigger;
mod unsupported;
mod variables;
mod workflow;
