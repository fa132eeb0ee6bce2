//! A client that costs next to nothing: one connection, kept, a call at a time.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A kept connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    address: SocketAddr,
    received: Vec<u8>,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        let found = lines.find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim())
    }

    pub(crate) fn is(self, status: u16) -> Self {
        let body = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{}\n{body}", self.head);
        self
    }
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("a connection");
        stream.set_nodelay(true).expect("a connection");
        Self {
            stream,
            address,
            received: Vec::new(),
        }
    }

    /// `headers` are lines, each with its end.
    pub(crate) async fn call(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: &[u8],
    ) -> Answer {
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n{headers}\r\n",
            self.address,
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        self.stream.write_all(&request).await.expect("sent");
        let head = loop {
            let end = self
                .received
                .windows(4)
                .position(|four| four == b"\r\n\r\n");
            match end {
                Some(end) => {
                    let rest = self.received.split_off(end + 4);
                    let head = std::mem::replace(&mut self.received, rest);
                    break String::from_utf8(head).expect("a head of text");
                }
                None => self.receive().await,
            }
        };
        let status = head.get(9..12).and_then(|code| code.parse().ok());
        let mut answer = Answer {
            status: status.expect("a status"),
            head,
            body: Vec::new(),
        };
        let length = match (answer.status, answer.header("content-length")) {
            (204 | 304, _) => 0,
            (_, Some(length)) => length.parse().expect("a length"),
            (_, None) => panic!("no length, which is not read here: {}", answer.head),
        };
        while self.received.len() < length {
            self.receive().await;
        }
        let rest = self.received.split_off(length);
        answer.body = std::mem::replace(&mut self.received, rest);
        answer
    }

    async fn receive(&mut self) {
        let length = self.stream.read_buf(&mut self.received).await;
        assert_ne!(length.expect("received"), 0, "the server hung up");
    }
}
