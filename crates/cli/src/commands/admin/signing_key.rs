//! `shipway admin signing-key`.

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use shipway_server::App;
use shipway_server::oidc::{rotate_signing_key, signing_keys};

use super::user::say;
use crate::admin_args::SigningKeyCommand;
use crate::error::Fault;

pub(super) async fn run(app: &App, command: &SigningKeyCommand) -> Result<(), Fault> {
    match command {
        SigningKeyCommand::List => list(app).await,
        SigningKeyCommand::Rotate => {
            rotate_signing_key(app).await.map_err(Fault::other)?;
            list(app).await
        }
    }
}

async fn list(app: &App) -> Result<(), Fault> {
    let day = |micros: i64| {
        jiff::Timestamp::from_microsecond(micros)
            .map(|time| time.strftime("%Y-%m-%d").to_string())
            .unwrap_or_default()
    };
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["Key", "Made", "Use"]);
    for key in signing_keys(app).await.map_err(Fault::other)? {
        let usage = match key.published_until {
            None => "signs".to_owned(),
            Some(until) => format!("published until {}", day(until)),
        };
        table.add_row([key.id, day(key.created_at), usage]);
    }
    say(&table.trim_fmt())
}
