//! `shipway lsp`: the language server for editors.

use std::path::Path;

use shipway_config::{Limits, Source};
use shipway_lsp::Settings;

use crate::args::{IncludeArgs, LspArgs, ProjectArgs};
use crate::config_files::ProjectFiles;
use crate::error::Fault;
use crate::includes::Includes;
use crate::project::{Project, STATE_DIR};

/// Runs the command; 1 where the editor went away without saying goodbye.
pub(crate) fn lsp(args: LspArgs) -> Result<u8, Fault> {
    let includes = args.includes;
    let settings = Settings {
        file: args.file,
        files: Box::new(move |root| files(root, &includes)),
    };
    let ended = shipway_lsp::serve(settings).map_err(Fault::other)?;
    Ok(if ended { 0 } else { 1 })
}

/// The files of the project at a root, and those that it may include. Asked for anew each
/// time, because git's configuration may have changed and the time for includes begins.
fn files(root: &Path, args: &IncludeArgs) -> Result<Box<dyn Source>, String> {
    let project = Project::find(&ProjectArgs {
        directory: root.to_owned(),
        file: None,
        state_dir: None,
    });
    let includes = match project {
        Ok(project) => Includes::of(&project, args),
        Err(_) => Includes::new(args, None, &root.join(STATE_DIR)),
    };
    let includes = includes.map_err(|fault| fault.message)?;
    let files = ProjectFiles::new(root, &Limits::default()).with_includes(includes);
    Ok(Box::new(files))
}
