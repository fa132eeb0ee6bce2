//! The smallest change that would turn around whether a job is in a pipeline.
//!
//! Nothing is reasoned about rules here: changes are made up from what the conditions speak
//! of, and each is put before the function that decides for real pipelines too.

use serde::Serialize;
use shipway_config::expression::{Expression, Operator, Tree};
use shipway_config::variables::{Collection, Variable};
use shipway_config::{Config, Job, Source as Files, SourceError, pattern};

use crate::create::{Context, RefKind, Source, Verdict, verdict};

/// Decisions that are tried for one answer.
const MOST_TRIES: usize = 600;
/// Changes that are made up.
const MOST_CHANGES: usize = 60;
/// Changes of one answer.
const MOST_TOGETHER: usize = 3;
/// Answers of one size.
const MOST_ANSWERS: usize = 3;

/// Changes that together turn the outcome around.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Flip {
    /// All of them are needed.
    pub changes: Vec<Difference>,
}

/// One thing that could be otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Difference {
    /// The pipeline is for this branch.
    Branch {
        /// Its name.
        name: String,
    },
    /// The pipeline is for this tag.
    Tag {
        /// Its name.
        name: String,
    },
    /// Something else makes the pipeline.
    Source {
        /// `CI_PIPELINE_SOURCE`.
        name: &'static str,
    },
    /// A variable has this value.
    Variable {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
    /// A file is changed.
    Changed {
        /// Its path.
        path: String,
    },
    /// No file is changed.
    NothingChanged,
    /// A file is there.
    Exists {
        /// Its path.
        path: String,
    },
}

impl Difference {
    /// What two changes of one answer must not share.
    fn subject(&self) -> &str {
        match self {
            Self::Branch { .. } | Self::Tag { .. } => "ref",
            Self::Source { .. } => "source",
            Self::Variable { name, .. } => name,
            Self::Changed { .. } | Self::NothingChanged => "changes",
            Self::Exists { .. } => "files",
        }
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Branch { name } => write!(formatter, "the branch were {name}"),
            Self::Tag { name } => write!(formatter, "it were for a tag such as {name}"),
            Self::Source { name } => write!(formatter, "CI_PIPELINE_SOURCE were \"{name}\""),
            Self::Variable { name, value } => write!(formatter, "{name} were {value:?}"),
            Self::Changed { path } => write!(formatter, "a file such as {path} had changed"),
            Self::NothingChanged => formatter.write_str("no file had changed"),
            Self::Exists { path } => write!(formatter, "there were a file {path}"),
        }
    }
}

/// The smallest flips, at most a few; `included` is the outcome as it is.
pub(crate) fn smallest(
    config: &Config,
    context: &Context,
    files: &dyn Files,
    job: &Job,
    included: bool,
) -> Vec<Flip> {
    let changes = candidates(config, context, job);
    let mut tries = 0;
    for size in 1..=MOST_TOGETHER.min(changes.len()) {
        let mut answers = Vec::new();
        let mut chosen: Vec<usize> = (0..size).collect();
        loop {
            if is_sensible(&chosen, &changes) {
                tries += 1;
                if tries > MOST_TRIES {
                    return answers;
                }
                let picked: Vec<&Difference> = chosen.iter().map(|&one| &changes[one]).collect();
                if is_in(config, context, files, job, &picked) == Some(!included) {
                    answers.push(Flip {
                        changes: picked.into_iter().cloned().collect(),
                    });
                    if answers.len() == MOST_ANSWERS {
                        return answers;
                    }
                }
            }
            if !next(&mut chosen, changes.len()) {
                break;
            }
        }
        if !answers.is_empty() {
            return answers;
        }
    }
    Vec::new()
}

fn is_sensible(chosen: &[usize], changes: &[Difference]) -> bool {
    chosen.iter().enumerate().all(|(index, &one)| {
        let others = &chosen[index + 1..];
        others
            .iter()
            .all(|&other| changes[one].subject() != changes[other].subject())
    })
}

/// The next combination in order; false behind the last.
fn next(chosen: &mut [usize], count: usize) -> bool {
    let size = chosen.len();
    for place in (0..size).rev() {
        if chosen[place] < count - size + place {
            chosen[place] += 1;
            for later in place + 1..size {
                chosen[later] = chosen[later - 1] + 1;
            }
            return true;
        }
    }
    false
}

