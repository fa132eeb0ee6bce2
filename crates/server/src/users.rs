//! Accounts: making them, their passwords and their tokens.

use shipway_git::hosting::FullPath;
use shipway_store::{
    AccessTokenRow, MemberRow, MemberSource, NamespaceKind, NewAccessToken, NewNamespace, NewUser,
    StoreError, UserId, UserRow, UserState,
};

use crate::app::App;
use crate::clock::now;
use crate::error::ApiError;
use crate::identity::{Scopes, password, token};
use crate::permission::Role;

/// First names of addresses that are ours, so that nobody's own and no group's can be.
pub const RESERVED: [&str; 18] = [
    "-",
    "admin",
    "api",
    "assets",
    "dashboard",
    "explore",
    "favicon.ico",
    "groups",
    "health",
    "help",
    "import",
    "oauth",
    "profile",
    "projects",
    "robots.txt",
    "search",
    "uploads",
    "users",
];

/// An account to be made.
#[derive(Debug, Clone, Default)]
pub struct NewAccount {
    /// The name to sign in with; the user's own projects are below it.
    pub username: String,
    /// The name for people; the username where it is empty.
    pub name: String,
    /// A mail address.
    pub email: String,
    /// None for somebody who cannot sign in by password.
    pub password: Option<String>,
    /// May do everything.
    pub admin: bool,
}

/// Why an account cannot be made or changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The username breaks the rules.
    #[error("`{name}` cannot be a username: {reason}")]
    Username {
        /// What was wanted.
        name: String,
        /// Which rule.
        reason: String,
    },
    /// It is no mail address.
    #[error("`{0}` is not a mail address")]
    Email(String),
    /// Somebody has the name, or a group the path.
    #[error("the name `{0}` has already been taken")]
    Taken(String),
    /// The password is too short or too long.
    #[error(
        "a password has {} to {} characters",
        password::SHORTEST,
        password::LONGEST
    )]
    Password,
    /// The token is too short to be safe.
    #[error("a token has {SHORTEST_TOKEN} to {LONGEST_TOKEN} characters without spaces")]
    Token,
    /// Another token has the same secret.
    #[error("there is such a token already; choose another")]
    TokenTaken,
    /// Nothing was hashed.
    #[error("{0}")]
    Hash(String),
    /// The database.
    #[error(transparent)]
    Store(StoreError),
}

/// A token that somebody chose has this many characters at least.
const SHORTEST_TOKEN: usize = 20;

/// And at most.
const LONGEST_TOKEN: usize = 255;

impl From<StoreError> for AccountError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Username { reason, .. } => Self::invalid("username", reason),
            AccountError::Email(_) => Self::invalid("email", "is invalid"),
            AccountError::Taken(_) => Self::conflict("Username has already been taken"),
            AccountError::Password => Self::invalid("password", error.to_string()),
            AccountError::Token | AccountError::TokenTaken => {
                Self::invalid("token", error.to_string())
            }
            AccountError::Store(error) => error.into(),
            AccountError::Hash(_) => Self::internal(&error),
        }
    }
}

/// Makes a user with a namespace of the same name, whose owner the user is.
///
/// # Errors
///
/// When a rule is broken or the name is taken; nothing is made then.
pub async fn create_user(app: &App, new: &NewAccount) -> Result<UserRow, AccountError> {
    check_username(&new.username)?;
    check_email(&new.email)?;
    let password_hash = match &new.password {
        Some(password) => Some(hash(app, password).await?),
        None => None,
    };
    let name = match new.name.trim() {
        "" => &new.username,
        name => name,
    };
    let taken = |error| match error {
        StoreError::Taken { .. } => AccountError::Taken(new.username.clone()),
        error => AccountError::Store(error),
    };
    let mut transaction = app.store().begin().await?;
    let user = NewUser {
        username: new.username.clone(),
        name: name.to_owned(),
        email: new.email.clone(),
        password_hash,
        admin: new.admin,
        state: UserState::Active,
        created_at: now(),
    };
    let user = transaction.insert_user(&user).await.map_err(taken)?;
    let namespace = NewNamespace {
        full_path: new.username.clone(),
        name: name.to_owned(),
        kind: NamespaceKind::User,
        owner_id: Some(user.id),
        parent_id: None,
    };
    let namespace = transaction.insert_namespace(&namespace).await;
    let namespace = namespace.map_err(taken)?;
    transaction
        .set_member(&MemberRow {
            source: MemberSource::Namespace,
            source_id: namespace.id.0,
            user_id: user.id,
            access_level: Role::Owner as i64,
            created_at: Some(crate::clock::now()),
        })
        .await?;
    transaction.commit().await?;
    Ok(user)
}

/// Gives a user another password and ends the user's sessions.
///
/// # Errors
///
/// When the password is too short or long.
pub async fn set_password(app: &App, user: UserId, password: &str) -> Result<(), AccountError> {
    let hash = hash(app, password).await?;
    let mut transaction = app.store().begin().await?;
    let mut row = transaction.user(user).await?;
    row.password_hash = Some(hash);
    transaction.update_user(&row).await?;
    transaction.delete_sessions(user).await?;
    transaction.commit().await?;
    Ok(())
}

