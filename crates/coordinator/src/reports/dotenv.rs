//! `artifacts:reports:dotenv`: variables a job hands to later ones (language inventory, 3.7).

/// Bytes a report may have.
pub const SIZE_LIMIT: usize = 5 * 1024;
/// Variables a report may have.
pub const COUNT_LIMIT: usize = 20;

/// Why a dotenv report is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DotenvError {
    /// It is larger than [`SIZE_LIMIT`].
    #[error("the dotenv report is larger than {SIZE_LIMIT} bytes")]
    TooLarge,
    /// It is not packed by gzip.
    #[error("the dotenv report is not packed by gzip")]
    NotPacked,
    /// It is not UTF-8.
    #[error("the dotenv report is not UTF-8 text")]
    NotText,
    /// It has more than [`COUNT_LIMIT`] variables.
    #[error("the dotenv report has more than {COUNT_LIMIT} variables")]
    TooMany,
    /// A line is not `NAME=value`.
    #[error(
        "line {line} of the dotenv report is not NAME=value; blank lines and comments are not allowed"
    )]
    Line {
        /// Its number, from 1.
        line: usize,
    },
}

/// The variables of a report in order; a later one of the same name wins.
///
/// # Errors
/// When the report breaks the format or a limit.
pub fn parse(report: &[u8]) -> Result<Vec<(String, String)>, DotenvError> {
    if report.len() > SIZE_LIMIT {
        return Err(DotenvError::TooLarge);
    }
    let text = std::str::from_utf8(report).map_err(|_| DotenvError::NotText)?;
    let mut variables: Vec<(String, String)> = Vec::new();
    for (index, line) in text.trim_end_matches('\n').split('\n').enumerate() {
        if text.is_empty() {
            break;
        }
        let fault = DotenvError::Line { line: index + 1 };
        let (name, value) = line.split_once('=').ok_or_else(|| fault.clone())?;
        let name = name.trim();
        let legal = |character: char| character.is_ascii_alphanumeric() || character == '_';
        if name.is_empty() || !name.chars().all(legal) {
            return Err(fault);
        }
        variables.retain(|(known, _)| known != name);
        variables.push((name.to_owned(), value.trim().to_owned()));
    }
    if variables.len() > COUNT_LIMIT {
        return Err(DotenvError::TooMany);
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_variables() {
        let table: [(&str, &[(&str, &str)]); 6] = [
            ("", &[]),
            ("A=1\n", &[("A", "1")]),
            ("A=1\nB=x=y", &[("A", "1"), ("B", "x=y")]),
            ("A=1\nA=2\n", &[("A", "2")]),
            (" A = \"quoted\" \r\n", &[("A", "\"quoted\"")]),
            ("A=\n", &[("A", "")]),
        ];
        for (report, expected) in table {
            let expected: Vec<_> = (expected.iter())
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            assert_eq!(parse(report.as_bytes()), Ok(expected), "{report:?}");
        }
    }

    #[test]
    fn faults_are_named() {
        assert_eq!(parse(b"A=1\n\nB=2\n"), Err(DotenvError::Line { line: 2 }));
        assert_eq!(parse(b"# note\n"), Err(DotenvError::Line { line: 1 }));
        assert_eq!(parse(b"A-B=1\n"), Err(DotenvError::Line { line: 1 }));
        assert_eq!(parse(&[0xff]), Err(DotenvError::NotText));
        assert_eq!(parse(&[b'a'; SIZE_LIMIT + 1]), Err(DotenvError::TooLarge));
        let many: String = (0..=COUNT_LIMIT).map(|n| format!("A{n}=1\n")).collect();
        assert_eq!(parse(many.as_bytes()), Err(DotenvError::TooMany));
    }
}
