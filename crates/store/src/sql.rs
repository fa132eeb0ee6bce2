//! A statement of the database: its text and its values, whichever engine runs it.
//!
//! Statements are constants of common SQL with `$1`, `$2`, …; only the schema differs between
//! engines.

use std::pin::Pin;

use sqlx::encode::Encode;
#[cfg(feature = "postgres")]
use sqlx::postgres::{PgConnection, PgRow, Postgres};
use sqlx::{Arguments, AssertSqlSafe, Database, FromRow, SqlSafeStr, SqlStr, Type};
use sqlx_sqlite::{Sqlite, SqliteConnection, SqliteRow};

use crate::engine::Connection;

/// A value of a statement.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Value<'q> {
    Integer(Option<i64>),
    Real(Option<f64>),
    Boolean(Option<bool>),
    Text(Option<&'q str>),
    Bytes(Option<&'q [u8]>),
}

macro_rules! value_from {
    ($($type:ty => $variant:ident;)*) => {$(
        impl<'q> From<$type> for Value<'q> {
            fn from(value: $type) -> Self {
                Self::$variant(Some(value))
            }
        }

        impl<'q> From<Option<$type>> for Value<'q> {
            fn from(value: Option<$type>) -> Self {
                Self::$variant(value)
            }
        }
    )*};
}

value_from! {
    i64 => Integer;
    f64 => Real;
    bool => Boolean;
    &'q str => Text;
    &'q [u8] => Bytes;
}

impl<'q> From<&'q String> for Value<'q> {
    fn from(value: &'q String) -> Self {
        Self::Text(Some(value))
    }
}

impl<'q> From<&'q Option<String>> for Value<'q> {
    fn from(value: &'q Option<String>) -> Self {
        Self::Text(value.as_deref())
    }
}

impl<'q> From<&'q Vec<u8>> for Value<'q> {
    fn from(value: &'q Vec<u8>) -> Self {
        Self::Bytes(Some(value))
    }
}

