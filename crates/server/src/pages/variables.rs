//! Variables of the instance, a group or a project.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use shipway_store::{NewVariable, StoreError, VariableId, VariableRow, VariableType};

use super::fields::{Fields, is_variable_name};
use super::shell::{Place, Shell};
use super::visit::{Subject, Visit, crumb};
use super::{page, refused};
use crate::error::ApiError;
use crate::limits::too_many_variables;
use crate::permission::Action;

/// Bytes of a value at most: GitLab's limit of characters.
const VALUE_BYTES: usize = 10_000;

#[derive(Debug, Template)]
#[template(path = "variables.html")]
struct VariablesPage {
    shell: Shell,
    about: &'static str,
    base: String,
    action: String,
    edited: Option<i64>,
    rows: Vec<Row>,
    inherited: Option<&'static str>,
    form: Form,
}

#[derive(Debug)]
struct Row {
    id: i64,
    key: String,
    description: Option<String>,
    labels: Vec<&'static str>,
    /// None of a hidden one.
    value: Option<String>,
    scope: String,
    delete_url: String,
}

/// What the form says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Form {
    key: String,
    value: String,
    scope: String,
    description: String,
    file: bool,
    protected: bool,
    masked: bool,
    hidden: bool,
    raw: bool,
}

impl Default for Form {
    /// As GitLab: protected, so that a secret is not given to every branch by mistake.
    fn default() -> Self {
        Self {
            key: String::new(),
            value: String::new(),
            scope: "*".to_owned(),
            description: String::new(),
            file: false,
            protected: true,
            masked: false,
            hidden: false,
            raw: false,
        }
    }
}

impl Form {
    fn read(fields: &Fields) -> Self {
        let hidden = fields.checked("hidden");
        Self {
            key: fields.trimmed("key").to_owned(),
            value: fields.get("value").to_owned(),
            scope: match fields.trimmed("environment_scope") {
                "" => "*".to_owned(),
                scope => scope.to_owned(),
            },
            description: fields.trimmed("description").to_owned(),
            file: fields.get("variable_type") == "file",
            protected: fields.checked("protected"),
            masked: fields.checked("masked") || hidden,
            hidden,
            raw: fields.checked("raw"),
        }
    }

    fn of(row: &VariableRow) -> Self {
        Self {
            key: row.key.clone(),
            value: match row.hidden {
                true => String::new(),
                false => String::from_utf8_lossy(&row.value).into_owned(),
            },
            scope: row.environment_scope.clone(),
            description: row.description.clone().unwrap_or_default(),
            file: row.variable_type == VariableType::File,
            protected: row.protected,
            masked: row.masked,
            hidden: row.hidden,
            raw: row.raw,
        }
    }

    /// What is wrong with it, and what to do.
    fn fault(&self) -> Option<String> {
        if !is_variable_name(&self.key) {
            return Some("A key has letters, digits and `_` only.".to_owned());
        }
        if self.value.len() > VALUE_BYTES {
            return Some(format!(
                "A value has {VALUE_BYTES} bytes at most; keep larger ones in a file that a job fetches."
            ));
        }
        (self.masked && !can_be_masked(&self.value)).then(|| {
            "This value cannot be masked: it needs one line, at least eight characters and no spaces. Uncheck `Masked`, or change the value.".to_owned()
        })
    }
}

/// Whether a value can be hidden in logs (GitLab: a single line without spaces, eight
/// characters or more).
fn can_be_masked(value: &str) -> bool {
    value.chars().count() >= 8 && !value.contains(char::is_whitespace)
}

/// `GET /-/variables`, `/admin/variables`.
pub(super) async fn list(visit: Visit) -> Result<Response, ApiError> {
    visit.require(Action::ManageVariables)?;
    page(&list_page(&visit, Form::default(), None).await?)
}

