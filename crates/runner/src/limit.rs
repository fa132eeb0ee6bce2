//! The size limit of a job's log.

/// Counts the log's bytes and cuts it where the limit is reached.
#[derive(Debug)]
pub(crate) struct OutputLimit {
    limit: u64,
    written: u64,
    reached: bool,
}

impl OutputLimit {
    /// A limit of so many bytes for the whole log.
    pub(crate) fn new(limit: u64) -> Self {
        Self {
            limit,
            written: 0,
            reached: false,
        }
    }

    /// Appends to `output` what still fits of `bytes`. The write that reaches the limit is
    /// cut, not inside a UTF-8 character, and followed by a notice; later ones are dropped.
    pub(crate) fn apply(&mut self, bytes: &[u8], output: &mut Vec<u8>) {
        if self.reached {
            return;
        }
        let room = self.limit - self.written;
        if (bytes.len() as u64) < room {
            self.written += bytes.len() as u64;
            output.extend_from_slice(bytes);
            return;
        }
        self.reached = true;
        let cut = character_start(bytes, usize::try_from(room).unwrap_or(bytes.len()));
        output.extend_from_slice(&bytes[..cut]);
        output.extend_from_slice(
            format!(
                "\n\x1b[33;1mJob's log exceeded limit of {} bytes.\n\
                 Job execution will continue but no more output will be collected.\x1b[0;m\n",
                self.limit
            )
            .as_bytes(),
        );
    }
}

/// The last place at or before `position` that is not inside a UTF-8 character.
fn character_start(bytes: &[u8], position: usize) -> usize {
    let is_continuation = |at: usize| bytes.get(at).is_some_and(|byte| byte & 0xC0 == 0x80);
    (position.saturating_sub(3)..=position)
        .rev()
        .find(|at| !is_continuation(*at))
        .unwrap_or(position)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(limit: u64, writes: &[&[u8]]) -> String {
        let mut output = Vec::new();
        let mut filter = OutputLimit::new(limit);
        for bytes in writes {
            filter.apply(bytes, &mut output);
        }
        String::from_utf8_lossy(&output).into_owned()
    }

    #[test]
    fn the_write_that_reaches_the_limit_is_cut_and_explained() {
        let notice = "\n\x1b[33;1mJob's log exceeded limit of 5 bytes.\nJob execution will \
                      continue but no more output will be collected.\x1b[0;m\n";
        for (writes, kept, cut) in [
            (&[&b"1234"[..]][..], "1234", false),
            (&[b"12345"], "12345", true),
            (&[b"123", b"456", b"789"], "12345", true),
            (&["1234ü".as_bytes()], "1234", true),
            (&["123üx".as_bytes()], "123ü", true),
            (&["12€".as_bytes(), b"x"], "12€", true),
            (&["123€".as_bytes()], "123", true),
        ] {
            let expected = format!("{kept}{}", if cut { notice } else { "" });
            assert_eq!(apply(5, writes), expected, "{writes:?}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_are_cut_anywhere() {
        assert!(apply(5, &[&[0x80; 9]]).starts_with(&"\u{fffd}".repeat(5)));
    }
}
