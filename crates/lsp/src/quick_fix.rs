//! Repairs that a fault itself suggests: "did you mean `script`?".

use lsp_types::{
    CodeAction, CodeActionKind, CodeActionOrCommand, Diagnostic, TextEdit, Uri, WorkspaceEdit,
};
use std::collections::HashMap;

/// The repairs of faults, for the file they are in.
pub(crate) fn fixes(uri: &Uri, diagnostics: Vec<Diagnostic>) -> Vec<CodeActionOrCommand> {
    diagnostics
        .into_iter()
        .filter_map(|diagnostic| {
            let hint = diagnostic.data.as_ref()?.get("hint")?.as_str()?;
            let meant = meant(hint)?.to_owned();
            let edit = TextEdit::new(diagnostic.range, meant.clone());
            // An address has no parts that change, whatever its type says.
            #[expect(clippy::mutable_key_type, reason = "the type is the protocol's")]
            let changes = HashMap::from([(uri.clone(), vec![edit])]);
            Some(CodeActionOrCommand::CodeAction(CodeAction {
                title: format!("Change to `{meant}`"),
                kind: Some(CodeActionKind::QUICKFIX),
                diagnostics: Some(vec![diagnostic]),
                is_preferred: Some(true),
                edit: Some(WorkspaceEdit {
                    changes: Some(changes),
                    ..Default::default()
                }),
                ..Default::default()
            }))
        })
        .collect()
}

fn meant(hint: &str) -> Option<&str> {
    hint.strip_prefix("did you mean `")?.strip_suffix("`?")
}

#[cfg(test)]
mod tests {
    use super::meant;

    #[test]
    fn a_hint_that_names_a_word_is_a_repair() {
        assert_eq!(meant("did you mean `script`?"), Some("script"));
        assert_eq!(meant("write a list"), None);
    }
}
