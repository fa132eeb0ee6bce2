//! The two directions of a request, in constant memory: what the client sends and what it is
//! sent.

use std::io;
use std::io::Write;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use flate2::write::GzDecoder;
use futures_util::Stream;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;

/// So many bytes are read at once.
const PIECE: usize = 64 * 1024;

/// Compressed bytes are unpacked in smaller pieces, because one can grow a thousandfold.
const COMPRESSED_PIECE: usize = 4 * 1024;

/// So many pieces may wait for the client. With [`PIECE`] that bounds the memory.
const PIECES_WAITING: usize = 4;

/// How a request's body is packed: the header `Content-Encoding`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    Identity,
    /// By gzip, as git sends long lists of commits.
    Gzip,
}

impl Encoding {
    /// Reads the header `Content-Encoding`; `None` for a packing that git does not use, to be
    /// answered with 415.
    pub fn parse(header: Option<&str>) -> Option<Self> {
        match header.map(str::trim) {
            None | Some("") => Some(Self::Identity),
            Some(name) if name.eq_ignore_ascii_case("identity") => Some(Self::Identity),
            Some(name)
                if ["gzip", "x-gzip"]
                    .iter()
                    .any(|g| name.eq_ignore_ascii_case(g)) =>
            {
                Some(Self::Gzip)
            }
            Some(_) => None,
        }
    }
}

/// Why what the client sends cannot be read any further.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The connection broke, most often because the client was stopped.
    #[error("the client's request broke off")]
    Broken(#[source] io::Error),
    /// The body ended before the request was complete.
    #[error("the client's request ended too early")]
    Truncated,
    /// The body is not what `Content-Encoding` said.
    #[error("the request's body is not in gzip format, although its header says so")]
    Gzip(#[source] io::Error),
    /// More bytes than allowed.
    #[error("the request has more than {limit} bytes")]
    TooLong {
        /// The limit in bytes, after unpacking.
        limit: u64,
    },
    /// Nothing came for too long.
    #[error("the client sent nothing for {} seconds", limit.as_secs())]
    Idle {
        /// The limit.
        limit: Duration,
    },
}

/// What the client sends.
pub(super) struct Input {
    reader: Box<dyn AsyncRead + Send + Unpin>,
    decoder: Option<GzDecoder<Vec<u8>>>,
    /// Unpacked and not yet taken.
    ready: BytesMut,
    /// Unpacked bytes so far.
    received: u64,
    limit: u64,
    idle: Duration,
}

impl Input {
    pub(super) fn new(
        reader: impl AsyncRead + Send + Unpin + 'static,
        encoding: Encoding,
        limit: u64,
        idle: Duration,
    ) -> Self {
        Self {
            reader: Box::new(reader),
            decoder: (encoding == Encoding::Gzip).then(|| GzDecoder::new(Vec::new())),
            ready: BytesMut::new(),
            received: 0,
            limit,
            idle,
        }
    }

    /// The next bytes, at least one; `None` at the end.
    pub(super) async fn piece(&mut self) -> Result<Option<Bytes>, InputError> {
        while self.ready.is_empty() {
            if !self.fill().await? {
                return Ok(None);
            }
        }
        Ok(Some(self.ready.split().freeze()))
    }

    /// Exactly this many bytes.
    pub(super) async fn exactly(&mut self, length: usize) -> Result<Bytes, InputError> {
        while self.ready.len() < length {
            if !self.fill().await? {
                return Err(InputError::Truncated);
            }
        }
        Ok(self.ready.split_to(length).freeze())
    }

    /// Reads to the end and forgets it, so that a client that writes first and reads then gets
    /// its answer.
    pub(super) async fn discard(&mut self) -> Result<(), InputError> {
        while self.piece().await?.is_some() {}
        Ok(())
    }

    /// Reads once; false at the end.
    async fn fill(&mut self) -> Result<bool, InputError> {
        let before = self.ready.len();
        let read = match &mut self.decoder {
            None => {
                self.ready.reserve(PIECE);
                let mut limited = (&mut self.reader).take(PIECE as u64);
                timeout(self.idle, limited.read_buf(&mut self.ready)).await?
            }
            Some(decoder) => {
                let mut piece = [0; COMPRESSED_PIECE];
                let read = timeout(self.idle, self.reader.read(&mut piece)).await?;
                let unpacked = match read {
                    0 => decoder.try_finish(),
                    read => decoder.write_all(&piece[..read]),
                };
                unpacked.map_err(InputError::Gzip)?;
                self.ready.extend_from_slice(decoder.get_ref());
                decoder.get_mut().clear();
                read
            }
        };
        let added = self.ready.len() - before;
        self.received += added as u64;
        if self.received > self.limit {
            return Err(InputError::TooLong { limit: self.limit });
        }
        Ok(read > 0 || added > 0)
    }
}

async fn timeout<T>(
    limit: Duration,
    reading: impl Future<Output = io::Result<T>>,
) -> Result<T, InputError> {
    match tokio::time::timeout(limit, reading).await {
        Ok(read) => read.map_err(InputError::Broken),
        Err(_) => Err(InputError::Idle { limit }),
    }
}

/// What the client is sent, as it comes. Dropping it stops reading for the client; a push
/// that git already has is finished all the same.
#[derive(Debug)]
pub struct Output(mpsc::Receiver<io::Result<Bytes>>);

impl Output {
    /// An output and its other end.
    pub(super) fn channel() -> (Sender, Self) {
        let (sender, receiver) = mpsc::channel(PIECES_WAITING);
        (Sender(sender), Self(receiver))
    }

    /// An output whose content is there already.
    pub(super) fn ready(content: Vec<u8>) -> Self {
        let (sender, receiver) = mpsc::channel(1);
        if !content.is_empty() {
            sender.try_send(Ok(content.into())).ok();
        }
        Self(receiver)
    }

    /// The next bytes; `None` at the end.
    pub async fn next(&mut self) -> Option<io::Result<Bytes>> {
        self.0.recv().await
    }
}

impl Stream for Output {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context)
    }
}

