//! Git's framing: every packet begins with its length in four hexadecimal digits
//! (gitprotocol-common, "pkt-line Format").

/// The digits that count themselves.
pub(super) const LENGTH_DIGITS: usize = 4;

/// The longest packet with its digits (`LARGE_PACKET_MAX`).
const LONGEST_PACKET: usize = 65_520;

/// The packet that ends a section.
pub(super) const FLUSH: &[u8] = b"0000";

/// The side-band that carries the answer itself.
pub(super) const BAND_DATA: u8 = 1;

/// The side-band whose text the client shows after `remote: `.
pub(super) const BAND_MESSAGES: u8 = 2;

/// What four digits announce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Header {
    /// The end of a section.
    Flush,
    /// A packet with this many bytes after the digits.
    Data(usize),
}

/// Four bytes that begin no packet that may stand here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not the length of a packet; four hexadecimal digits were expected", .0.escape_ascii())]
pub struct BadLength(pub(super) [u8; LENGTH_DIGITS]);

/// Reads the four digits. The delimiters of protocol version 2 are refused: no request that is
/// parsed here has them.
pub(super) fn header(digits: [u8; LENGTH_DIGITS]) -> Result<Header, BadLength> {
    let length = digits.iter().try_fold(0, |length, digit| {
        let digit = (*digit as char).to_digit(16)?;
        Some(length * 16 + digit as usize)
    });
    match length {
        Some(0) => Ok(Header::Flush),
        Some(length @ LENGTH_DIGITS..=LONGEST_PACKET) => Ok(Header::Data(length - LENGTH_DIGITS)),
        _ => Err(BadLength(digits)),
    }
}

/// Appends one packet. The payload must fit, which is so for every text made here.
pub(super) fn packet(payload: &[u8], into: &mut Vec<u8>) {
    debug_assert!(payload.len() + LENGTH_DIGITS <= LONGEST_PACKET);
    into.extend_from_slice(format!("{:04x}", payload.len() + LENGTH_DIGITS).as_bytes());
    into.extend_from_slice(payload);
}

/// Appends data on a side-band, in as many packets as it takes.
pub(super) fn side_band(band: u8, data: &[u8], into: &mut Vec<u8>) {
    for piece in data.chunks(LONGEST_PACKET - LENGTH_DIGITS - 1) {
        into.extend_from_slice(format!("{:04x}", piece.len() + LENGTH_DIGITS + 1).as_bytes());
        into.push(band);
        into.extend_from_slice(piece);
    }
}

/// Appends lines that the client shows after `remote: `. Control characters are left out:
/// the texts may hold names that somebody else chose, and they end up in a terminal.
pub(super) fn messages<'a>(lines: impl IntoIterator<Item = &'a str>, into: &mut Vec<u8>) {
    for text in lines {
        for line in text.lines() {
            let mut shown: String = line.chars().filter(|c| !c.is_control()).collect();
            shown.push('\n');
            side_band(BAND_MESSAGES, shown.as_bytes(), into);
        }
    }
}

/// The packets of a whole text, for tests and for the report inside a side-band; `None` stands
/// for a flush. Anything after a fault is left out.
pub(super) fn split(mut bytes: &[u8]) -> Vec<Option<&[u8]>> {
    let mut packets = Vec::new();
    while let Some((digits, rest)) = bytes.split_first_chunk::<LENGTH_DIGITS>() {
        match header(*digits) {
            Ok(Header::Flush) => {
                packets.push(None);
                bytes = rest;
            }
            Ok(Header::Data(length)) if length <= rest.len() => {
                packets.push(Some(&rest[..length]));
                bytes = &rest[length..];
            }
            _ => break,
        }
    }
    packets
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths() {
        for (digits, expected) in [
            (b"0000", Ok(Header::Flush)),
            (b"0004", Ok(Header::Data(0))),
            (b"000a", Ok(Header::Data(6))),
            (b"000A", Ok(Header::Data(6))),
            (b"fff0", Ok(Header::Data(65_516))),
            (b"fff1", Err(BadLength(*b"fff1"))),
            (b"0001", Err(BadLength(*b"0001"))),
            (b"0003", Err(BadLength(*b"0003"))),
            (b"+004", Err(BadLength(*b"+004"))),
            (b"PACK", Err(BadLength(*b"PACK"))),
            (b"\xff\xff\xff\xff", Err(BadLength(*b"\xff\xff\xff\xff"))),
        ] {
            assert_eq!(header(*digits), expected, "{}", digits.escape_ascii());
        }
    }

    #[test]
    fn messages_are_lines_without_control_characters() {
        let mut bytes = Vec::new();
        messages(["one\ntwo\x1b[31m", ""], &mut bytes);
        assert_eq!(bytes, b"0009\x02one\n000d\x02two[31m\n");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(length in 0..200_000_usize, byte in any::<u8>()) {
            let data = vec![byte; length];
            let mut bytes = Vec::new();
            side_band(BAND_DATA, &data, &mut bytes);
            let read: Vec<u8> = split(&bytes)
                .into_iter()
                .flat_map(|packet| packet.expect("no flush")[1..].to_vec())
                .collect();
            prop_assert_eq!(read, data);
        }

        #[test]
        fn any_bytes_can_be_split(data in prop::collection::vec(any::<u8>(), 0..500)) {
            split(&data);
        }
    }
}
