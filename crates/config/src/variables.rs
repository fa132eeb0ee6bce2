//! Variables of a pipeline or job, and their expansion as the server does it.
//!
//! References are `$NAME`, `${NAME}` and `%NAME%`; `$$` and `%%` stay as they are, for the
//! runner to resolve. Values that refer to each other are expanded in the order of their
//! references, so the order of definition does not matter.

use std::collections::HashMap;
use thiserror::Error;

/// One variable.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Variable {
    /// Its name.
    pub key: String,
    /// Its text.
    pub value: String,
    /// Whether the runner may show it.
    pub public: bool,
    /// Whether it is hidden in logs.
    pub masked: bool,
    /// Whether the job gets a path to a file with the value.
    pub file: bool,
    /// Whether the value is taken as it is, without expansion.
    pub raw: bool,
}

impl Variable {
    /// A public variable that is expanded.
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            value: value.into(),
            public: true,
            ..Self::default()
        }
    }

    /// The names its value refers to; none for a raw variable.
    pub fn references(&self) -> Vec<&str> {
        if self.raw {
            return Vec::new();
        }
        Pieces(&self.value)
            .filter_map(|piece| match piece {
                Piece::Reference { name, .. } => Some(name),
                Piece::Text(_) => None,
            })
            .collect()
    }
}

/// What becomes of a reference to a name that is not defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undefined {
    /// It stays, so that the runner can try: in values of variables.
    Keep,
    /// It becomes empty: in fields the server evaluates, `environment:name` for example.
    Empty,
}

/// What becomes of a reference to a file variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileReferences {
    /// The content of the file is put in.
    Content,
    /// The reference stays, so that the runner puts the path in.
    Keep,
}

/// Values refer to each other in a circle.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("circular variable reference detected: {names:?}")]
pub struct CircularReference {
    /// The names on the circle.
    pub names: Vec<String>,
}

/// Variables in order; of two with the same name the later wins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collection {
    variables: Vec<Variable>,
    by_key: HashMap<String, usize>,
}

impl Collection {
    /// No variables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a variable, which wins over earlier ones of its name.
    pub fn push(&mut self, variable: Variable) {
        self.by_key
            .insert(variable.key.clone(), self.variables.len());
        self.variables.push(variable);
    }

    /// The variable of a name.
    pub fn get(&self, key: &str) -> Option<&Variable> {
        self.by_key.get(key).map(|index| &self.variables[*index])
    }

    /// The value of a name.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.get(key).map(|variable| variable.value.as_str())
    }

    /// The variables a text refers to, each as often as it does.
    pub fn references_of(&self, text: &str) -> Vec<&Variable> {
        Pieces(text)
            .filter_map(|piece| match piece {
                Piece::Reference { name, .. } => self.get(name),
                Piece::Text(_) => None,
            })
            .collect()
    }

    /// All variables in order, overridden ones included.
    pub fn iter(&self) -> impl Iterator<Item = &Variable> {
        self.variables.iter()
    }

    /// Only the variables that win, in order.
    pub fn winners(&self) -> impl Iterator<Item = &Variable> {
        self.variables
            .iter()
            .enumerate()
            .filter(|(index, variable)| self.by_key.get(&variable.key) == Some(index))
            .map(|(_, variable)| variable)
    }

    /// How many variables there are, overridden ones included.
    pub fn len(&self) -> usize {
        self.variables.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.variables.is_empty()
    }

    /// Replaces the references in a text once, with the values as they stand.
    pub fn expand(&self, text: &str, undefined: Undefined, files: FileReferences) -> String {
        let mut out = String::with_capacity(text.len());
        for piece in Pieces(text) {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Reference { name, written } => match self.get(name) {
                    Some(variable) if variable.file && files == FileReferences::Keep => {
                        out.push_str(written);
                    }
                    Some(variable) => out.push_str(&variable.value),
                    None if undefined == Undefined::Keep => out.push_str(written),
                    None => {}
                },
            }
        }
        out
    }

    /// Expands every value, in the order of the references. The result is in that order and
    /// has only the variables that win.
    ///
    /// A variable that refers to its own name means the earlier one of that name.
    ///
    /// # Errors
    /// When values refer to each other in a circle.
    pub fn expand_all(
        &self,
        undefined: Undefined,
        files: FileReferences,
    ) -> Result<Self, CircularReference> {
        let mut known = Self::new();
        let mut expanded = Self::new();
        for index in self.sorted()? {
            let mut variable = self.variables[index].clone();
            if !variable.raw {
                variable.value = known.expand(&variable.value, undefined, files);
            }
            // An overridden one may come behind the winner here, because something the winner
            // refers to refers to it; it is known to what follows and does not win.
            if self.by_key.get(&variable.key) == Some(&index) {
                expanded.push(variable.clone());
            }
            known.push(variable);
        }
        Ok(expanded)
    }

    /// The same; where values refer to each other in a circle, all stay unexpanded.
    pub fn expand_all_or_keep(&self, undefined: Undefined, files: FileReferences) -> Self {
        self.expand_all(undefined, files)
            .unwrap_or_else(|_| self.clone())
    }

    /// Indices in an order in which references come before those who refer to them.
    fn sorted(&self) -> Result<Vec<usize>, CircularReference> {
        let children: Vec<Vec<usize>> = self
            .variables
            .iter()
            .map(|variable| {
                variable
                    .references()
                    .into_iter()
                    .filter_map(|name| self.by_key.get(name).copied())
                    .collect()
            })
            .collect();
        crate::graph::sort(&children).map_err(|circle| CircularReference {
            names: circle
                .into_iter()
                .map(|index| self.variables[index].key.clone())
                .collect(),
        })
    }
}