fn is_in(
    config: &Config,
    context: &Context,
    files: &dyn Files,
    job: &Job,
    changes: &[&Difference],
) -> Option<bool> {
    let mut context = context.clone();
    let mut overlay = Overlay {
        files,
        changed: None,
        extra: Vec::new(),
    };
    for change in changes {
        change.make(&mut context, &mut overlay);
    }
    let found = verdict(config, &context, &overlay, job).ok()?;
    Some(matches!(found, Verdict::In(..)))
}

impl Difference {
    fn make(&self, context: &mut Context, overlay: &mut Overlay<'_>) {
        match self {
            Self::Branch { name } => {
                context.ref_name.clone_from(name);
                context.ref_kind = RefKind::Branch;
                set(&mut context.predefined, "CI_COMMIT_BRANCH", Some(name));
                set(&mut context.predefined, "CI_COMMIT_REF_NAME", Some(name));
                set(&mut context.predefined, "CI_COMMIT_TAG", None);
            }
            Self::Tag { name } => {
                context.ref_name.clone_from(name);
                context.ref_kind = RefKind::Tag;
                set(&mut context.predefined, "CI_COMMIT_TAG", Some(name));
                set(&mut context.predefined, "CI_COMMIT_REF_NAME", Some(name));
                set(&mut context.predefined, "CI_COMMIT_BRANCH", None);
            }
            Self::Source { name } => {
                if let Ok(source) = name.parse() {
                    context.source = source;
                }
                set(&mut context.predefined, "CI_PIPELINE_SOURCE", Some(name));
                if context.source == Source::MergeRequestEvent {
                    context.ref_kind = RefKind::MergeRequest;
                    set(&mut context.predefined, "CI_COMMIT_BRANCH", None);
                    for id in ["CI_MERGE_REQUEST_ID", "CI_MERGE_REQUEST_IID"] {
                        set(&mut context.predefined, id, Some("1"));
                    }
                }
            }
            Self::Variable { name, value } => {
                context.outer.push(Variable::new(name, value));
            }
            Self::Changed { path } => overlay.changed = Some(vec![path.clone()]),
            Self::NothingChanged => overlay.changed = Some(Vec::new()),
            Self::Exists { path } => overlay.extra.push(path.clone()),
        }
    }
}

/// Sets a predefined variable, or takes it away.
fn set(variables: &mut Collection, name: &str, value: Option<&str>) {
    let mut kept: Collection = variables
        .iter()
        .filter(|variable| variable.key != name)
        .cloned()
        .collect();
    if let Some(value) = value {
        kept.push(Variable::new(name, value));
    }
    *variables = kept;
}

/// The project's files with some differences.
struct Overlay<'f> {
    files: &'f dyn Files,
    changed: Option<Vec<String>>,
    extra: Vec<String>,
}

impl Files for Overlay<'_> {
    fn local(&self, path: &str) -> Result<String, SourceError> {
        self.files.local(path)
    }

    fn list(&self) -> Vec<String> {
        let mut all = self.files.list();
        all.extend(self.extra.iter().cloned());
        all
    }

    fn changes(&self, compare_to: Option<&str>) -> Result<Option<Vec<String>>, SourceError> {
        match &self.changed {
            Some(paths) => Ok(Some(paths.clone())),
            None => self.files.changes(compare_to),
        }
    }

    fn list_of(
        &self,
        project: &str,
        git_ref: Option<&str>,
    ) -> Result<Vec<String>, shipway_config::conditions::OtherProjectError> {
        self.files.list_of(project, git_ref)
    }
}

/// What could be otherwise, the most telling first.
fn candidates(config: &Config, context: &Context, job: &Job) -> Vec<Difference> {
    let mut found = Candidates {
        context,
        config,
        job,
        changes: Vec::new(),
    };
    for rule in job.rules.iter().flatten() {
        found.condition(rule.condition.as_deref());
        if let Some(changes) = &rule.changes {
            found.changed(&changes.paths, changes.regexp.as_deref());
        }
        if let Some(exists) = &rule.exists {
            for glob in &exists.paths {
                found.add(Difference::Exists { path: sample(glob) });
            }
        }
    }
    for policy in [&job.only, &job.except].into_iter().flatten() {
        for entry in policy.refs.iter().flatten() {
            found.reference(entry);
        }
        for condition in policy.variables.iter().flatten() {
            found.condition(Some(condition));
        }
        found.changed(policy.changes.as_deref().unwrap_or_default(), None);
    }
    let workflow = config.workflow.as_ref().and_then(|one| one.rules.as_ref());
    for rule in workflow.into_iter().flatten() {
        found.condition(rule.condition.as_deref());
        if let Some(changes) = &rule.changes {
            found.changed(&changes.paths, changes.regexp.as_deref());
        }
    }
    found.changes.truncate(MOST_CHANGES);
    found.changes
}

