//! CI/CD variables of the instance, of groups and of projects.

use serde::Serialize;
use shipway_store::{Level, NewVariable, StoreError, VariableRow, VariableType};

use super::call::{Answer, Call, GroupCall, ProjectCall, created, no_content, ok};
use super::paging::Paging;
use super::routes::{InGroup, Routes, Who};
use crate::error::ApiError;
use crate::limits::too_many_variables;
use crate::permission::{Action, Role};

pub(super) fn routes(routes: Routes) -> Routes {
    let project = Action::ManageVariables;
    let group = InGroup::As(Role::Owner);
    let admin = Who::Administrator;
    routes
        .get("/projects/{id}/variables", project, |call: ProjectCall| {
            list(place(call))
        })
        .post("/projects/{id}/variables", project, |call: ProjectCall| {
            create(place(call))
        })
        .get(
            "/projects/{id}/variables/{key}",
            project,
            |call: ProjectCall| show(place(call)),
        )
        .put(
            "/projects/{id}/variables/{key}",
            project,
            |call: ProjectCall| update(place(call)),
        )
        .delete(
            "/projects/{id}/variables/{key}",
            project,
            |call: ProjectCall| delete(place(call)),
        )
        .get("/groups/{id}/variables", group, |call: GroupCall| {
            list(of_group(call))
        })
        .post("/groups/{id}/variables", group, |call: GroupCall| {
            create(of_group(call))
        })
        .get("/groups/{id}/variables/{key}", group, |call: GroupCall| {
            show(of_group(call))
        })
        .put("/groups/{id}/variables/{key}", group, |call: GroupCall| {
            update(of_group(call))
        })
        .delete("/groups/{id}/variables/{key}", group, |call: GroupCall| {
            delete(of_group(call))
        })
        .get("/admin/ci/variables", admin, |call| list(of_instance(call)))
        .post("/admin/ci/variables", admin, |call| {
            create(of_instance(call))
        })
        .get("/admin/ci/variables/{key}", admin, |call| {
            show(of_instance(call))
        })
        .put("/admin/ci/variables/{key}", admin, |call| {
            update(of_instance(call))
        })
        .delete("/admin/ci/variables/{key}", admin, |call| {
            delete(of_instance(call))
        })
}

/// Where variables are defined, and the call about them.
struct Place {
    call: Call,
    level: Level,
    id: i64,
}

fn place(call: ProjectCall) -> Place {
    Place {
        id: call.project.id.0,
        level: Level::Project,
        call: call.call,
    }
}

fn of_group(call: GroupCall) -> Place {
    Place {
        id: call.group.id.0,
        level: Level::Group,
        call: call.call,
    }
}

fn of_instance(call: Call) -> Place {
    Place {
        id: 0,
        level: Level::Instance,
        call,
    }
}

/// GitLab's `Variable`.
#[derive(Debug, Serialize)]
struct Variable {
    variable_type: &'static str,
    key: String,
    /// Never of a hidden one.
    value: Option<String>,
    hidden: bool,
    protected: bool,
    masked: bool,
    raw: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment_scope: Option<String>,
    description: Option<String>,
}

impl Variable {
    fn new(row: &VariableRow) -> Self {
        let value = || String::from_utf8_lossy(&row.value).into_owned();
        Self {
            variable_type: row.variable_type.as_str(),
            key: row.key.clone(),
            value: (!row.hidden).then(value),
            hidden: row.hidden,
            protected: row.protected,
            masked: row.masked,
            raw: row.raw,
            environment_scope: (row.level != Level::Instance)
                .then(|| row.environment_scope.clone()),
            description: row.description.clone(),
        }
    }
}

/// GitLab's rule for names.
pub(super) fn check_key(key: &str) -> Result<(), ApiError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match !key.is_empty() && key.chars().count() <= 255 && key.chars().all(plain) {
        true => Ok(()),
        false => Err(ApiError::invalid(
            "key",
            "can contain only letters, digits and '_'.",
        )),
    }
}

/// The fewest characters that are worth hiding.
const SHORTEST_MASKED: usize = 8;

/// Whether a value can be found in logs and replaced there: GitLab's rules, in which a value
/// that is expanded may not have a `$`.
fn can_be_masked(value: &str, raw: bool) -> bool {
    let fits = |c: char| match raw {
        true => !c.is_whitespace() && !c.is_control(),
        false => c.is_ascii_alphanumeric() || "_:@.~+=/-".contains(c),
    };
    value.chars().count() >= SHORTEST_MASKED && value.chars().all(fits)
}

fn check(row: &NewVariable) -> Result<(), ApiError> {
    check_key(&row.key)?;
    let value = String::from_utf8_lossy(&row.value);
    if row.masked && !can_be_masked(&value, row.raw) {
        return Err(ApiError::invalid("value", "is invalid"));
    }
    let scope = &row.environment_scope;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_/${}. *".contains(c);
    match !scope.is_empty() && scope.chars().count() <= 255 && scope.chars().all(plain) {
        true => Ok(()),
        false => Err(ApiError::invalid(
            "environment_scope",
            "can contain only letters, digits, '-', '_', '/', '$', '{', '}', '.', and spaces, \
             but it cannot start or end with '/'",
        )),
    }
}