/// The end of an [`Output`] that is written.
#[derive(Debug, Clone)]
pub(super) struct Sender(mpsc::Sender<io::Result<Bytes>>);

impl Sender {
    /// Sends bytes; false when nobody takes them any more, or not within the time.
    pub(super) async fn send(&self, bytes: impl Into<Bytes>, limit: Duration) -> bool {
        let bytes = bytes.into();
        !bytes.has_remaining() || self.0.send_timeout(Ok(bytes), limit).await.is_ok()
    }

    /// Ends the output with a fault, so that the client does not take it for complete.
    pub(super) async fn fail(&self, fault: io::Error, limit: Duration) {
        self.0.send_timeout(Err(fault), limit).await.ok();
    }

    /// Resolves when nobody reads any more.
    pub(super) async fn closed(&self) {
        self.0.closed().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    const IDLE: Duration = Duration::from_secs(5);

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    }

    async fn read(bytes: Vec<u8>, encoding: Encoding, limit: u64) -> Result<Vec<u8>, InputError> {
        let mut input = Input::new(io::Cursor::new(bytes), encoding, limit, IDLE);
        let mut all = Vec::new();
        while let Some(piece) = input.piece().await? {
            all.extend_from_slice(&piece);
        }
        Ok(all)
    }

    #[test]
    fn encodings() {
        for (header, expected) in [
            (None, Some(Encoding::Identity)),
            (Some("identity"), Some(Encoding::Identity)),
            (Some("gzip"), Some(Encoding::Gzip)),
            (Some("X-Gzip"), Some(Encoding::Gzip)),
            (Some("br"), None),
            (Some("gzip, gzip"), None),
        ] {
            assert_eq!(Encoding::parse(header), expected, "{header:?}");
        }
    }

    #[tokio::test]
    async fn both_encodings_give_the_same_bytes() {
        let bytes: Vec<u8> = (0..500_000_u32).flat_map(u32::to_le_bytes).collect();
        let plain = read(bytes.clone(), Encoding::Identity, u64::MAX).await;
        assert_eq!(plain.expect("plain"), bytes);
        let packed = read(gzip(&bytes), Encoding::Gzip, u64::MAX).await;
        assert_eq!(packed.expect("packed"), bytes);
    }

    #[tokio::test]
    async fn a_small_body_that_unpacks_to_a_huge_one_meets_the_limit() {
        let bomb = gzip(&vec![0; 20_000_000]);
        assert!(bomb.len() < 200_000);
        let refused = read(bomb, Encoding::Gzip, 1_000_000).await;
        assert!(matches!(
            refused,
            Err(InputError::TooLong { limit: 1_000_000 })
        ));
    }

    #[tokio::test]
    async fn faults_of_the_client() {
        let refused = read(b"no gzip at all".to_vec(), Encoding::Gzip, 100).await;
        assert!(matches!(refused, Err(InputError::Gzip(_))), "{refused:?}");

        let mut cut = gzip(&[7; 10_000]);
        cut.truncate(20);
        let refused = read(cut, Encoding::Gzip, 100_000).await;
        assert!(matches!(refused, Err(InputError::Gzip(_))), "{refused:?}");

        let mut input = Input::new(&b"abc"[..], Encoding::Identity, 100, IDLE);
        let refused = input.exactly(4).await;
        assert!(matches!(refused, Err(InputError::Truncated)), "{refused:?}");

        let (_silent, reader) = tokio::io::duplex(10);
        let brief = Duration::from_millis(10);
        let mut input = Input::new(reader, Encoding::Identity, 100, brief);
        let refused = input.piece().await;
        assert!(
            matches!(refused, Err(InputError::Idle { .. })),
            "{refused:?}"
        );
    }
}
