//! The name of this runner manager under a shared token: `s_` or `r_` and twelve characters.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

/// Its file, beside the configuration.
const FILE: &str = ".runner_system_id";
/// Where the machine's id is.
const MACHINE_IDS: [&str; 2] = ["/etc/machine-id", "/var/lib/dbus/machine-id"];
const LENGTH: usize = 12;

/// The id in the file beside this configuration; made, and kept there, when there is none or
/// it is malformed. An id that cannot be kept is a warning: the next start makes the same
/// one where the machine has an id.
pub fn system_id(config: &Path) -> String {
    let path = config.with_file_name(FILE);
    if let Ok(text) = std::fs::read_to_string(&path) {
        let id = text.trim();
        if is_system_id(id) {
            return id.to_owned();
        }
        tracing::warn!(path = %path.display(), "the system id is malformed and made anew");
    }
    let id = generate();
    if let Err(error) = keep(&path, &id) {
        tracing::warn!(path = %path.display(), %error, "the system id is not kept");
    }
    id
}

/// Whether GitLab takes this text for a system id.
fn is_system_id(text: &str) -> bool {
    let rest = text.strip_prefix("s_").or_else(|| text.strip_prefix("r_"));
    rest.is_some_and(|rest| {
        rest.len() == LENGTH && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

fn generate() -> String {
    let machine = MACHINE_IDS
        .iter()
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .map(|text| text.trim().to_owned())
        .find(|text| !text.is_empty());
    match machine {
        Some(machine) => from_machine(&machine),
        None => at_random(),
    }
}

/// The machine's id itself stays secret, as its manual asks for.
fn from_machine(machine: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, machine.as_bytes());
    let tag = hmac::sign(&key, b"gitlab-runner");
    let hex: String = tag.as_ref()[..LENGTH / 2]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("s_{hex}")
}

fn at_random() -> String {
    let mut bytes = [0; LENGTH];
    if SystemRandom::new().fill(&mut bytes).is_err() {
        tracing::warn!("the operating system gives no random numbers");
    }
    let digits = b"0123456789abcdefghijklmnopqrstuv";
    let text: String = bytes
        .iter()
        .map(|byte| char::from(digits[usize::from(byte % 32)]))
        .collect();
    format!("r_{text}")
}

fn keep(path: &Path, id: &str) -> std::io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(id.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_made_once() {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("config.toml");
        let first = system_id(&config);
        assert!(is_system_id(&first), "{first}");
        assert_eq!(system_id(&config), first);
        let path = directory.path().join(FILE);
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(&path, "x_0123456789ab").unwrap();
        assert!(is_system_id(&system_id(&config)));
        std::fs::write(&path, " r_0123456789aB\n").unwrap();
        assert_eq!(system_id(&config), "r_0123456789aB");
    }

    #[test]
    fn ids_have_the_shape_gitlab_takes() {
        assert!(is_system_id(&at_random()));
        let id = from_machine("0123456789abcdef0123456789abcdef");
        assert!(id.starts_with("s_") && is_system_id(&id), "{id}");
        for wrong in [
            "",
            "s_",
            "s_0123456789a",
            "t_0123456789ab",
            "s_0123456789a-",
        ] {
            assert!(!is_system_id(wrong), "{wrong}");
        }
    }
}
