//! Part of a long list.

/// Which part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// At most so many rows.
    pub limit: i64,
    /// After so many rows.
    pub offset: i64,
}

impl Page {
    /// The first `limit` rows.
    pub fn first(limit: i64) -> Self {
        Self { limit, offset: 0 }
    }
}

/// The part, and the length of the whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Paged<T> {
    /// The rows of the page.
    pub rows: Vec<T>,
    /// Rows of all pages.
    pub total: i64,
}
