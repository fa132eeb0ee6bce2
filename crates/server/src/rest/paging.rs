//! Pages of long lists: offsets with GitLab's headers, and keysets for who reads everything.

use axum::Json;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::IntoResponse;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use shipway_store::{Beyond, Page};

use super::call::{Answer, Call};
use crate::error::ApiError;
use crate::identity::pairs;

/// Rows of a page where nobody asks for another number.
const USUAL: i64 = 20;

/// Rows of a page at most; who asks for more gets these.
const MOST: i64 = 100;

/// Rows that are read where a list is filtered or sorted in a way in which the database does
/// not; a longer one ends there.
pub(super) const WHOLE: Page = Page {
    limit: 1000,
    offset: 0,
};

/// What stays as it is in an address.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Which page is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Paging {
    number: i64,
    size: i64,
}

impl Paging {
    /// From the parameters `page` and `per_page`.
    pub(super) fn of(call: &Call) -> Result<Self, ApiError> {
        let number = |name: &str, usual: i64| match call.params.number(name)? {
            Some(number) if number < 1 => Err(ApiError::parameter(format!(
                "{name} does not have a valid value"
            ))),
            number => Ok(number.unwrap_or(usual)),
        };
        let size = number("per_page", USUAL)?.min(MOST);
        let page = number("page", 1)?;
        if page.checked_mul(size).is_none() {
            return Err(ApiError::parameter("page does not have a valid value"));
        }
        Ok(Self { number: page, size })
    }

    /// For the database.
    pub(super) fn page(self) -> Page {
        Page {
            limit: self.size,
            offset: (self.number - 1) * self.size,
        }
    }

    /// How many rows a page has.
    pub(super) fn size(self) -> usize {
        usize::try_from(self.size).unwrap_or(usize::MAX)
    }

    /// The rows of the page, of all of them.
    pub(super) fn cut<T>(self, all: Vec<T>) -> (Vec<T>, i64) {
        let total = i64::try_from(all.len()).unwrap_or(i64::MAX);
        let offset = usize::try_from(self.page().offset).unwrap_or(usize::MAX);
        (
            all.into_iter().skip(offset).take(self.size()).collect(),
            total,
        )
    }

    /// A page with its headers; without a total there is a next page when this one is full.
    pub(super) fn answer<T: Serialize>(
        self,
        call: &Call,
        entities: Vec<T>,
        total: Option<i64>,
    ) -> Answer {
        let pages = total.map(|total| ((total + self.size - 1) / self.size).max(1));
        let full = i64::try_from(entities.len()).is_ok_and(|count| count >= self.size);
        let has_next = pages.map_or(full, |pages| self.number < pages);
        let next = has_next.then_some(self.number + 1);
        let previous = (self.number > 1).then_some(self.number - 1);
        let mut headers = HeaderMap::new();
        let text = |number: Option<i64>| number.map(|n| n.to_string()).unwrap_or_default();
        for (name, value) in [
            ("x-page", Some(self.number.to_string())),
            ("x-per-page", Some(self.size.to_string())),
            ("x-prev-page", Some(text(previous))),
            ("x-next-page", Some(text(next))),
            ("x-total", total.map(|total| total.to_string())),
            ("x-total-pages", pages.map(|pages| pages.to_string())),
        ] {
            let value = value.and_then(|value| HeaderValue::try_from(value).ok());
            if let Some(value) = value {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        let links = [
            ("prev", previous),
            ("next", next),
            ("first", Some(1)),
            ("last", pages),
        ];
        let links: Vec<String> = (links.into_iter())
            .filter_map(|(name, page)| {
                let (page, size) = (page?.to_string(), self.size.to_string());
                let url = link(call, &[("page", &page), ("per_page", &size)], &[]);
                Some(format!("<{url}>; rel=\"{name}\""))
            })
            .collect();
        set_link(&mut headers, &links.join(", "));
        Ok((headers, Json(entities)).into_response())
    }
}

/// A list without an end to count: `pagination=keyset`, ordered by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Keyset {
    /// Only ids beyond this one, in the order.
    pub(super) beyond: Option<i64>,
    pub(super) ascending: bool,
    pub(super) size: i64,
}

impl Keyset {
    /// From the parameters; none where another pagination is asked for.
    pub(super) fn of(call: &Call) -> Result<Option<Self>, ApiError> {
        let kind = call
            .params
            .one_of("pagination", &["keyset", "legacy", "offset"])?;
        if kind != Some("keyset") {
            return Ok(None);
        }
        let size = Paging::of(call)?.size;
        let ascending = call.params.one_of("sort", &["asc", "desc"])? == Some("asc");
        let mut beyond = None;
        for name in [if ascending { "id_after" } else { "id_before" }, "cursor"] {
            beyond = beyond.or(call.params.number(name)?);
        }
        Ok(Some(Self {
            beyond,
            ascending,
            size,
        }))
    }

    /// Where the part begins.
    pub(super) fn beyond(self) -> Beyond {
        Beyond {
            last: self.beyond,
            ascending: self.ascending,
        }
    }

    /// A part with the link to the next one, which begins beyond `last`; without it, this part
    /// is the last one.
    pub(super) fn answer<T: Serialize>(
        self,
        call: &Call,
        entities: Vec<T>,
        last: Option<i64>,
    ) -> Answer {
        let mut headers = HeaderMap::new();
        if let Some(last) = last {
            let name = if self.ascending {
                "id_after"
            } else {
                "id_before"
            };
            let url = link(call, &[(name, &last.to_string())], &["cursor"]);
            set_link(&mut headers, &format!("<{url}>; rel=\"next\""));
        }
        Ok((headers, Json(entities)).into_response())
    }
}

/// Sets the header `Link`.
pub(super) fn set_link(headers: &mut HeaderMap, links: &str) {
    if let Ok(value) = HeaderValue::try_from(links) {
        headers.insert(HeaderName::from_static("link"), value);
    }
}

/// The address of this list with some parameters replaced and some left out. A token in the
/// query is left out too: links end up in logs.
pub(super) fn link(call: &Call, replaced: &[(&str, &str)], without: &[&str]) -> String {
    let secrets = ["private_token", "access_token", "job_token"];
    let kept = pairs(call.uri.query().unwrap_or_default()).filter(|(name, _)| {
        let name = name.as_str();
        !replaced.iter().any(|(known, _)| *known == name)
            && !without.contains(&name)
            && !secrets.contains(&name)
    });
    let replaced = replaced
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let query: Vec<String> = (kept.chain(replaced))
        .map(|(name, value)| {
            let encode = |text: &str| utf8_percent_encode(text, QUERY).to_string();
            format!("{}={}", encode(&name), encode(&value))
        })
        .collect();
    let base = &call.app.settings().external_url;
    format!("{base}{}?{}", call.uri.path(), query.join("&"))
}
