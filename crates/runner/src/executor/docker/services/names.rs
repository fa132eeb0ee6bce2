//! The host names and ports of services, as plain text.

use shipway_protocol::Variable;

/// The port that alone tells whether a service is up, where the service names it.
const PORT_VARIABLE: &str = "HEALTHCHECK_TCP_PORT";
/// So many exposed ports of an image are tried, the lowest ones.
const PORTS: usize = 20;

/// The host names of a service: its image without registry tag and digest, once with `/` as
/// `__` and once as `-`, and every alias (`runner-protocol.md` G.1.7).
pub(super) fn host_names(image: &str, alias: Option<&str>) -> Vec<String> {
    let name = image.split('@').next().unwrap_or_default();
    let mut parts: Vec<&str> = name.split('/').collect();
    // Behind a colon stands a tag or, in a registry's address, a port.
    for part in &mut parts {
        *part = part.split(':').next().unwrap_or_default();
    }
    let mut names = Vec::new();
    let aliases = alias.unwrap_or_default();
    let aliases = aliases.split([',', ' ', '\t', '\n']).map(str::to_owned);
    for name in [parts.join("__"), parts.join("-")]
        .into_iter()
        .chain(aliases)
    {
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The ports of which one has to accept connections: the one that the service's own variables
/// name, else what the image exposes. None means that there is nothing to try.
pub(super) fn ports(exposed: &[String], variables: &[Variable]) -> Vec<u16> {
    let named = variables.iter().rfind(|named| named.key == PORT_VARIABLE);
    if let Some(port) = named.and_then(|named| named.value.trim().parse().ok()) {
        return vec![port];
    }
    let mut ports: Vec<u16> = exposed
        .iter()
        .filter_map(|port| match port.split_once('/') {
            Some((port, "tcp")) => port.parse().ok(),
            Some(_) => None,
            None => port.parse().ok(),
        })
        .collect();
    ports.sort_unstable();
    ports.dedup();
    ports.truncate(PORTS);
    ports
}

/// Whether one of `ports` is listened on beyond the loopback address, by the text of
/// `/proc/net/tcp` and `/proc/net/tcp6`.
pub(super) fn is_listening(table: &str, ports: &[u16]) -> bool {
    const LISTEN: &str = "0A";
    table.lines().any(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (Some(local), Some(_), Some(LISTEN)) = (fields.next(), fields.next(), fields.next())
        else {
            return false;
        };
        let Some((address, port)) = local.rsplit_once(':') else {
            return false;
        };
        // Addresses stand there in the byte order of the machine.
        let loopback = address.ends_with("7F") && address.len() == 8
            || address == "00000000000000000000000001000000";
        !loopback && u16::from_str_radix(port, 16).is_ok_and(|port| ports.contains(&port))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_called_by_their_images_and_aliases() {
        for (image, alias, names) in [
            ("postgres", None, &["postgres"][..]),
            ("postgres:16-alpine", Some(""), &["postgres"]),
            (
                "tutum/wordpress:latest",
                None,
                &["tutum__wordpress", "tutum-wordpress"],
            ),
            (
                "registry.example.com:5000/group/pg:16",
                Some("db, cache  postgres,db"),
                &[
                    "registry.example.com__group__pg",
                    "registry.example.com-group-pg",
                    "db",
                    "cache",
                    "postgres",
                ],
            ),
            ("a/b@sha256:12", None, &["a__b", "a-b"]),
        ] {
            assert_eq!(host_names(image, alias), names, "{image}");
        }
    }

    #[test]
    fn ports_are_those_exposed_unless_one_is_named() {
        let exposed = |ports: &[&str]| -> Vec<String> {
            ports.iter().map(|port| (*port).to_owned()).collect()
        };
        let variable = |value: &str| Variable {
            key: PORT_VARIABLE.to_owned(),
            value: value.to_owned(),
            ..Variable::default()
        };
        for (ports_of_image, variables, expected) in [
            (
                &["6379/tcp", "80/tcp", "53/udp", "80/tcp"][..],
                &[][..],
                &[80, 6379][..],
            ),
            (&["80/tcp"], &[variable("1234")], &[1234]),
            (&["80/tcp"], &[variable("none")], &[80]),
            (&[], &[], &[]),
        ] {
            assert_eq!(ports(&exposed(ports_of_image), variables), expected);
        }
        let many: Vec<String> = (1..=30).map(|port| format!("{port}/tcp")).collect();
        assert_eq!(ports(&many, &[]), (1..=20).collect::<Vec<u16>>());
    }

    #[test]
    fn who_listens_is_read_from_the_kernels_table() {
        let line = |local: &str, state: &str| {
            format!("   0: {local} 00000000:0000 {state} 00000000:00000000 00:00000000 0 0 1\n")
        };
        for (table, listens) in [
            (line("00000000:1538", "0A"), true),
            (line("0100007F:1538", "0A"), false),
            (line("00000000:1538", "01"), false),
            (line("00000000:0050", "0A"), false),
            (line("00000000000000000000000000000000:1538", "0A"), true),
            (line("00000000000000000000000001000000:1538", "0A"), false),
            ("  sl  local_address rem_address   st\n".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(is_listening(&table, &[5432]), listens, "{table}");
        }
    }
}
