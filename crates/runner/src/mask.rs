//! Secrets taken out of a stream of output, wherever the stream is cut into pieces.
//!
//! Three filters in a row: whole values of masked variables in all their forms, values of URL parameters that
//! carry credentials, and what follows the prefixes of known tokens. A filter holds back
//! the end of its input while that could be the beginning of a secret.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, MatchKind};

use crate::secret_forms::forms;

const MASK: &[u8] = b"[MASKED]";

/// URL parameters whose values are credentials, in any case.
const URL_PARAMETERS: [&str; 6] = [
    "private_token",
    "authenticity_token",
    "rss_token",
    "x-amz-signature",
    "x-amz-credential",
    "x-amz-security-token",
];

/// Prefixes of GitLab's tokens; the prefix stays visible, the rest does not.
const TOKEN_PREFIXES: [&str; 14] = [
    "glpat-",
    "gloas-",
    "gldt-",
    "glrt-",
    "glcbt-",
    "glrtr-",
    "glptt-",
    "glft-",
    "glimt-",
    "glagent-",
    "glsoat-",
    "glffct-",
    "_gitlab_session=",
    "gltok-",
];

/// More prefixes than this are not honoured, as on GitLab's own runner.
const MAX_TOKEN_PREFIXES: usize = 15;

/// All filters of one stream.
#[derive(Debug, Clone)]
pub(crate) struct Masker {
    phrases: Phrases,
    parameters: ValueMasker,
    tokens: ValueMasker,
}

impl Masker {
    /// A masker for these secret values and additional token prefixes.
    pub(crate) fn new(secrets: &[String], token_prefixes: &[String]) -> Self {
        let mut prefixes: Vec<Vec<u8>> = TOKEN_PREFIXES
            .iter()
            .map(|p| p.as_bytes().to_vec())
            .collect();
        let mut more: Vec<Vec<u8>> = token_prefixes
            .iter()
            .map(|prefix| prefix.trim().as_bytes().to_vec())
            .filter(|prefix| !prefix.is_empty() && !prefixes.contains(prefix))
            .collect();
        more.sort_by_key(Vec::len);
        let tokens = if more.is_empty() {
            KNOWN_TOKENS.clone()
        } else {
            prefixes.extend(more);
            prefixes.truncate(MAX_TOKEN_PREFIXES);
            Needles::new(prefixes, false, Searcher::Fast)
        };
        Self {
            phrases: Phrases::new(secrets),
            parameters: ValueMasker::new(PARAMETERS.clone(), |byte| {
                !(matches!(byte, b'?' | b'&')
                    || byte.is_ascii_whitespace()
                    || byte.is_ascii_control())
            }),
            tokens: ValueMasker::new(tokens, |byte| {
                byte.is_ascii_alphanumeric() || b"._=-".contains(&byte)
            }),
        }
    }

    /// Takes the next piece of the stream and appends what is safe to show to `output`.
    pub(crate) fn push(&mut self, bytes: &[u8], output: &mut Vec<u8>) {
        let (mut masked, mut stripped) = (Vec::new(), Vec::new());
        self.phrases.push(bytes, &mut masked);
        self.parameters.push(&masked, &mut stripped);
        self.tokens.push(&stripped, output);
    }

    /// Appends what was held back; the next piece starts a new stream.
    pub(crate) fn finish(&mut self, output: &mut Vec<u8>) {
        let (mut masked, mut stripped) = (Vec::new(), Vec::new());
        self.phrases.finish(&mut masked);
        self.parameters.push(&masked, &mut stripped);
        self.parameters.finish(&mut stripped);
        self.tokens.push(&stripped, output);
        self.tokens.finish(output);
    }
}

/// Bytes of one stream after which the searcher is replaced by the fastest one.
const LONG_STREAM: usize = 1024 * 1024;

/// Bytes of needles for which the fastest searcher takes some megabytes of memory at most.
const SMALL: usize = 32 * 1024;

/// A set of byte strings searched for in a stream, the longest at the leftmost place first.
#[derive(Debug, Clone)]
struct Needles {
    needles: Vec<Vec<u8>>,
    searcher: Option<AhoCorasick>,
    ignore_case: bool,
    longest: usize,
    /// The needles that begin with each byte.
    by_first: Arc<Vec<Vec<usize>>>,
}

