//! The words of the language and what each means: one table for hover, completion and
//! whoever else explains a keyword. What is accepted is decided by the readers of keywords; a
//! test holds the two against each other.

mod keywords;
#[cfg(test)]
mod tests;
mod variables;

pub use variables::{Known, PREDEFINED, PredefinedVariable};

/// The keys that one kind of map may have.
#[derive(Debug)]
pub struct Block(pub &'static [Keyword]);

/// A key with a fixed meaning.
#[derive(Debug)]
pub struct Keyword {
    /// As it is written.
    pub name: &'static str,
    /// What it is for, in a sentence or two of Markdown.
    pub meaning: &'static str,
    /// The forms its value may have. Lists are seen through: an item of a list has the forms
    /// of the list.
    pub takes: &'static [Takes],
}

/// A form of a value.
#[derive(Debug, Clone, Copy)]
pub enum Takes {
    /// Any text, number or list of them.
    Text,
    /// `true` or `false`.
    Flag,
    /// One of these words, or a list of them.
    Words(&'static [&'static str]),
    /// A map with these keys.
    Map(&'static Block),
    /// A list of maps with these keys.
    Maps(&'static Block),
    /// A map whose keys are names of the user's, and whose values are maps with these keys.
    Named(&'static Block),
    /// A map from names of the user's to texts.
    Texts,
    /// Commands for a shell.
    Script,
    /// An expression of `rules:if`.
    Condition,
    /// The name of a stage.
    Stage,
    /// The names of all stages.
    Stages,
    /// Names of visible jobs.
    Jobs,
    /// Names of jobs and hidden entries.
    Entries,
    /// The path of a file of the project.
    File,
    /// Variables: their names are the keys.
    Variables,
}

impl Block {
    /// The keyword of a name.
    pub fn get(&self, name: &str) -> Option<&'static Keyword> {
        self.0.iter().find(|keyword| keyword.name == name)
    }
}

/// The keywords of the top level. Every other key there is a job.
pub fn globals() -> &'static Block {
    &keywords::GLOBAL
}

/// The keywords of a job.
pub fn of_job() -> &'static Block {
    &keywords::JOB
}

/// The keyword at a path of keys from the top, without the indices of lists:
/// `["test", "rules", "if"]`. `None` where the key is a name of the user's.
pub fn keyword(path: &[&str]) -> Option<&'static Keyword> {
    let (last, above) = path.split_last()?;
    blocks(above).find_map(|block| block.get(last))
}

/// What the value at a path may be; for the empty path, the whole file.
pub fn takes(path: &[&str]) -> Vec<Takes> {
    let Some((first, rest)) = path.split_first() else {
        return vec![Takes::Map(globals()), Takes::Named(of_job())];
    };
    let mut forms = match globals().get(first) {
        Some(keyword) => keyword.takes.to_vec(),
        None => vec![Takes::Map(of_job())],
    };
    for key in rest {
        forms = forms.iter().flat_map(|form| below(*form, key)).collect();
    }
    forms
}

/// The kinds of maps that may be at a path.
pub fn blocks(path: &[&str]) -> impl Iterator<Item = &'static Block> {
    takes(path).into_iter().filter_map(|form| match form {
        Takes::Map(block) | Takes::Maps(block) => Some(block),
        _ => None,
    })
}

fn below(form: Takes, key: &str) -> Vec<Takes> {
    match form {
        Takes::Map(block) | Takes::Maps(block) => block
            .get(key)
            .map(|keyword| keyword.takes.to_vec())
            .unwrap_or_default(),
        Takes::Named(block) => vec![Takes::Map(block)],
        Takes::Variables => vec![Takes::Text, Takes::Map(&keywords::VARIABLE)],
        Takes::Texts => vec![Takes::Text],
        _ => Vec::new(),
    }
}