struct Candidates<'c> {
    context: &'c Context,
    config: &'c Config,
    job: &'c Job,
    changes: Vec<Difference>,
}

impl Candidates<'_> {
    fn add(&mut self, change: Difference) {
        if !self.changes.contains(&change) {
            self.changes.push(change);
        }
    }

    fn changed(&mut self, globs: &[String], regexp: Option<&str>) {
        for glob in globs {
            self.add(Difference::Changed { path: sample(glob) });
        }
        if let Some(path) = regexp.and_then(matching) {
            self.add(Difference::Changed { path });
        }
        if !globs.is_empty() || regexp.is_some() {
            self.add(Difference::NothingChanged);
        }
    }

    /// An entry of `only:refs` or `except:refs`.
    fn reference(&mut self, entry: &str) {
        let (name, _) = shipway_config::refs::split_path(entry);
        let source = Source::ALL.iter().find(|(_, _, keyword)| *keyword == name);
        match (name, source) {
            ("branches", _) => self.branch("a-branch"),
            ("tags", _) => self.tag("v1.0.0"),
            (_, Some((_, value, _))) => self.add(Difference::Source { name: value }),
            (name, None) => {
                let found = match pattern::split_literal(name) {
                    Some((body, _)) => matching(body),
                    None => Some(name.to_owned()),
                };
                if let Some(found) = found {
                    self.branch(&found);
                    self.tag(&found);
                }
                self.branch("another-branch");
            }
        }
    }

    fn branch(&mut self, name: &str) {
        self.add(Difference::Branch {
            name: name.to_owned(),
        });
    }

    fn tag(&mut self, name: &str) {
        self.add(Difference::Tag {
            name: name.to_owned(),
        });
    }

    fn condition(&mut self, condition: Option<&str>) {
        let Some(Ok(expression)) = condition.map(Expression::parse) else {
            return;
        };
        self.tree(expression.tree());
    }

    fn tree(&mut self, tree: &Tree) {
        match tree {
            Tree::Variable(name) => self.plain(name),
            Tree::Not(operand) => self.tree(operand),
            Tree::Binary(Operator::And | Operator::Or, left, right) => {
                self.tree(left);
                self.tree(right);
            }
            Tree::Binary(_, left, right) => match (&**left, &**right) {
                (Tree::Variable(name), other) | (other, Tree::Variable(name)) => {
                    if let Some(value) = self.wanted(other) {
                        self.value(name, &value);
                    }
                    self.plain(name);
                }
                _ => {}
            },
            _ => {}
        }
    }

    /// What the other side of a comparison asks for.
    fn wanted(&self, other: &Tree) -> Option<String> {
        match other {
            Tree::Text(text) => Some(text.clone()),
            Tree::Pattern(literal) => matching(pattern::split_literal(literal)?.0),
            Tree::Variable(name) => {
                let own = self.job.variables.get(name.as_str());
                let global = || self.config.variables.get(name.as_str());
                let in_file = own.or_else(global).map(|found| found.value.clone());
                let outer = self.context.outer.value(name);
                let predefined = || self.context.predefined.value(name).map(str::to_owned);
                outer.map(str::to_owned).or(in_file).or_else(predefined)
            }
            _ => None,
        }
    }

    fn value(&mut self, name: &str, value: &str) {
        match name {
            "CI_COMMIT_BRANCH" | "CI_COMMIT_REF_NAME" => self.branch(value),
            "CI_COMMIT_TAG" => self.tag(value),
            "CI_PIPELINE_SOURCE" => {
                let found = Source::ALL.iter().find(|(_, name, _)| *name == value);
                if let Some((_, name, _)) = found {
                    self.add(Difference::Source { name });
                }
            }
            _ => self.add(Difference::Variable {
                name: name.to_owned(),
                value: value.to_owned(),
            }),
        }
    }

    /// Values that are set, empty, or just others.
    fn plain(&mut self, name: &str) {
        match name {
            "CI_COMMIT_BRANCH" | "CI_COMMIT_REF_NAME" => {
                self.branch("another-branch");
                self.tag("v1.0.0");
            }
            "CI_COMMIT_TAG" => {
                self.tag("v1.0.0");
                self.branch("a-branch");
            }
            "CI_PIPELINE_SOURCE" => {
                for name in ["push", "web", "schedule", "merge_request_event"] {
                    self.add(Difference::Source { name });
                }
            }
            "CI_MERGE_REQUEST_ID" | "CI_MERGE_REQUEST_IID" => self.add(Difference::Source {
                name: "merge_request_event",
            }),
            _ => {
                for value in ["1", ""] {
                    self.add(Difference::Variable {
                        name: name.to_owned(),
                        value: value.to_owned(),
                    });
                }
            }
        }
    }
}