/// Decodes a type by its [`FromStr`](std::str::FromStr) from a column of text.
macro_rules! decoded_from_text {
    ($type:ty) => {
        impl<DB: sqlx::Database> sqlx::Type<DB> for $type
        where
            String: sqlx::Type<DB>,
        {
            fn type_info() -> DB::TypeInfo {
                <String as sqlx::Type<DB>>::type_info()
            }

            fn compatible(info: &DB::TypeInfo) -> bool {
                <String as sqlx::Type<DB>>::compatible(info)
            }
        }

        impl<'r, DB: sqlx::Database> sqlx::Decode<'r, DB> for $type
        where
            String: sqlx::Decode<'r, DB>,
        {
            fn decode(value: DB::ValueRef<'r>) -> Result<Self, sqlx::error::BoxDynError> {
                Ok(<String as sqlx::Decode<'r, DB>>::decode(value)?.parse()?)
            }
        }
    };
}
pub(crate) use decoded_from_text;

/// Two structures with the same columns: what is given to be stored, and what is stored.
macro_rules! row {
    ($(#[$meta:meta])* $new:ident => $row:ident {
        id: $id:ty,
        $($(#[$doc:meta])* $field:ident: $type:ty,)*
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
        pub struct $row {
            /// Unique in the store, never used again.
            pub id: $id,
            $($(#[$doc])* pub $field: $type,)*
        }

        #[doc = concat!("What becomes a [`", stringify!($row), "`] when it is stored.")]
        #[derive(Debug, Clone, PartialEq)]
        pub struct $new {
            $($(#[$doc])* pub $field: $type,)*
        }
    };
}
pub(crate) use row;

/// What can be read from a row of any engine.
#[cfg(not(feature = "postgres"))]
pub(crate) trait Row: for<'r> FromRow<'r, SqliteRow> + Send + Unpin {}
#[cfg(not(feature = "postgres"))]
impl<T: for<'r> FromRow<'r, SqliteRow> + Send + Unpin> Row for T {}

/// What can be read from a row of any engine.
#[cfg(feature = "postgres")]
pub(crate) trait Row:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}
#[cfg(feature = "postgres")]
impl<T> Row for T where T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{}

/// A statement with its values.
#[derive(Debug)]
pub(crate) struct Query<'q> {
    text: SqlStr,
    values: Vec<Value<'q>>,
    /// Engines keep such statements prepared.
    constant: bool,
    /// The rows that it reads are the transaction's until it ends.
    locking: bool,
    /// What PostgreSQL runs instead.
    on_postgres: Option<&'static str>,
}

/// A statement that is always the same but for its values.
pub(crate) fn query<'q>(text: &'static str) -> Query<'q> {
    Query {
        text: text.into_sql_str(),
        values: Vec::new(),
        constant: true,
        locking: false,
        on_postgres: None,
    }
}

impl<'q> Query<'q> {
    /// Gives the next of `$1`, `$2`, … its value.
    pub(crate) fn bind(mut self, value: impl Into<Value<'q>>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Lets nobody else change the rows that it reads until the transaction ends. SQLite has
    /// one writer, so only PostgreSQL needs to be told.
    pub(crate) fn locking(mut self) -> Self {
        self.locking = true;
        self
    }

    /// Another text for PostgreSQL, with the same values.
    pub(crate) fn on_postgres(mut self, text: &'static str) -> Self {
        self.on_postgres = Some(text);
        self
    }

    /// `head (row), (row), … tail`. The caller keeps the number of values below what engines
    /// take in one statement: 32766.
    pub(crate) fn rows<const N: usize>(
        head: &str,
        rows: impl IntoIterator<Item = [Value<'q>; N]>,
        tail: &str,
    ) -> Self {
        let mut text = head.to_owned();
        let mut values = Vec::new();
        for row in rows {
            text.push_str(if values.is_empty() { " (" } else { ", (" });
            push_list(&mut text, &mut values, row);
            text.push(')');
        }
        text.push_str(tail);
        Self::built(text, values)
    }

    /// `head (value, value, …)`, the first values being those of the head.
    pub(crate) fn list(
        head: &str,
        mut values: Vec<Value<'q>>,
        list: impl IntoIterator<Item = Value<'q>>,
    ) -> Self {
        let mut text = format!("{head} (");
        push_list(&mut text, &mut values, list);
        text.push(')');
        Self::built(text, values)
    }

    /// `text` is made of constants and of `$1`, `$2`, … in this order only.
    fn built(text: String, values: Vec<Value<'q>>) -> Self {
        Self {
            text: AssertSqlSafe(text).into_sql_str(),
            values,
            constant: false,
            locking: false,
            on_postgres: None,
        }
    }

    /// The text as SQLite likes it. `$1` is a name there, which it looks up in a list: with
    /// thousands of them that takes seconds, and `?` takes none.
    fn sqlite_text(&self) -> SqlStr {
        if self.constant {
            return self.text.clone();
        }
        let mut pieces = self.text.as_str().split('$');
        let mut text = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            text.push('?');
            text.push_str(piece.trim_start_matches(|c: char| c.is_ascii_digit()));
        }
        AssertSqlSafe(text).into_sql_str()
    }

    /// The text as PostgreSQL needs it.
    #[cfg(feature = "postgres")]
    fn postgres_text(&self) -> SqlStr {
        match self.on_postgres {
            Some(text) => text.into_sql_str(),
            // NO KEY: whoever stores a row that only refers to this one need not wait.
            None if self.locking => {
                let text = format!("{} FOR NO KEY UPDATE", self.text.as_str());
                AssertSqlSafe(text).into_sql_str()
            }
            None => self.text.clone(),
        }
    }

    /// All rows.
    pub(crate) async fn all<T: Row>(self, on: Connection<'_>) -> sqlx::Result<Vec<T>> {
        match on {
            Connection::Sqlite(on) => {
                let rows = self.sqlite_rows(on).await?;
                rows.iter().map(T::from_row).collect()
            }
            #[cfg(feature = "postgres")]
            Connection::Postgres(on) => {
                let rows = self.postgres_rows(on).await?;
                rows.iter().map(T::from_row).collect()
            }
        }
    }

    /// The row, if there is one.
    pub(crate) async fn optional<T: Row>(self, on: Connection<'_>) -> sqlx::Result<Option<T>> {
        match on {
            Connection::Sqlite(on) => {
                let row = self.sqlite_row(on).await?;
                row.as_ref().map(T::from_row).transpose()
            }
            #[cfg(feature = "postgres")]
            Connection::Postgres(on) => {
                let row = self.postgres_row(on).await?;
                row.as_ref().map(T::from_row).transpose()
            }
        }
    }

    /// Returns the number of rows that changed.
    pub(crate) fn execute<'c>(self, on: Connection<'c>) -> Boxed<'c, sqlx::Result<u64>>
    where
        'q: 'c,
    {
        Box::pin(async move {
            match on {
                Connection::Sqlite(on) => {
                    sqlx::query_with(self.sqlite_text(), arguments::<Sqlite>(&self.values)?)
                        .persistent(self.constant)
                        .execute(on)
                        .await
                        .map(|done| done.rows_affected())
                }
                #[cfg(feature = "postgres")]
                Connection::Postgres(on) => {
                    sqlx::query_with(self.postgres_text(), arguments::<Postgres>(&self.values)?)
                        .persistent(self.constant)
                        .execute(on)
                        .await
                        .map(|done| done.rows_affected())
                }
            }
        })
    }

    fn sqlite_rows<'c>(
        self,
        on: &'c mut SqliteConnection,
    ) -> Boxed<'c, sqlx::Result<Vec<SqliteRow>>>
    where
        'q: 'c,
    {
        Box::pin(async move {
            sqlx::query_with(self.sqlite_text(), arguments::<Sqlite>(&self.values)?)
                .persistent(self.constant)
                .fetch_all(on)
                .await
        })
    }

    fn sqlite_row<'c>(
        self,
        on: &'c mut SqliteConnection,
    ) -> Boxed<'c, sqlx::Result<Option<SqliteRow>>>
    where
        'q: 'c,
    {
        Box::pin(async move {
            sqlx::query_with(self.sqlite_text(), arguments::<Sqlite>(&self.values)?)
                .persistent(self.constant)
                .fetch_optional(on)
                .await
        })
    }

    #[cfg(feature = "postgres")]
    fn postgres_rows<'c>(self, on: &'c mut PgConnection) -> Boxed<'c, sqlx::Result<Vec<PgRow>>>
    where
        'q: 'c,
    {
        Box::pin(async move {
            sqlx::query_with(self.postgres_text(), arguments::<Postgres>(&self.values)?)
                .persistent(self.constant)
                .fetch_all(on)
                .await
        })
    }

    #[cfg(feature = "postgres")]
    fn postgres_row<'c>(self, on: &'c mut PgConnection) -> Boxed<'c, sqlx::Result<Option<PgRow>>>
    where
        'q: 'c,
    {
        Box::pin(async move {
            sqlx::query_with(self.postgres_text(), arguments::<Postgres>(&self.values)?)
                .persistent(self.constant)
                .fetch_optional(on)
                .await
        })
    }
}

