//! Making a tag in a hosted repository, as `git tag` does it in somebody's own.

use super::queries::QueryError;
use super::ref_name;
use super::repository::{BareRepository, checked_id};

/// What makes a tag an annotated one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// Who makes it.
    pub name: String,
    /// Their address.
    pub email: String,
    /// When, in seconds since 1970.
    pub at: i64,
    /// What it says.
    pub message: String,
}

impl Annotation {
    /// The tag as an object of git.
    fn object(&self, tag: &str, commit: &str) -> String {
        // These would end a name; git leaves them out too.
        let plain = |text: &str| -> String {
            let kept = text
                .chars()
                .filter(|c| !c.is_control() && !"<>".contains(*c));
            kept.collect::<String>().trim().to_owned()
        };
        let (name, email) = (plain(&self.name), plain(&self.email));
        let message = self.message.trim_end();
        format!(
            "object {commit}\ntype commit\ntag {tag}\ntagger {name} <{email}> {} +0000\n\n{message}\n",
            self.at
        )
    }
}

impl BareRepository {
    /// Makes the tag `name` at a commit: an annotated one where there is an annotation. Returns
    /// the object that it points to; `None` when there is such a tag already.
    ///
    /// # Errors
    ///
    /// When the name or the id is malformed, or git fails.
    pub async fn create_tag(
        &self,
        name: &str,
        commit: &str,
        annotation: Option<&Annotation>,
    ) -> Result<Option<String>, QueryError> {
        let reference = format!("refs/tags/{name}");
        if ref_name::refusal(&reference).is_some() {
            return Err(QueryError::RefName(reference));
        }
        let commit = checked_id(commit)?;
        let object = match annotation {
            Some(annotation) => {
                let text = annotation.object(name, &commit);
                let made = self.call().args(["mktag"]);
                let output = made.output_with_input(text.as_bytes()).await?;
                checked_id(String::from_utf8_lossy(&output).trim_end())?
            }
            None => commit,
        };
        // `create` fails where there is such a ref, whoever came first.
        let input = format!("create {reference} {object}\n");
        let call = self.call().args(["update-ref", "--no-deref", "--stdin"]);
        match call.output_with_input(input.as_bytes()).await {
            Ok(_) => Ok(Some(object)),
            Err(_) if self.resolve(&reference).await?.is_some() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tagger_cannot_write_other_lines() {
        let annotation = Annotation {
            name: "Ann\nobject x <evil>".to_owned(),
            email: "a@example.com>\n".to_owned(),
            at: 7,
            message: "first\n\nsecond\n\n".to_owned(),
        };
        assert_eq!(
            annotation.object("v1", "abc"),
            "object abc\ntype commit\ntag v1\ntagger Annobject x evil <a@example.com> 7 +0000\n\n\
             first\n\nsecond\n"
        );
    }
}