async fn list_page(
    visit: &Visit,
    form: Form,
    fault: Option<String>,
) -> Result<VariablesPage, ApiError> {
    let (level, id) = visit.level();
    let base = visit.section("variables");
    let mut rows = visit.app.store().variables(level, id).await?;
    rows.sort_by(|one, other| one.key.cmp(&other.key));
    let mut shell = visit.shell(Place::Variables, "Variables");
    shell.fault = fault;
    Ok(VariablesPage {
        shell,
        about: match visit.subject {
            Subject::Instance => "Every job of every project gets these.",
            Subject::Group(_) => "The jobs of all projects of this group get these.",
            Subject::Project(_) => "The jobs of this project get these.",
        },
        action: base.clone(),
        edited: None,
        inherited: match visit.subject {
            Subject::Instance => None,
            Subject::Group(_) | Subject::Project(_) => Some(
                "Besides, its jobs get the variables of the groups above and of the instance; where a key is in several places, the nearest counts.",
            ),
        },
        rows: rows.into_iter().map(|row| item(row, &base)).collect(),
        base,
        form,
    })
}

fn item(row: VariableRow, base: &str) -> Row {
    let labels = [
        (row.variable_type == VariableType::File, "file"),
        (row.protected, "protected"),
        (row.masked, "masked"),
        (row.hidden, "hidden"),
        (row.raw, "raw"),
    ];
    Row {
        id: row.id.0,
        labels: (labels.into_iter())
            .filter_map(|(set, label)| set.then_some(label))
            .collect(),
        value: (!row.hidden).then(|| String::from_utf8_lossy(&row.value).into_owned()),
        scope: row.environment_scope,
        delete_url: format!("{base}/{}/delete", row.id),
        description: row.description.filter(|text| !text.is_empty()),
        key: row.key,
    }
}

/// `POST /-/variables`.
pub(super) async fn create(visit: Visit, fields: Fields) -> Result<Response, ApiError> {
    visit.require(Action::ManageVariables)?;
    let form = Form::read(&fields);
    if let Some(fault) = form.fault() {
        return refused(&list_page(&visit, form, Some(fault)).await?);
    }
    let (level, level_id) = visit.level();
    let new = NewVariable {
        level,
        level_id,
        key: form.key.clone(),
        value: form.value.clone().into_bytes(),
        variable_type: kind(&form),
        protected: form.protected,
        masked: form.masked,
        hidden: form.hidden,
        raw: form.raw,
        environment_scope: form.scope.clone(),
        description: described(&form),
    };
    let mut transaction = visit.app.store().begin().await?;
    let there = transaction.count_variables(level, level_id).await?;
    if let Some(fault) = too_many_variables(&visit.app.settings().limits, level, there) {
        drop(transaction);
        return refused(&list_page(&visit, form, Some(fault)).await?);
    }
    match transaction.insert_variable(&new).await {
        Ok(_) => transaction.commit().await?,
        Err(StoreError::Taken { .. }) => {
            drop(transaction);
            let fault = taken(&form);
            return refused(&list_page(&visit, form, Some(fault)).await?);
        }
        Err(error) => return Err(error.into()),
    }
    Ok(visit.to(below(&visit), "variable"))
}

fn taken(form: &Form) -> String {
    format!(
        "There is a variable {} for the environments {} already: edit that one.",
        form.key, form.scope
    )
}

fn kind(form: &Form) -> VariableType {
    match form.file {
        true => VariableType::File,
        false => VariableType::EnvVar,
    }
}

fn described(form: &Form) -> Option<String> {
    Some(form.description.clone()).filter(|text| !text.is_empty())
}

fn below(visit: &Visit) -> &'static str {
    match visit.subject {
        Subject::Instance => "/variables",
        Subject::Group(_) | Subject::Project(_) => "/-/variables",
    }
}

async fn own(visit: &Visit, id: i64) -> Result<VariableRow, ApiError> {
    visit.require(Action::ManageVariables)?;
    let row = visit.app.store().variable(VariableId(id)).await?;
    let row = row.filter(|row| (row.level, row.level_id) == visit.level());
    row.ok_or_else(|| ApiError::not_found("Variable"))
}