impl FromIterator<Variable> for Collection {
    fn from_iter<I: IntoIterator<Item = Variable>>(variables: I) -> Self {
        let mut collection = Self::new();
        collection.extend(variables);
        collection
    }
}

impl Extend<Variable> for Collection {
    fn extend<I: IntoIterator<Item = Variable>>(&mut self, variables: I) {
        for variable in variables {
            self.push(variable);
        }
    }
}

/// A text cut into plain stretches and references.
struct Pieces<'t>(&'t str);

enum Piece<'t> {
    Text(&'t str),
    Reference { name: &'t str, written: &'t str },
}

impl<'t> Iterator for Pieces<'t> {
    type Item = Piece<'t>;

    fn next(&mut self) -> Option<Piece<'t>> {
        if self.0.is_empty() {
            return None;
        }
        let mut from = 0;
        while let Some(at) = self.0[from..].find(['$', '%']).map(|at| from + at) {
            let rest = &self.0[at..];
            if let Some((name, length)) = reference(rest) {
                if at > 0 {
                    let (text, rest) = self.0.split_at(at);
                    self.0 = rest;
                    return Some(Piece::Text(text));
                }
                let (written, rest) = rest.split_at(length);
                self.0 = rest;
                return Some(Piece::Reference { name, written });
            }
            // A doubled sign is skipped whole, so that its second half starts nothing.
            let doubled = rest.starts_with("$$") || rest.starts_with("%%");
            from = at + if doubled { 2 } else { 1 };
        }
        Some(Piece::Text(std::mem::take(&mut self.0)))
    }
}

/// A reference at the very start of a text: its name and its length in bytes.
fn reference(text: &str) -> Option<(&str, usize)> {
    if let Some(rest) = text.strip_prefix("${") {
        let name = name(rest)?;
        return rest[name.len()..]
            .starts_with('}')
            .then_some((name, name.len() + 3));
    }
    if let Some(rest) = text.strip_prefix('$') {
        let name = name(rest)?;
        return Some((name, name.len() + 1));
    }
    let rest = text.strip_prefix('%')?;
    let name = name(rest)?;
    rest[name.len()..]
        .starts_with('%')
        .then_some((name, name.len() + 2))
}

