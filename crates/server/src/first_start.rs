//! The first start of a server: somebody who may do everything.

use shipway_store::Page;

use crate::app::App;
use crate::identity::{Scope, Scopes, token};
use crate::users::{AccountError, NewAccount, NewToken, create_token, create_user};

/// The administrator's name.
const ROOT: &str = "root";

/// What somebody wants for the administrator; the rest is random.
#[derive(Debug, Clone, Default)]
pub struct RootWishes {
    /// The password.
    pub password: Option<String>,
    /// A personal access token with the scope `api`.
    pub token: Option<String>,
}

/// How to sign in after the first start. What somebody chose is not repeated.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The administrator's name.
    pub username: &'static str,
    /// The password, if it is random.
    pub password: Option<String>,
    /// The token, if it is random.
    pub token: Option<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Credentials(…)")
    }
}

/// Makes the administrator `root` in a server that has no users yet; none when it has.
///
/// # Errors
///
/// When a wish breaks a rule, or the database does not take it.
pub async fn first_start(
    app: &App,
    wishes: &RootWishes,
) -> Result<Option<Credentials>, AccountError> {
    if app.store().users(Page::first(1)).await?.total > 0 {
        return Ok(None);
    }
    let (password, random_password) = match &wishes.password {
        Some(password) => (password.clone(), None),
        None => {
            let password = token::new("");
            (password.clone(), Some(password))
        }
    };
    let account = NewAccount {
        username: ROOT.to_owned(),
        name: "Administrator".to_owned(),
        email: "admin@example.com".to_owned(),
        password: Some(password),
        admin: true,
    };
    let user = match create_user(app, &account).await {
        Ok(user) => user,
        // Another process of the same server was faster.
        Err(AccountError::Taken(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let new = NewToken {
        name: "first start".to_owned(),
        scopes: Scopes::of([Scope::Api]),
        expires_at: None,
        secret: wishes.token.clone(),
    };
    let (_, secret) = create_token(app, user.id, &new).await?;
    Ok(Some(Credentials {
        username: ROOT,
        password: random_password,
        token: wishes.token.is_none().then_some(secret),
    }))
}
