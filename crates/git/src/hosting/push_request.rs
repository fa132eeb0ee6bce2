//! The beginning of a push: which refs are to move, before the pack
//! (gitprotocol-pack, "Reference Update Request and Packfile Transfer").
//!
//! It is read into plain data, judged, and written anew for git. So git never sees a byte that
//! was judged in another reading than its own.

use super::pkt_line;

/// One push may move at most this many refs.
const MOST_COMMANDS: usize = 20_000;

/// One push may carry at most this many options.
const MOST_OPTIONS: usize = 256;

/// The whole beginning in bytes at most; it is held in memory.
const LONGEST_REQUEST: usize = 8 * 1024 * 1024;

/// The length of an object's id. Repositories here are of git's usual format, SHA-1.
const ID_LENGTH: usize = 40;

/// The object id that stands for none.
pub const ZERO_ID: &str = "0000000000000000000000000000000000000000";

/// A ref that moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefUpdate {
    /// The full name, `refs/heads/main`.
    pub name: String,
    /// The object id before; none when the ref is created.
    pub old: Option<String>,
    /// The object id after; none when the ref is deleted.
    pub new: Option<String>,
}

impl RefUpdate {
    /// The branch's name without `refs/heads/`.
    pub fn branch(&self) -> Option<&str> {
        self.name.strip_prefix("refs/heads/")
    }

    /// The tag's name without `refs/tags/`.
    pub fn tag(&self) -> Option<&str> {
        self.name.strip_prefix("refs/tags/")
    }

    /// The id before, or [`ZERO_ID`].
    pub fn before(&self) -> &str {
        self.old.as_deref().unwrap_or(ZERO_ID)
    }

    /// The id after, or [`ZERO_ID`].
    pub fn after(&self) -> &str {
        self.new.as_deref().unwrap_or(ZERO_ID)
    }
}

/// Why a push cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PushRequestError {
    /// A packet's length is wrong.
    #[error("the push cannot be read")]
    Length(#[source] pkt_line::BadLength),
    /// A line is none of those that the protocol has here.
    #[error("the push has a line that is not understood: `{0}`")]
    Line(String),
    /// The client signs its pushes, which was not offered.
    #[error("signed pushes are not supported; push with `--signed=no`")]
    Signed,
    /// The client works with another object format.
    #[error("the push is of object format `{0}`; repositories here are of format `sha1`")]
    ObjectFormat(String),
    /// One ref is named twice.
    #[error("the push moves `{0}` twice")]
    Twice(String),
    /// More refs than allowed.
    #[error("the push moves more than {MOST_COMMANDS} refs; push them in several parts")]
    TooManyRefs,
    /// More options than allowed.
    #[error("the push has more than {MOST_OPTIONS} push options")]
    TooManyOptions,
    /// More bytes than allowed.
    #[error(
        "the list of refs to push is longer than {LONGEST_REQUEST} bytes; push them in several parts"
    )]
    TooLong,
}

/// The beginning of a push.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PushRequest {
    pub(super) updates: Vec<RefUpdate>,
    /// Commits whose parents the client does not have.
    shallow: Vec<String>,
    pub(super) options: Vec<String>,
    /// The client wants to know what became of each ref.
    pub(super) report_status: bool,
    /// The client takes messages beside the answer.
    pub(super) side_band: bool,
    atomic: bool,
    quiet: bool,
    push_options: bool,
}

impl PushRequest {
    /// The request for git, with a report and messages whether or not the client wants them:
    /// we want to know what happened. The options stay with us.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for id in &self.shallow {
            pkt_line::packet(format!("shallow {id}").as_bytes(), &mut bytes);
        }
        let mut capabilities = "\0 report-status side-band-64k object-format=sha1".to_owned();
        for (wanted, name) in [(self.atomic, " atomic"), (self.quiet, " quiet")] {
            if wanted {
                capabilities.push_str(name);
            }
        }
        for (index, update) in self.updates.iter().enumerate() {
            let capabilities = if index == 0 { &capabilities } else { "" };
            let (old, new) = (update.before(), update.after());
            let line = format!("{old} {new} {}{capabilities}", update.name);
            pkt_line::packet(line.as_bytes(), &mut bytes);
        }
        bytes.extend_from_slice(pkt_line::FLUSH);
        bytes
    }
}

/// Reads a [`PushRequest`] packet by packet.
#[derive(Debug, Default)]
pub(super) struct Parser {
    request: PushRequest,
    names: std::collections::HashSet<String>,
    in_options: bool,
    length: usize,
}