/// Lets a user in or keeps the user out; whoever is kept out is signed out too.
///
/// # Errors
///
/// When there is no such user.
pub async fn set_state(app: &App, user: UserId, state: UserState) -> Result<(), AccountError> {
    let mut transaction = app.store().begin().await?;
    let mut row = transaction.user(user).await?;
    row.state = state;
    transaction.update_user(&row).await?;
    if state == UserState::Blocked {
        transaction.delete_sessions(user).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// A personal access token to be made.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// What the user calls it.
    pub name: String,
    /// What it may be used for.
    pub scopes: Scopes,
    /// From when on it is worthless, in microseconds since 1970; none for never.
    pub expires_at: Option<i64>,
    /// The secret, where somebody chose one; else it is made at random.
    pub secret: Option<String>,
}

/// Makes a token; its secret is known now only.
///
/// # Errors
///
/// When a chosen secret is too short or another token's.
pub async fn create_token(
    app: &App,
    user: UserId,
    new: &NewToken,
) -> Result<(AccessTokenRow, String), AccountError> {
    let secret = match &new.secret {
        Some(secret) => checked_secret(secret)?.to_owned(),
        None => token::new(token::ACCESS_TOKEN),
    };
    let row = NewAccessToken {
        user_id: user,
        name: new.name.clone(),
        digest: token::digest(&secret),
        scopes: new.scopes.to_column(),
        expires_at: new.expires_at,
        revoked: false,
        created_at: now(),
        last_used_at: None,
    };
    let mut transaction = app.store().begin().await?;
    let row = transaction.insert_access_token(&row).await;
    let row = row.map_err(|error| match error {
        StoreError::Taken { .. } => AccountError::TokenTaken,
        error => AccountError::Store(error),
    })?;
    transaction.commit().await?;
    Ok((row, secret))
}

fn checked_secret(secret: &str) -> Result<&str, AccountError> {
    let length = (SHORTEST_TOKEN..=LONGEST_TOKEN).contains(&secret.len());
    match length && secret.chars().all(|c| c.is_ascii_graphic()) {
        true => Ok(secret),
        false => Err(AccountError::Token),
    }
}

async fn hash(app: &App, password: &str) -> Result<String, AccountError> {
    check_password(password)?;
    let hash = app.passwords().hash(password).await;
    hash.map_err(|error| AccountError::Hash(error.to_string()))
}

fn check_password(password: &str) -> Result<(), AccountError> {
    match (password::SHORTEST..=password::LONGEST).contains(&password.chars().count()) {
        true => Ok(()),
        false => Err(AccountError::Password),
    }
}

fn check_username(name: &str) -> Result<(), AccountError> {
    let fault = |reason: String| AccountError::Username {
        name: name.to_owned(),
        reason,
    };
    if RESERVED.contains(&name.to_lowercase().as_str()) {
        return Err(fault("it is a reserved name".to_owned()));
    }
    if name.contains('/') {
        return Err(fault("it has a slash".to_owned()));
    }
    match FullPath::parse(&format!("{name}/x")) {
        Ok(_) => Ok(()),
        Err(shipway_git::hosting::FullPathError::Name { rule, .. }) => Err(fault(rule.to_owned())),
        Err(error) => Err(fault(error.to_string())),
    }
}

/// As much as can be said without sending a mail.
fn check_email(email: &str) -> Result<(), AccountError> {
    let plausible = email.len() <= 255
        && !email.chars().any(|c| c.is_whitespace() || c.is_control())
        && email
            .split_once('@')
            .is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
    match plausible {
        true => Ok(()),
        false => Err(AccountError::Email(email.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usernames() {
        for name in ["ann", "Ann.B", "_x", "a-1"] {
            assert!(check_username(name).is_ok(), "{name}");
        }
        for name in [
            "", "-", "-a", ".a", "a.", "a/b", "a b", "ü", "API", "users", "a.git", "a..b", "../x",
        ] {
            assert!(check_username(name).is_err(), "{name}");
        }
    }

    #[test]
    fn mail_addresses() {
        for email in ["a@b", "ann+x@example.com"] {
            assert!(check_email(email).is_ok(), "{email}");
        }
        for email in ["", "a", "@b", "a@", "a b@c", "a@b\n"] {
            assert!(check_email(email).is_err(), "{email}");
        }
    }

    #[test]
    fn passwords_and_tokens_have_lengths() {
        assert!(check_password("1234567").is_err());
        assert!(check_password("12345678").is_ok());
        assert!(check_password(&"ü".repeat(128)).is_ok());
        assert!(check_password(&"ü".repeat(129)).is_err());
        assert!(checked_secret("glpat-0123456789abcd").is_ok());
        for wrong in ["", "glpat-0123456789abc", "glpat-0123456789 abcd"] {
            assert!(checked_secret(wrong).is_err(), "{wrong}");
        }
    }
}