fn name(text: &str) -> Option<&str> {
    let end = text
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    let name = &text[..end];
    (!name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit())).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::{Collection, FileReferences, Undefined, Variable};

    /// `name=value`; `!name=value` is raw, `@name=value` a file.
    fn collection(lines: &[&str]) -> Collection {
        lines
            .iter()
            .map(|line| {
                let (key, value) = line.split_once('=').unwrap();
                Variable {
                    raw: key.starts_with('!'),
                    file: key.starts_with('@'),
                    ..Variable::new(key.trim_start_matches(['!', '@']), value)
                }
            })
            .collect()
    }

    #[test]
    fn values_are_expanded_in_the_order_of_their_references() {
        use Undefined::{Empty, Keep};
        let cases: &[(&[&str], Undefined, &str, &str)] = &[
            (&["a=v", "b=r", "c=k$a$b"], Empty, "c", "kvr"),
            (&["c=k$a$b", "a=v", "b=r"], Empty, "c", "kvr"),
            (&["a=v", "c=k${a}"], Empty, "c", "kv"),
            (&["a=v", "c=k%a%"], Empty, "c", "kv"),
            (&["c=k$missing"], Empty, "c", "k"),
            (&["c=k$missing"], Keep, "c", "k$missing"),
            (
                &["a=v", "d=w", "c=k${a}${missing}${d}"],
                Keep,
                "c",
                "kv${missing}w",
            ),
            (
                &["a=v", "c=x_${a}_$${HOME}_%%HOME%%"],
                Empty,
                "c",
                "x_v_$${HOME}_%%HOME%%",
            ),
            (&["a=$b", "b=$c", "!c=k$a$b"], Empty, "a", "k$a$b"),
            (
                &["one=1", "!r=raw-$one", "n=n-$one", "z=$r and $n"],
                Empty,
                "z",
                "raw-$one and n-1",
            ),
            (&["v=$pw", "pw=p$$_%%_$a", "a=x"], Empty, "v", "p$$_%%_x"),
            (&["@f=content", "z=a $f"], Empty, "z", "a content"),
            (&["a=1", "a=2", "b=$a"], Empty, "b", "2"),
            (&["p=/bin", "p=$p:/x"], Empty, "p", "/bin:/x"),
            (&["a=100%"], Empty, "a", "100%"),
            (&["a=$1 $ $-"], Empty, "a", "$1 $ $-"),
            (&["b=$$a", "a=v"], Empty, "b", "$$a"),
        ];
        for (variables, undefined, key, expected) in cases {
            let expanded = collection(variables)
                .expand_all(*undefined, FileReferences::Content)
                .unwrap();
            assert_eq!(expanded.value(key), Some(*expected), "{variables:?}");
        }
    }

    #[test]
    fn a_file_may_stay_a_reference() {
        let variables = collection(&["@f=content", "z=a $f"]);
        assert_eq!(
            variables.expand("${f} $z", Undefined::Empty, FileReferences::Keep),
            "${f} a $f"
        );
    }

    #[test]
    fn a_circle_is_named_and_leaves_all_as_they_are() {
        let variables = collection(&["a=$b", "b=$c", "c=k$a$b", "d=$e", "e=1"]);
        let error = variables
            .expand_all(Undefined::Empty, FileReferences::Content)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"circular variable reference detected: ["a", "b", "c"]"#
        );
        let kept = variables.expand_all_or_keep(Undefined::Empty, FileReferences::Content);
        assert_eq!(kept, variables);
    }

    #[test]
    fn sorting_puts_what_is_referred_to_first() {
        for (variables, expected) in [
            (&["a=$b", "b=$c", "!c=k$a$b"][..], "c b a"),
            (&["b=$$a", "c=$a", "a=v"], "b a c"),
            (&["v2=k$v1"], "v2"),
        ] {
            let expanded = collection(variables)
                .expand_all(Undefined::Keep, FileReferences::Content)
                .unwrap();
            let keys: Vec<_> = expanded.iter().map(|v| v.key.as_str()).collect();
            assert_eq!(keys.join(" "), expected);
        }
    }

    #[test]
    fn references_of_a_value() {
        for (variable, expected) in [
            ("x=text", ""),
            ("x=", ""),
            ("x=a_$B", "B"),
            ("x=a_${B}_$C", "B C"),
            ("x=a%B%%C%", "B C"),
            ("!x=a_${B}", ""),
        ] {
            let collection = collection(&[variable]);
            let references = collection.get("x").unwrap().references();
            assert_eq!(references.join(" "), expected, "{variable}");
        }
    }

    #[test]
    fn a_chain_of_many_variables_does_not_overflow_the_stack() {
        let mut variables: Vec<String> = (0..50_000).map(|i| format!("a{i}=$a{}", i + 1)).collect();
        variables.push("a50000=end".to_owned());
        let lines: Vec<&str> = variables.iter().map(String::as_str).collect();
        let expanded = collection(&lines)
            .expand_all(Undefined::Keep, FileReferences::Content)
            .unwrap();
        assert_eq!(expanded.value("a0"), Some("end"));
    }
}