/// How a searcher is made. The fastest one takes longer to build than a short job to run, so
/// it is for needles that are the same in every job, and for long streams.
#[derive(Clone, Copy)]
enum Searcher {
    Fast,
    QuickToBuild,
}

/// The same in every job: built once.
static PARAMETERS: LazyLock<Needles> = LazyLock::new(|| {
    let names = URL_PARAMETERS.iter();
    let names = names.flat_map(|name| [format!("?{name}="), format!("&{name}=")]);
    Needles::new(
        names.map(String::into_bytes).collect(),
        true,
        Searcher::Fast,
    )
});
static KNOWN_TOKENS: LazyLock<Needles> = LazyLock::new(|| {
    let prefixes = TOKEN_PREFIXES
        .iter()
        .map(|prefix| prefix.as_bytes().to_vec());
    Needles::new(prefixes.collect(), false, Searcher::Fast)
});

impl Needles {
    fn new(needles: Vec<Vec<u8>>, ignore_case: bool, searcher: Searcher) -> Self {
        // Thousands of very long needles could be too much for the searcher; then everything
        // is found by the plain search below, which is slower and needs no tables.
        let searcher = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .ascii_case_insensitive(ignore_case)
            .kind(match searcher {
                Searcher::Fast if needles.iter().map(Vec::len).sum::<usize>() < SMALL => {
                    Some(AhoCorasickKind::DFA)
                }
                Searcher::Fast => None,
                Searcher::QuickToBuild => Some(AhoCorasickKind::ContiguousNFA),
            })
            .build(&needles)
            .ok()
            .filter(|_| !needles.is_empty());
        let mut by_first = vec![Vec::new(); 256];
        for (index, needle) in needles.iter().enumerate() {
            let Some(first) = needle.first() else {
                continue;
            };
            let mut cases = vec![*first];
            if ignore_case {
                cases = vec![first.to_ascii_lowercase(), first.to_ascii_uppercase()];
                cases.dedup();
            }
            for case in cases {
                by_first[usize::from(case)].push(index);
            }
        }
        Self {
            by_first: Arc::new(by_first),
            searcher,
            ignore_case,
            longest: needles.iter().map(Vec::len).max().unwrap_or(0),
            needles,
        }
    }

    fn find(&self, bytes: &[u8], from: usize) -> Option<(usize, usize)> {
        if let Some(searcher) = &self.searcher {
            let found = searcher.find(Input::new(bytes).range(from..))?;
            return Some((found.start(), found.end()));
        }
        (from..bytes.len()).find_map(|start| {
            self.needles
                .iter()
                .filter(|needle| self.equal_start(&bytes[start..], needle, needle.len()))
                .map(|needle| (start, start + needle.len()))
                .max_by_key(|(_, end)| *end)
        })
    }

    /// Where in `bytes` something starts that reaches its end and could become a needle
    /// with what comes next; ascending.
    fn open_ends(&self, bytes: &[u8]) -> Vec<usize> {
        let from = bytes.len().saturating_sub(self.longest.saturating_sub(1));
        (from..bytes.len())
            .filter(|start| {
                let tail = &bytes[*start..];
                let likely = &self.by_first[usize::from(tail[0])];
                likely
                    .iter()
                    .map(|index| &self.needles[*index])
                    .any(|needle| {
                        needle.len() > tail.len() && self.equal_start(needle, tail, tail.len())
                    })
            })
            .collect()
    }

    fn equal_start(&self, longer: &[u8], shorter: &[u8], length: usize) -> bool {
        longer.len() >= length
            && match self.ignore_case {
                true => longer[..length].eq_ignore_ascii_case(&shorter[..length]),
                false => longer[..length] == shorter[..length],
            }
    }
}

/// Replaces whole occurrences of secret values.
#[derive(Debug, Clone)]
struct Phrases {
    needles: Needles,
    held: Vec<u8>,
    /// Bytes of the stream until it is worth it to build the fastest searcher.
    until_fast: usize,
}

impl Phrases {
    fn new(secrets: &[String]) -> Self {
        let needles: BTreeSet<Vec<u8>> = secrets
            .iter()
            .flat_map(|secret| forms(secret.trim()))
            .collect();
        let needles = needles.into_iter().collect();
        Self {
            needles: Needles::new(needles, false, Searcher::QuickToBuild),
            held: Vec::new(),
            until_fast: LONG_STREAM,
        }
    }