impl Parser {
    /// Takes the next packet, or the flush for `None`. True when the request is complete.
    pub(super) fn packet(&mut self, packet: Option<&[u8]>) -> Result<bool, PushRequestError> {
        let Some(line) = packet else {
            if self.in_options || !self.request.push_options {
                return Ok(true);
            }
            self.in_options = true;
            return Ok(false);
        };
        self.length += line.len() + pkt_line::LENGTH_DIGITS;
        if self.length > LONGEST_REQUEST {
            return Err(PushRequestError::TooLong);
        }
        let not_understood = || {
            let shown = &line[..line.len().min(200)];
            PushRequestError::Line(shown.escape_ascii().to_string())
        };
        let text = std::str::from_utf8(line).map_err(|_| not_understood())?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        if self.in_options {
            return self.option(text).map(|()| false);
        }
        if let Some(id) = text.strip_prefix("shallow ") {
            let id = object_id(id).ok_or_else(not_understood)?;
            self.request.shallow.push(id);
            return Ok(false);
        }
        let (command, capabilities) = match text.split_once('\0') {
            Some((command, capabilities)) => (command, Some(capabilities)),
            None => (text, None),
        };
        if command == "push-cert" {
            return Err(PushRequestError::Signed);
        }
        if let Some(capabilities) = capabilities {
            // Only the first command may carry them; a second set would be read by git too.
            if !self.request.updates.is_empty() {
                return Err(not_understood());
            }
            self.capabilities(capabilities)?;
        }
        let update = command_of(command).ok_or_else(not_understood)?;
        if self.request.updates.len() == MOST_COMMANDS {
            return Err(PushRequestError::TooManyRefs);
        }
        if !self.names.insert(update.name.clone()) {
            return Err(PushRequestError::Twice(update.name));
        }
        self.request.updates.push(update);
        Ok(false)
    }

    pub(super) fn finish(self) -> PushRequest {
        self.request
    }

    fn option(&mut self, text: &str) -> Result<(), PushRequestError> {
        if self.request.options.len() == MOST_OPTIONS {
            return Err(PushRequestError::TooManyOptions);
        }
        self.request.options.push(text.to_owned());
        Ok(())
    }

    fn capabilities(&mut self, capabilities: &str) -> Result<(), PushRequestError> {
        let request = &mut self.request;
        for capability in capabilities.split(' ') {
            match capability {
                "report-status" | "report-status-v2" => request.report_status = true,
                "side-band-64k" => request.side_band = true,
                "atomic" => request.atomic = true,
                "quiet" => request.quiet = true,
                "push-options" => request.push_options = true,
                _ => match capability.split_once('=') {
                    Some(("object-format", format)) if format != "sha1" => {
                        return Err(PushRequestError::ObjectFormat(format.to_owned()));
                    }
                    // `agent=…`, `session-id=…` and what was not offered.
                    _ => {}
                },
            }
        }
        Ok(())
    }
}

fn command_of(command: &str) -> Option<RefUpdate> {
    let mut fields = command.splitn(3, ' ');
    let mut id = || fields.next().and_then(object_id);
    let (old, new) = (id()?, id()?);
    let name = fields.next().filter(|name| !name.is_empty())?;
    let known = |id: String| (id != ZERO_ID).then_some(id);
    Some(RefUpdate {
        // Control characters would break the lines of messages and of git's own answers.
        name: name
            .chars()
            .all(|c| !c.is_control())
            .then(|| name.to_owned())?,
        old: known(old),
        new: known(new),
    })
}

