//! `shipway admin token`.

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use shipway_server::App;
use shipway_server::identity::{Scope, Scopes};
use shipway_server::users::{NewToken, create_token};
use shipway_store::{AccessTokenId, StoreError};

use super::user::{fault, say};
use super::user_named;
use crate::admin_args::{TokenCommand, TokenCreateArgs};
use crate::error::Fault;

pub(super) async fn run(app: &App, command: &TokenCommand) -> Result<(), Fault> {
    match command {
        TokenCommand::Create(args) => create(app, args).await,
        TokenCommand::List { username } => list(app, username).await,
        TokenCommand::Revoke { id } => revoke(app, *id).await,
    }
}

async fn create(app: &App, args: &TokenCreateArgs) -> Result<(), Fault> {
    let user = user_named(app, &args.username).await?;
    let scopes: Vec<Scope> = (args.scopes.iter())
        .filter_map(|name| Scope::parse(name))
        .collect();
    let new = NewToken {
        name: args.name.clone(),
        scopes: Scopes::of(scopes),
        expires_at: args.expires_at.map(start_of_day).transpose()?,
        secret: None,
    };
    let (_, secret) = create_token(app, user.id, &new).await.map_err(fault)?;
    say(&secret)
}

/// Microseconds since 1970.
fn start_of_day(date: jiff::civil::Date) -> Result<i64, Fault> {
    let start = date.to_zoned(jiff::tz::TimeZone::UTC);
    let start = start.map_err(Fault::usage)?;
    Ok(start.timestamp().as_microsecond())
}

async fn list(app: &App, username: &str) -> Result<(), Fault> {
    let user = user_named(app, username).await?;
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["Number", "Name", "Scopes", "Until", "Last used"]);
    let day = |micros: i64| {
        jiff::Timestamp::from_microsecond(micros)
            .map(|time| time.strftime("%Y-%m-%d").to_string())
            .unwrap_or_default()
    };
    let tokens = app.store().access_tokens(user.id).await;
    for row in tokens.map_err(Fault::other)? {
        let until = match (row.revoked, row.expires_at) {
            (true, _) => "revoked".to_owned(),
            (false, Some(end)) => day(end),
            (false, None) => "for ever".to_owned(),
        };
        table.add_row([
            row.id.to_string(),
            row.name,
            Scopes::from_column(&row.scopes).names().join(","),
            until,
            row.last_used_at.map_or("never".to_owned(), day),
        ]);
    }
    say(&table.trim_fmt())
}

async fn revoke(app: &App, id: i64) -> Result<(), Fault> {
    let mut transaction = app.store().begin().await.map_err(Fault::other)?;
    match transaction.revoke_access_token(AccessTokenId(id)).await {
        Ok(()) => {}
        Err(StoreError::NotFound { .. }) => {
            return Err(Fault::usage_text(format!("there is no token {id}"))
                .hint("`shipway admin token list USER` shows the numbers"));
        }
        Err(error) => return Err(Fault::other(error)),
    }
    transaction.commit().await.map_err(Fault::other)?;
    say(&format!("token {id} is revoked"))
}