/// A future behind a pointer. What sqlx does for a statement is compiled once, in this crate:
/// a plain `async fn` is compiled where it is awaited, in every crate above this one again.
pub(crate) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

fn push_list<'q>(
    text: &mut String,
    values: &mut Vec<Value<'q>>,
    list: impl IntoIterator<Item = Value<'q>>,
) {
    for (position, value) in list.into_iter().enumerate() {
        if position > 0 {
            text.push_str(", ");
        }
        values.push(value);
        text.push('$');
        text.push_str(&values.len().to_string());
    }
}

fn arguments<'q, DB: Database>(values: &[Value<'q>]) -> sqlx::Result<DB::Arguments>
where
    Option<i64>: Encode<'q, DB> + Type<DB>,
    Option<f64>: Encode<'q, DB> + Type<DB>,
    Option<bool>: Encode<'q, DB> + Type<DB>,
    Option<&'q str>: Encode<'q, DB> + Type<DB>,
    Option<&'q [u8]>: Encode<'q, DB> + Type<DB>,
{
    let mut arguments = DB::Arguments::default();
    for value in values {
        match *value {
            Value::Integer(value) => arguments.add(value),
            Value::Real(value) => arguments.add(value),
            Value::Boolean(value) => arguments.add(value),
            Value::Text(value) => arguments.add(value),
            Value::Bytes(value) => arguments.add(value),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}