/// `GET /-/variables/{id}`.
pub(super) async fn edit(visit: Visit, Path(id): Path<i64>) -> Result<Response, ApiError> {
    let row = own(&visit, id).await?;
    page(&edit_page(&visit, id, Form::of(&row), None))
}

fn edit_page(visit: &Visit, id: i64, form: Form, fault: Option<String>) -> VariablesPage {
    let base = visit.section("variables");
    let mut shell = visit.shell(Place::Variables, &form.key);
    shell.crumbs.push(crumb("Variables", base.clone()));
    shell.fault = fault;
    VariablesPage {
        shell,
        about: "",
        action: format!("{base}/{id}"),
        edited: Some(id),
        rows: Vec::new(),
        inherited: None,
        base,
        form,
    }
}

/// `POST /-/variables/{id}`.
pub(super) async fn update(
    visit: Visit,
    Path(id): Path<i64>,
    fields: Fields,
) -> Result<Response, ApiError> {
    let mut row = own(&visit, id).await?;
    let mut form = Form::read(&fields);
    // What was hidden stays hidden; an empty value keeps what nobody sees.
    form.hidden = row.hidden;
    form.masked |= row.hidden;
    let kept = row.hidden && form.value.is_empty();
    let judged = Form {
        value: match kept {
            true => String::from_utf8_lossy(&row.value).into_owned(),
            false => form.value.clone(),
        },
        ..form.clone()
    };
    if let Some(fault) = judged.fault() {
        return refused(&edit_page(&visit, id, form, Some(fault)));
    }
    row.key.clone_from(&form.key);
    row.value = judged.value.into_bytes();
    row.variable_type = kind(&form);
    row.protected = form.protected;
    row.masked = form.masked;
    row.raw = form.raw;
    row.environment_scope.clone_from(&form.scope);
    row.description = described(&form);
    let mut transaction = visit.app.store().begin().await?;
    match transaction.update_variable(&row).await {
        Ok(()) => transaction.commit().await?,
        Err(StoreError::Taken { .. }) => {
            drop(transaction);
            let fault = taken(&form);
            return refused(&edit_page(&visit, id, form, Some(fault)));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(visit.to(below(&visit), "variable"))
}

/// `POST /-/variables/{id}/delete`.
pub(super) async fn delete(visit: Visit, Path(id): Path<i64>) -> Result<Response, ApiError> {
    let row = own(&visit, id).await?;
    let mut transaction = visit.app.store().begin().await?;
    transaction.delete_variable(row.id).await?;
    transaction.commit().await?;
    Ok(visit.to(below(&visit), "variable-deleted"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_a_form() {
        let form = |key: &str, value: &str, masked| Form {
            key: key.to_owned(),
            value: value.to_owned(),
            masked,
            ..Form::default()
        };
        let table = [
            (form("KEY", "", false), None),
            (form("KEY", "12345678", true), None),
            (form("KEY", "1234567", true), Some("masked")),
            (form("KEY", "1234 5678", true), Some("masked")),
            (form("KEY", "line\nline\nline", true), Some("masked")),
            (form("a b", "", false), Some("key")),
            (form("", "", false), Some("key")),
            (form("KEY", &"x".repeat(10_001), false), Some("10000")),
        ];
        for (form, expected) in table {
            let fault = form.fault();
            assert_eq!(fault.is_some(), expected.is_some(), "{form:?}");
            let text = fault.unwrap_or_default();
            assert!(text.contains(expected.unwrap_or_default()), "{text}");
        }
    }

    #[test]
    fn what_is_hidden_is_masked() {
        let form = Form::read(&Fields::parse("key=A&hidden=1&value=x"));
        assert!(form.hidden && form.masked);
        assert_eq!(form.scope, "*");
    }
}