/// A path that a glob fits: stars become a letter, alternatives their first, and folders for
/// any number of folders go away.
fn sample(glob: &str) -> String {
    let mut out = String::new();
    let mut rest = glob.replace("**/", "");
    while let Some(at) = rest.find(['*', '?', '[', '{']) {
        out.push_str(&rest[..at]);
        let sign = rest.as_bytes()[at];
        let behind = rest.split_off(at + 1);
        rest = match sign {
            b'{' => {
                let (inner, behind) = behind.split_once('}').unwrap_or((&behind, ""));
                let first = inner.split(',').next().unwrap_or_default();
                format!("{first}{behind}")
            }
            b'[' => {
                let (inner, behind) = behind.split_once(']').unwrap_or((&behind, ""));
                out.extend(inner.chars().next());
                behind.to_owned()
            }
            b'*' => {
                out.push('x');
                behind.trim_start_matches('*').to_owned()
            }
            _ => {
                out.push('x');
                behind
            }
        };
    }
    out + &rest
}

/// The shortest way through a regular expression, as far as a simple reading goes: what is not
/// understood gives nothing, and what is wrongly understood is found not to fit.
fn matching(body: &str) -> Option<String> {
    let mut out = String::new();
    let mut chars = body.chars().peekable();
    while let Some(c) = chars.next() {
        let piece = match c {
            '^' | '$' => continue,
            '.' => 'x'.to_string(),
            '\\' => match chars.next()? {
                'd' => "1".to_owned(),
                'w' => "x".to_owned(),
                's' => " ".to_owned(),
                'A' | 'z' | 'Z' | 'b' => continue,
                c if c.is_ascii_alphanumeric() => return None,
                c => c.to_string(),
            },
            '[' => {
                let mut inner = String::new();
                loop {
                    match chars.next()? {
                        ']' if !inner.is_empty() => break,
                        c => inner.push(c),
                    }
                }
                if inner.starts_with('^') {
                    "x".to_owned()
                } else {
                    inner.trim_start_matches('\\').chars().next()?.to_string()
                }
            }
            '(' => {
                let mut depth = 1;
                let mut inner = String::new();
                loop {
                    match chars.next()? {
                        '(' => {
                            depth += 1;
                            inner.push('(');
                        }
                        ')' => {
                            depth -= 1;
                            if depth == 0 {
                                break;
                            }
                            inner.push(')');
                        }
                        c => inner.push(c),
                    }
                }
                matching(inner.strip_prefix("?:").unwrap_or(&inner))?
            }
            // What is read so far is one of several ways.
            '|' => return Some(out),
            c => c.to_string(),
        };
        match chars.peek() {
            Some('*' | '?') => {
                chars.next();
            }
            Some('+') => {
                chars.next();
                out.push_str(&piece);
            }
            Some('{') => {
                let mut count = String::new();
                chars.next();
                for c in chars.by_ref() {
                    if c == '}' {
                        break;
                    }
                    count.push(c);
                }
                let least = count.split(',').next()?.parse::<usize>().ok()?;
                out.push_str(&piece.repeat(least.min(100)));
            }
            _ => out.push_str(&piece),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_fit_their_patterns() {
        for body in [
            "^release-.*$",
            r"^v\d+\.\d+(\.\d+)?$",
            "(main|master)",
            "^(feature|fix)/[a-z]+",
            "[[:x]a]{2,3}b",
            "abc|def",
        ] {
            let text = matching(body).unwrap();
            let regex = regex::Regex::new(body).unwrap();
            assert!(regex.is_match(&text), "{text} for {body}");
        }
        assert_eq!(matching(r"\p{L}"), None);
    }

    #[test]
    fn samples_fit_their_globs() {
        for glob in [
            "docs/**/*",
            "*.md",
            "src/{a,b}/*.rs",
            "a?c",
            "[ab]c",
            "**/x",
        ] {
            let path = sample(glob);
            let glob = shipway_config::glob::Glob::new(glob);
            assert!(glob.is_match(&path), "{path}");
        }
    }
}