    fn push(&mut self, bytes: &[u8], output: &mut Vec<u8>) {
        if self.needles.needles.is_empty() {
            output.extend_from_slice(bytes);
            return;
        }
        if self.until_fast > 0 {
            self.until_fast = self.until_fast.saturating_sub(bytes.len());
            if self.until_fast == 0 {
                let needles = std::mem::take(&mut self.needles.needles);
                self.needles = Needles::new(needles, false, Searcher::Fast);
            }
        }
        self.held.extend_from_slice(bytes);
        let open = self.needles.open_ends(&self.held);
        let keep = self.replace(&open, output);
        self.held.drain(..keep);
    }

    fn finish(&mut self, output: &mut Vec<u8>) {
        self.replace(&[], output);
        self.held.clear();
    }

    /// Writes everything that is decided and returns where the undecided rest starts. What
    /// starts before the first open end is decided: no secret that begins there can still
    /// grow.
    fn replace(&self, open: &[usize], output: &mut Vec<u8>) -> usize {
        let mut position = 0;
        loop {
            let next_open = open.partition_point(|start| *start < position);
            let limit = open.get(next_open).copied().unwrap_or(self.held.len());
            match self.needles.find(&self.held, position) {
                Some((start, end)) if start < limit => {
                    output.extend_from_slice(&self.held[position..start]);
                    output.extend_from_slice(MASK);
                    position = end;
                }
                _ => {
                    output.extend_from_slice(&self.held[position..limit]);
                    return limit;
                }
            }
        }
    }
}

/// Replaces what follows certain prefixes, as far as its bytes may belong to a value.
#[derive(Debug, Clone)]
struct ValueMasker {
    needles: Needles,
    belongs: fn(u8) -> bool,
    held: Vec<u8>,
    state: ValueState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ValueState {
    Outside,
    /// Behind a prefix, before the first byte of its value.
    Before,
    /// Within a value, whose mask is written already.
    Inside,
}

impl ValueMasker {
    fn new(needles: Needles, belongs: fn(u8) -> bool) -> Self {
        Self {
            needles,
            belongs,
            held: Vec::new(),
            state: ValueState::Outside,
        }
    }

    fn push(&mut self, bytes: &[u8], output: &mut Vec<u8>) {
        self.held.extend_from_slice(bytes);
        let open = self.needles.open_ends(&self.held);
        let keep = self.replace(&open, output);
        self.held.drain(..keep);
    }

    fn finish(&mut self, output: &mut Vec<u8>) {
        self.replace(&[], output);
        self.held.clear();
        self.state = ValueState::Outside;
    }