/// An object's full id in lower case.
pub(super) fn object_id(text: &str) -> Option<String> {
    let id = text.len() == ID_LENGTH && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    id.then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    /// Parses packets given as texts, a flush for `None`.
    fn parse(packets: &[Option<&str>]) -> Result<Option<PushRequest>, PushRequestError> {
        let mut parser = Parser::default();
        for packet in packets {
            if parser.packet(packet.map(str::as_bytes))? {
                return Ok(Some(parser.finish()));
            }
        }
        Ok(None)
    }

    fn update(name: &str, old: Option<&str>, new: Option<&str>) -> RefUpdate {
        RefUpdate {
            name: name.to_owned(),
            old: old.map(str::to_owned),
            new: new.map(str::to_owned),
        }
    }

    #[test]
    fn a_whole_request() {
        let capabilities = "report-status-v2 side-band-64k atomic push-options agent=git/2";
        let request = parse(&[
            Some(&format!("shallow {A}")),
            Some(&format!("{A} {B} refs/heads/main\0 {capabilities}")),
            Some(&format!("{ZERO_ID} {B} refs/heads/new\n")),
            Some(&format!("{A} {ZERO_ID} refs/tags/old")),
            None,
            Some("ci.skip"),
            Some("ci.variable=A=b c"),
            None,
        ]);
        let request = request.expect("parsed").expect("complete");
        let updates = [
            update("refs/heads/main", Some(A), Some(B)),
            update("refs/heads/new", None, Some(B)),
            update("refs/tags/old", Some(A), None),
        ];
        assert_eq!(request.updates, updates);
        assert_eq!(request.options, ["ci.skip", "ci.variable=A=b c"]);
        assert!(request.report_status && request.side_band);

        let encoded = request.encode();
        let lines: Vec<_> = pkt_line::split(&encoded)
            .into_iter()
            .map(|packet| packet.map(|line| String::from_utf8_lossy(line).into_owned()))
            .collect();
        let expected = [
            Some(format!("shallow {A}")),
            Some(format!(
                "{A} {B} refs/heads/main\0 report-status side-band-64k object-format=sha1 atomic"
            )),
            Some(format!("{ZERO_ID} {B} refs/heads/new")),
            Some(format!("{A} {ZERO_ID} refs/tags/old")),
            None,
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn requests_without_anything_to_move() {
        let empty = parse(&[None]).expect("parsed").expect("complete");
        assert_eq!(empty, PushRequest::default());
        assert_eq!(parse(&[]), Ok(None));
    }

    #[test]
    fn faults() {
        let line = |text: &str| PushRequestError::Line(text.as_bytes().escape_ascii().to_string());
        let first = format!("{A} {B} refs/heads/x\0 atomic");
        let twice = format!("{A} {B} refs/heads/x");
        let more = format!("{A} {B} refs/heads/y\0 push-options");
        let sha256 = format!("{A} {B} refs/heads/x\0object-format=sha256");
        for (packets, expected) in [
            (vec![""], line("")),
            (vec!["shallow x"], line("shallow x")),
            (vec!["push-cert\0 atomic"], PushRequestError::Signed),
            (vec![A], line(A)),
            (vec![&first, &more], line(&more)),
            (
                vec![&first, &twice],
                PushRequestError::Twice("refs/heads/x".to_owned()),
            ),
            (
                vec![&sha256],
                PushRequestError::ObjectFormat("sha256".to_owned()),
            ),
        ] {
            let packets: Vec<_> = packets.iter().map(|text| Some(*text)).collect();
            assert_eq!(parse(&packets), Err(expected), "{packets:?}");
        }
        for name in ["", "a\nb", "a\tb"] {
            assert!(
                parse(&[Some(&format!("{A} {B} {name}\0"))]).is_err(),
                "{name:?}"
            );
        }
        assert!(Parser::default().packet(Some(b"\xff")).is_err());
    }

    #[test]
    fn limits() {
        let mut parser = Parser::default();
        for index in 0..MOST_COMMANDS {
            let line = format!("{A} {B} refs/heads/{index}");
            assert_eq!(parser.packet(Some(line.as_bytes())), Ok(false));
        }
        let line = format!("{A} {B} refs/heads/more");
        assert_eq!(
            parser.packet(Some(line.as_bytes())),
            Err(PushRequestError::TooManyRefs)
        );

        let mut parser = Parser::default();
        let first = format!("{A} {B} refs/heads/x\0push-options");
        parser.packet(Some(first.as_bytes())).expect("command");
        parser.packet(None).expect("flush");
        for _ in 0..MOST_OPTIONS {
            parser.packet(Some(b"o")).expect("option");
        }
        assert_eq!(
            parser.packet(Some(b"o")),
            Err(PushRequestError::TooManyOptions)
        );

        let mut parser = Parser::default();
        parser.packet(Some(first.as_bytes())).expect("command");
        parser.packet(None).expect("flush");
        let long = vec![b'o'; 65_000];
        let fault = std::iter::repeat_with(|| parser.packet(Some(&long))).find_map(Result::err);
        assert_eq!(fault, Some(PushRequestError::TooLong));
    }

    proptest! {
        #[test]
        fn any_packets_are_read_or_refused(
            packets in prop::collection::vec(
                prop::option::of(prop::collection::vec(any::<u8>(), 0..200)), 0..20),
        ) {
            let mut parser = Parser::default();
            for packet in &packets {
                if !matches!(parser.packet(packet.as_deref()), Ok(false)) {
                    break;
                }
            }
        }

        /// What is written for git reads as what was understood.
        #[test]
        fn what_git_gets_is_what_was_judged(
            lines in prop::collection::vec(
                ("[0-9a-f]{40}|0{40}", "[0-9a-f]{40}|0{40}", "refs/[a-zé /]{1,12}",
                 "|\0 ?(atomic|quiet|push-options|x=y)( side-band-64k)?"), 1..5),
        ) {
            let mut parser = Parser::default();
            for (old, new, name, capabilities) in lines {
                let line = format!("{old} {new} {name}{capabilities}");
                if parser.packet(Some(line.as_bytes())).is_err() {
                    return Ok(());
                }
            }
            let request = parser.finish();
            let mut again = Parser::default();
            for packet in pkt_line::split(&request.encode()) {
                again.packet(packet).expect("well-formed");
            }
            let again = again.finish();
            prop_assert_eq!(again.updates, request.updates);
            prop_assert_eq!((again.atomic, again.quiet), (request.atomic, request.quiet));
        }
    }
}
