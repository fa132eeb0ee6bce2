//! Lists in pages.

use shipway_store::Page;

use super::html::segment;

/// Rows of a page.
pub(super) const ROWS: i64 = 30;

/// The links to the pages around this one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Paging {
    page: i64,
    total: i64,
    /// The address of the page before, with newer rows.
    pub(super) newer: Option<String>,
    /// The address of the page after, with older rows.
    pub(super) older: Option<String>,
}

/// The number of a page as it stands in an address, from 1.
pub(super) fn number(text: &str) -> i64 {
    text.parse().unwrap_or(1).clamp(1, i64::MAX / ROWS)
}

/// The rows of a page.
pub(super) fn rows(number: i64) -> Page {
    Page {
        limit: ROWS,
        offset: (number - 1) * ROWS,
    }
}

impl Paging {
    /// The page of this number among `total` rows; `query` is kept in the links.
    pub(super) fn new(page: i64, total: i64, query: &[(&str, &str)]) -> Self {
        let link = |number: i64| {
            let mut link = String::from("?");
            for (name, value) in query.iter().filter(|(_, value)| !value.is_empty()) {
                link.push_str(&format!("{name}={}&", segment(value)));
            }
            format!("{link}page={number}")
        };
        Self {
            page,
            total,
            newer: (page > 1).then(|| link(page - 1)),
            older: (page.saturating_mul(ROWS) < total).then(|| link(page + 1)),
        }
    }

    /// Whether there is more than this page.
    pub(super) fn several(&self) -> bool {
        self.newer.is_some() || self.older.is_some()
    }

    /// Which page of how many.
    pub(super) fn text(&self) -> String {
        let pages = (self.total + ROWS - 1) / ROWS;
        format!("page {} of {}", self.page, pages.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_the_pages_around() {
        let table = [
            (1, 0, None, None),
            (1, ROWS, None, None),
            (1, ROWS + 1, None, Some("?ref=a%26b&page=2")),
            (2, ROWS + 1, Some("?ref=a%26b&page=1"), None),
            (9, 1, Some("?ref=a%26b&page=8"), None),
        ];
        for (page, total, newer, older) in table {
            let paging = Paging::new(page, total, &[("ref", "a&b"), ("status", "")]);
            assert_eq!(paging.newer.as_deref(), newer, "{page} of {total}");
            assert_eq!(paging.older.as_deref(), older, "{page} of {total}");
        }
        assert_eq!(Paging::new(2, 31, &[]).text(), "page 2 of 2");
    }

    #[test]
    fn numbers_from_addresses() {
        for (text, expected) in [("", 1), ("x", 1), ("0", 1), ("-4", 1), ("3", 3)] {
            assert_eq!(number(text), expected);
        }
        assert!(rows(number("9223372036854775807")).offset > 0);
    }
}