    fn replace(&mut self, open: &[usize], output: &mut Vec<u8>) -> usize {
        let mut position = 0;
        loop {
            if self.state != ValueState::Outside {
                let value = self.held[position..]
                    .iter()
                    .take_while(|byte| (self.belongs)(**byte))
                    .count();
                if value > 0 && self.state == ValueState::Before {
                    output.extend_from_slice(MASK);
                    self.state = ValueState::Inside;
                }
                position += value;
                if position == self.held.len() {
                    return position;
                }
                self.state = ValueState::Outside;
            }
            let next_open = open.partition_point(|start| *start < position);
            let limit = open.get(next_open).copied().unwrap_or(self.held.len());
            match self.needles.find(&self.held, position) {
                Some((start, end)) if start < limit => {
                    output.extend_from_slice(&self.held[position..end]);
                    position = end;
                    self.state = ValueState::Before;
                }
                _ => {
                    output.extend_from_slice(&self.held[position..limit]);
                    return limit;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn masker(secrets: &[&str]) -> Masker {
        let secrets: Vec<String> = secrets.iter().map(|secret| (*secret).to_owned()).collect();
        Masker::new(&secrets, &["own-".to_owned()])
    }

    fn mask(mut masker: Masker, pieces: &[&[u8]]) -> Vec<u8> {
        let mut output = Vec::new();
        for piece in pieces {
            masker.push(piece, &mut output);
        }
        masker.finish(&mut output);
        output
    }

    const CASES: [(&[&str], &str, &str); 25] = [
        (&[], "nothing", "nothing"),
        (&["secret"], "a secret b", "a [MASKED] b"),
        (&["secret"], "secretsecret", "[MASKED][MASKED]"),
        (&["secret"], "secre", "secre"),
        (&["  secret\n"], "secret", "[MASKED]"),
        (&["", " "], "a b", "a b"),
        (
            &["abc", "abcdef"],
            "abcdef abc abcde",
            "[MASKED] [MASKED] [MASKED]de",
        ),
        (&["aaab"], "xxaaaab", "xxa[MASKED]"),
        (&["abcd", "bc"], "abcx", "a[MASKED]x"),
        (&["ab", "ba"], "abab aba", "[MASKED][MASKED] [MASKED]a"),
        (&["line1\nline2"], "x line1\nline2 y", "x [MASKED] y"),
        (&["x"], "xyx", "[MASKED]y[MASKED]"),
        (&["Secret"], "secret", "secret"),
        (
            &[],
            "https://h/?private_token=abc&x=1",
            "https://h/?private_token=[MASKED]&x=1",
        ),
        (
            &[],
            "?a=1&X-Amz-Signature=q%20z end",
            "?a=1&X-Amz-Signature=[MASKED] end",
        ),
        (&[], "?rss_token=&x", "?rss_token=&x"),
        (&[], "?private_tokens=abc", "?private_tokens=abc"),
        (
            &[],
            "?private_token=a?private_token=b",
            "?private_token=[MASKED]?private_token=[MASKED]",
        ),
        (&[], "glpat-abc123 x", "glpat-[MASKED] x"),
        (&[], "glpat-", "glpat-"),
        (&[], "own-key,glcbt-a.b=c;", "own-[MASKED],glcbt-[MASKED];"),
        (&["glcbt-64_x"], "token glcbt-64_x!", "token [MASKED]!"),
        (&["tail"], "?private_token=tail", "?private_token=[MASKED]"),
        (
            &["it's secret"],
            "x it'\\''s secret it%27s%20secret",
            "x [MASKED] [MASKED]",
        ),
        (
            &["correct-horse"],
            "Basic dXNlcjpjb3JyZWN0LWhvcnNl Y29ycmVjdC1ob3JzZQo=",
            "Basic dXNlcjp[MASKED] [MASKED]=",
        ),
    ];

    #[test]
    fn every_cut_in_three_gives_the_same() {
        for (secrets, text, expected) in CASES {
            let bytes = text.as_bytes();
            let masker = masker(secrets);
            for first in 0..=bytes.len() {
                for second in first..=bytes.len() {
                    let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                    let masked = mask(masker.clone(), &pieces);
                    assert_eq!(
                        String::from_utf8_lossy(&masked),
                        expected,
                        "{text:?} cut at {first} and {second}"
                    );
                }
            }
        }
    }

    #[test]
    fn bytes_that_are_not_text_pass_unchanged() {
        assert_eq!(
            mask(masker(&["secret"]), &[b"\xff\x00secret\xfe"]),
            b"\xff\x00[MASKED]\xfe"
        );
    }

    #[test]
    fn a_long_stream_is_masked_to_its_end() {
        let mut masker = masker(&["secret", "se"]);
        let (piece, mut length) = (b"a secret and a sea ".repeat(1000), 0);
        while length < 3 * LONG_STREAM {
            let mut output = Vec::new();
            for part in piece.chunks(997) {
                masker.push(part, &mut output);
            }
            length += piece.len();
            masker.finish(&mut output);
            let expected = "a [MASKED] and a [MASKED]a ".repeat(1000);
            assert_eq!(String::from_utf8_lossy(&output), expected);
        }
    }

    #[test]
    fn a_long_line_is_not_held_back() {
        let mut masker = Masker::new(&["secret".to_owned()], &[]);
        let mut output = Vec::new();
        masker.push(&[b'x'; 100_000], &mut output);
        assert_eq!(output.len(), 100_000);
    }

    proptest! {
        #[test]
        fn no_cut_changes_the_result(
            secrets in prop::collection::vec("[ab]{1,4}", 1..4),
            pieces in prop::collection::vec("[abc]{0,6}", 0..6),
        ) {
            let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
            let whole = pieces.concat();
            let cut: Vec<&[u8]> = pieces.iter().map(|piece| piece.as_bytes()).collect();
            let masker = masker(&secrets);
            let masked = mask(masker.clone(), &cut);
            prop_assert_eq!(masked, mask(masker, &[whole.as_bytes()]));
        }
    }
}
