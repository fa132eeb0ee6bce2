//! `shipway admin user`.

use std::io::BufRead;

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use shipway_server::App;
use shipway_server::identity::token;
use shipway_server::users::{AccountError, NewAccount, create_user, set_password, set_state};
use shipway_store::{Page, UserState};

use super::user_named;
use crate::admin_args::{PasswordArgs, UserCommand, UserCreateArgs};
use crate::error::Fault;
use crate::output;

/// Users that are read at once.
const PAGE: i64 = 100;

pub(super) async fn run(app: &App, command: &UserCommand) -> Result<(), Fault> {
    match command {
        UserCommand::Create(args) => create(app, args).await,
        UserCommand::Password(args) => {
            let user = user_named(app, &args.username).await?;
            let password = Password::choose(&args.password)?;
            set_password(app, user.id, &password.text)
                .await
                .map_err(fault)?;
            password.say(&format!("{} has a new password", user.username))
        }
        UserCommand::List => list(app).await,
        UserCommand::Block { username } => {
            let user = user_named(app, username).await?;
            set_state(app, user.id, UserState::Blocked)
                .await
                .map_err(fault)?;
            say(&format!("{} is blocked", user.username))
        }
        UserCommand::Unblock { username } => {
            let user = user_named(app, username).await?;
            set_state(app, user.id, UserState::Active)
                .await
                .map_err(fault)?;
            say(&format!("{} may sign in again", user.username))
        }
    }
}

async fn create(app: &App, args: &UserCreateArgs) -> Result<(), Fault> {
    let password = Password::choose(&args.password)?;
    let account = NewAccount {
        username: args.username.clone(),
        name: args.name.clone(),
        email: args.email.clone(),
        password: Some(password.text.clone()),
        admin: args.admin,
    };
    let user = create_user(app, &account).await.map_err(fault)?;
    password.say(&format!("{} may sign in", user.username))
}

async fn list(app: &App) -> Result<(), Fault> {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["Username", "Name", "E-mail", "State", "Rights"]);
    let mut page = Page::first(PAGE);
    loop {
        let users = app.store().users(page).await.map_err(Fault::other)?.rows;
        for user in &users {
            let rights = if user.admin { "administrator" } else { "" };
            let state = user.state.as_str();
            table.add_row([&user.username, &user.name, &user.email, state, rights]);
        }
        if users.is_empty() {
            break;
        }
        page.offset += PAGE;
    }
    say(&table.trim_fmt())
}

/// A password that was given, or made up.
struct Password {
    text: String,
    made_up: bool,
}

impl Password {
    fn choose(args: &PasswordArgs) -> Result<Self, Fault> {
        if !args.password_stdin {
            return Ok(Self {
                text: token::new(""),
                made_up: true,
            });
        }
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        read.map_err(Fault::other)?;
        Ok(Self {
            text: line.trim_end_matches(['\r', '\n']).to_owned(),
            made_up: false,
        })
    }

    fn say(&self, done: &str) -> Result<(), Fault> {
        match self.made_up {
            true => say(&format!("{done}: {}", self.text)),
            false => say(done),
        }
    }
}

/// What breaks a rule is the caller's fault.
pub(super) fn fault(error: AccountError) -> Fault {
    match error {
        AccountError::Store(_) | AccountError::Hash(_) => Fault::other(error),
        error => Fault::usage(error),
    }
}

pub(super) fn say(text: &str) -> Result<(), Fault> {
    output::print(|out| writeln!(out, "{text}"))
}