impl Place {
    fn scope_of(&self) -> Result<String, ApiError> {
        let given = match self.level {
            Level::Instance => None,
            Level::Group | Level::Project => self.call.params.text("environment_scope")?,
        };
        Ok(given.unwrap_or_else(|| "*".to_owned()))
    }

    /// The variable of the key in the address, where several have it the one whose scope the
    /// filter names.
    async fn find(&self) -> Result<VariableRow, ApiError> {
        let key = self.call.path.text("key");
        let filter = self.call.params.nested("filter")?;
        let scope = filter.text("environment_scope")?;
        let mut rows = self
            .call
            .store()
            .variables_by_key(self.level, self.id, key)
            .await?;
        if let Some(scope) = scope {
            rows.retain(|row| row.environment_scope == scope);
        }
        match (rows.len(), rows.pop()) {
            (1, Some(row)) => Ok(row),
            (0, _) => Err(ApiError::not_found("Variable")),
            _ => Err(ApiError::conflict(
                "There are multiple variables with provided parameters. \
                 Please use 'filter[environment_scope]'",
            )),
        }
    }
}

async fn list(place: Place) -> Answer {
    let paging = Paging::of(&place.call)?;
    let rows = place.call.store().variables(place.level, place.id).await?;
    let (rows, total) = paging.cut(rows);
    let entities = rows.iter().map(Variable::new).collect();
    paging.answer(&place.call, entities, Some(total))
}

async fn show(place: Place) -> Answer {
    ok(Variable::new(&place.find().await?))
}

fn taken(key: &str) -> ApiError {
    ApiError::invalid("key", format!("({key}) has already been taken"))
}

async fn create(place: Place) -> Answer {
    let params = &place.call.params;
    let flag = |name| Ok::<_, ApiError>(params.boolean(name)?.unwrap_or(false));
    let hidden = flag("masked_and_hidden")?;
    let new = NewVariable {
        level: place.level,
        level_id: place.id,
        key: params.required_short("key")?,
        value: params.required("value")?.into_bytes(),
        variable_type: params
            .name("variable_type")?
            .unwrap_or(VariableType::EnvVar),
        protected: flag("protected")?,
        masked: hidden || flag("masked")?,
        hidden,
        raw: flag("raw")?,
        environment_scope: place.scope_of()?,
        description: params.short("description")?,
    };
    check(&new)?;
    let mut transaction = place.call.store().begin().await?;
    let there = transaction.count_variables(new.level, new.level_id).await?;
    if let Some(fault) = too_many_variables(&place.call.app.settings().limits, new.level, there) {
        return Err(ApiError::invalid("base", fault));
    }
    let row = match transaction.insert_variable(&new).await {
        Err(StoreError::Taken { .. }) => return Err(taken(&new.key)),
        row => row?,
    };
    transaction.commit().await?;
    created(Variable::new(&row))
}

async fn update(place: Place) -> Answer {
    let row = place.find().await?;
    let params = &place.call.params;
    let flag = |name, before| Ok::<_, ApiError>(params.boolean(name)?.unwrap_or(before));
    // What is hidden stays so: nobody gets at a value by changing a flag.
    let masked = row.hidden || flag("masked", row.masked)?;
    let new = NewVariable {
        level: row.level,
        level_id: row.level_id,
        key: row.key.clone(),
        value: match params.given("value")? {
            Some(value) => value.into_bytes(),
            None => row.value.clone(),
        },
        variable_type: params.name("variable_type")?.unwrap_or(row.variable_type),
        protected: flag("protected", row.protected)?,
        masked,
        hidden: row.hidden,
        raw: flag("raw", row.raw)?,
        environment_scope: match params.has("environment_scope") {
            true => place.scope_of()?,
            false => row.environment_scope.clone(),
        },
        description: match params.has("description") {
            true => params.short("description")?,
            false => row.description.clone(),
        },
    };
    check(&new)?;
    let row = VariableRow {
        id: row.id,
        level: new.level,
        level_id: new.level_id,
        key: new.key,
        value: new.value,
        variable_type: new.variable_type,
        protected: new.protected,
        masked: new.masked,
        hidden: new.hidden,
        raw: new.raw,
        environment_scope: new.environment_scope,
        description: new.description,
    };
    let mut transaction = place.call.store().begin().await?;
    match transaction.update_variable(&row).await {
        Err(StoreError::Taken { .. }) => return Err(taken(&row.key)),
        stored => stored?,
    }
    transaction.commit().await?;
    ok(Variable::new(&row))
}

async fn delete(place: Place) -> Answer {
    let row = place.find().await?;
    let mut transaction = place.call.store().begin().await?;
    transaction.delete_variable(row.id).await?;
    transaction.commit().await?;
    no_content()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        for key in ["A", "a_1", "_"] {
            assert!(check_key(key).is_ok(), "{key}");
        }
        for key in ["", "A-B", "A B", "Ä", "A\n"] {
            assert!(check_key(key).is_err(), "{key:?}");
        }
    }

    #[test]
    fn what_can_be_masked() {
        for (value, raw, expected) in [
            ("12345678", false, true),
            ("1234567", false, false),
            ("abc/=+@:.~-_", false, true),
            ("12345678$", false, false),
            ("12345678$", true, true),
            ("1234 5678", true, false),
            ("1234\n5678", true, false),
        ] {
            assert_eq!(can_be_masked(value, raw), expected, "{value:?} {raw}");
        }
    }
}
