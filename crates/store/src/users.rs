//! Users.

use crate::error::StoreError;
use crate::ids::UserId;
use crate::names::UserState;
use crate::page::{Page, Paged};
use crate::sql::{query, row};
use crate::store::Store;
use crate::transaction::Transaction;

row! {
    /// A person, or a program with a name of its own.
    NewUser => UserRow {
        id: UserId,
        /// Unique, whatever the case of its letters.
        username: String,
        /// The name for people.
        name: String,
        /// Where mail goes.
        email: String,
        /// A PHC string; none when the user cannot sign in by password.
        password_hash: Option<String>,
        /// May do everything.
        admin: bool,
        /// Whether the user may sign in.
        state: UserState,
        /// When it was made.
        created_at: i64,
    }
}

const INSERT: &str = "INSERT INTO users \
    (username, name, email, password_hash, admin, state, created_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING *";

const FIND: &str = "SELECT * FROM users WHERE id = $1";

const BY_USERNAME: &str = "SELECT * FROM users WHERE lower(username) = lower($1)";

const BY_EMAIL: &str = "SELECT * FROM users WHERE lower(email) = lower($1) ORDER BY id LIMIT 1";

const PAGE: &str = "SELECT * FROM users ORDER BY id LIMIT $1 OFFSET $2";

const COUNT: &str = "SELECT count(*) FROM users";

const UPDATE: &str = "UPDATE users SET username = $2, name = $3, email = $4, \
    password_hash = $5, admin = $6, state = $7 WHERE id = $1";

const DELETE: &str = "DELETE FROM users WHERE id = $1";

impl Store {
    /// The user, if there is one of this id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn user(&self, id: UserId) -> Result<Option<UserRow>, StoreError> {
        self.optional(query(FIND).bind(id)).await
    }

    /// The user of this name, in whatever case.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn user_by_username(&self, username: &str) -> Result<Option<UserRow>, StoreError> {
        self.optional(query(BY_USERNAME).bind(username)).await
    }

    /// The first user with this address, in whatever case.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn user_by_email(&self, email: &str) -> Result<Option<UserRow>, StoreError> {
        self.optional(query(BY_EMAIL).bind(email)).await
    }

    /// Users in the order in which they were made.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn users(&self, page: Page) -> Result<Paged<UserRow>, StoreError> {
        let rows = query(PAGE).bind(page.limit).bind(page.offset);
        Ok(Paged {
            rows: self.all(rows).await?,
            total: self.number(query(COUNT)).await?,
        })
    }
}

impl Transaction {
    /// The user as it stands.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or when the database does not answer.
    pub async fn user(&mut self, id: UserId) -> Result<UserRow, StoreError> {
        self.existing_row(query(FIND).bind(id), "user", id.0).await
    }

    /// Stores a user.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when there is one of this name.
    pub async fn insert_user(&mut self, new: &NewUser) -> Result<UserRow, StoreError> {
        let insert = query(INSERT)
            .bind(&new.username)
            .bind(&new.name)
            .bind(&new.email)
            .bind(&new.password_hash)
            .bind(new.admin)
            .bind(new.state)
            .bind(new.created_at);
        self.one(insert).await
    }

    /// Writes all columns of a user but the id and the time it was made.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Taken`] when another has the name.
    pub async fn update_user(&mut self, row: &UserRow) -> Result<(), StoreError> {
        let update = query(UPDATE)
            .bind(row.id)
            .bind(&row.username)
            .bind(&row.name)
            .bind(&row.email)
            .bind(&row.password_hash)
            .bind(row.admin)
            .bind(row.state);
        self.change(update, "user", row.id.0).await
    }

    /// Forgets a user with tokens, sessions, memberships, triggers and schedules.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Query`] while a namespace is the user's.
    pub async fn delete_user(&mut self, id: UserId) -> Result<(), StoreError> {
        self.change(query(DELETE).bind(id), "user", id.0).await
    }
}
