//! `shipway admin`: a server's accounts and its data, without its pages.

mod backup;
mod signing_key;
mod token;
mod user;

use shipway_server::App;
use shipway_store::UserRow;

use super::block_on;
use crate::admin_args::{AdminArgs, AdminCommand, PlaceArgs};
use crate::error::Fault;
use crate::serve_args::ServeArgs;

/// Runs the command.
pub(crate) fn admin(args: &AdminArgs) -> Result<u8, Fault> {
    block_on(async {
        if let AdminCommand::Restore { from } = &args.command {
            let settings = ServeArgs::of_place(&args.place).settings()?;
            backup::restore(from, &settings.data).await?;
            return Ok(0);
        }
        let app = open(&args.place).await?;
        let mut code = 0;
        match &args.command {
            AdminCommand::User(command) => user::run(&app, command).await?,
            AdminCommand::Token(command) => token::run(&app, command).await?,
            AdminCommand::SigningKey(command) => signing_key::run(&app, command).await?,
            AdminCommand::Backup { to } => backup::backup(&app, to).await?,
            AdminCommand::Check { deep } => code = backup::check(&app, *deep).await?,
            AdminCommand::Restore { .. } => {}
        }
        app.store().close().await;
        Ok(code)
    })
}

/// The server's parts, if there has been a server.
async fn open(place: &PlaceArgs) -> Result<App, Fault> {
    let settings = ServeArgs::of_place(place).settings()?;
    if !settings.data.is_dir() {
        let text = format!("no server has kept anything in {}", settings.data.display());
        return Err(Fault::usage_text(text)
            .hint("start one with `shipway serve`, or name its directory with --data DIR"));
    }
    App::open(settings).await.map_err(Fault::usage)
}

/// The user of a name.
async fn user_named(app: &App, username: &str) -> Result<UserRow, Fault> {
    let user = app.store().user_by_username(username).await;
    user.map_err(Fault::other)?.ok_or_else(|| {
        Fault::usage_text(format!("there is no user `{username}`"))
            .hint("`shipway admin user list` shows who there is")
    })
}
