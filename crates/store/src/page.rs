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

/// The rest of a list that is ordered by id.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Beyond {
    /// The last id that is known; none at the beginning.
    pub last: Option<i64>,
    /// Whether ids become larger.
    pub ascending: bool,
}

/// The part, and the length of the whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Paged<T> {
    /// The rows of the page.
    pub rows: Vec<T>,
    /// Rows of all pages.
    pub total: i64,
}
