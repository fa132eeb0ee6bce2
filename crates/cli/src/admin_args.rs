//! The options of `shipway admin`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Look after a server's accounts and data, on its own machine and without its pages.
///
/// Works beside a running server and without one. Who may read the data directory may do
/// everything here.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  shipway admin user create ann --email ann@example.com
  shipway admin user password root
  shipway admin token create ann --name laptop --scopes read_api,write_repository
  shipway admin user block ann
  shipway admin signing-key rotate
  shipway admin backup /backups/2026-01-31
  shipway admin check --deep")]
pub(crate) struct AdminArgs {
    #[command(subcommand)]
    pub(crate) command: AdminCommand,

    #[command(flatten)]
    pub(crate) place: PlaceArgs,
}

/// Which server: the same options as those of `shipway serve`.
#[derive(Debug, Args)]
pub(crate) struct PlaceArgs {
    /// The TOML file of `shipway serve`.
    #[arg(
        short,
        long,
        global = true,
        value_name = "FILE",
        env = "SHIPWAY_CONFIG"
    )]
    pub(crate) config: Option<PathBuf>,

    /// Where the server keeps everything [default: as `shipway serve`].
    #[arg(long, global = true, value_name = "DIR", env = "SHIPWAY_DATA")]
    pub(crate) data: Option<PathBuf>,

    /// `sqlite:`, `sqlite:PATH` or `postgres://...` [default: as `shipway serve`].
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "SHIPWAY_DATABASE",
        hide_env_values = true
    )]
    pub(crate) database: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AdminCommand {
    /// Accounts of people.
    #[command(subcommand)]
    User(UserCommand),
    /// Personal access tokens.
    #[command(subcommand)]
    Token(TokenCommand),
    /// The keys that jobs' ID tokens are signed with.
    #[command(subcommand)]
    SigningKey(SigningKeyCommand),
    /// Copy everything that the server keeps, while it runs, into a new directory.
    ///
    /// The key that secrets are encrypted with is not in the copy: keep it apart.
    Backup {
        /// The directory to make.
        to: PathBuf,
    },
    /// Make the server's directory of a backup; there must be no data in it yet.
    Restore {
        /// What `backup` made.
        from: PathBuf,
    },
    /// Look whether all that the server keeps is there and whole; exit code 1 when not.
    Check {
        /// Read the artifacts too, and compare them with their digests.
        #[arg(long)]
        deep: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum SigningKeyCommand {
    /// List the keys that are published for checking tokens: first the one that signs.
    List,
    /// Let a new key sign from now on.
    ///
    /// Running servers need no restart. The key before stays published for 32 days, until every
    /// token that it signed has run out.
    Rotate,
}

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    Create(UserCreateArgs),
    Password(UserPasswordArgs),
    /// List all users.
    List,
    /// Keep a user out: sessions end, passwords and tokens stop working.
    Block {
        /// The username.
        username: String,
    },
    /// Let a blocked user in again.
    Unblock {
        /// The username.
        username: String,
    },
}

/// Make a user, with a namespace of the same name for the user's own projects.
#[derive(Debug, Args)]
pub(crate) struct UserCreateArgs {
    /// The name to sign in with.
    pub(crate) username: String,

    /// The mail address.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) email: String,

    /// The name for people [default: the username].
    #[arg(
        long,
        value_name = "NAME",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) name: String,

    /// May do everything.
    #[arg(long)]
    pub(crate) admin: bool,

    #[command(flatten)]
    pub(crate) password: PasswordArgs,
}

/// Give a user another password; the user's sessions end.
#[derive(Debug, Args)]
pub(crate) struct UserPasswordArgs {
    /// The username.
    pub(crate) username: String,

    #[command(flatten)]
    pub(crate) password: PasswordArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PasswordArgs {
    /// Read the password from the first line of standard input, instead of making one up and
    /// printing it.
    #[arg(long)]
    pub(crate) password_stdin: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    Create(TokenCreateArgs),
    /// List a user's tokens.
    List {
        /// The username.
        username: String,
    },
    /// Make a token worthless.
    Revoke {
        /// Its number, as `list` shows it.
        id: i64,
    },
}

/// Make a token and print it; it is not shown again.
#[derive(Debug, Args)]
pub(crate) struct TokenCreateArgs {
    /// Whose it is.
    pub(crate) username: String,

    /// What the user calls it.
    #[arg(long, value_name = "NAME", default_value = "shipway admin")]
    pub(crate) name: String,

    /// What it may be used for, with commas between them.
    #[arg(
        long,
        value_name = "SCOPES",
        value_delimiter = ',',
        default_value = "api",
        value_parser = ["api", "read_api", "read_user", "read_repository", "write_repository",
            "create_runner", "manage_runner", "self_rotate"]
    )]
    pub(crate) scopes: Vec<String>,

    /// The first day on which it is worthless, YYYY-MM-DD in UTC [default: never].
    #[arg(long, value_name = "DATE")]
    pub(crate) expires_at: Option<jiff::civil::Date>,
}
