//! The pictures of the pages: drawn here, 16 by 16, in the colour of the text around them.

use super::html::Html;

/// Paths by name. Strokes of 1.5 with round ends; `fill` marks those that are filled.
const DRAWINGS: &[(&str, &str)] = &[
    // Statuses.
    (
        "success",
        r#"<circle cx="8" cy="8" r="6.5"/><path d="m5 8.3 2.1 2.1L11.2 6"/>"#,
    ),
    (
        "warning",
        r#"<path d="M8 2 14.5 13.5h-13z"/><path d="M8 6.5v3M8 11.6v.1"/>"#,
    ),
    (
        "failed",
        r#"<path d="M5.3 1.5h5.4l3.8 3.8v5.4l-3.8 3.8H5.3l-3.8-3.8V5.3z"/><path d="m6 6 4 4M10 6l-4 4"/>"#,
    ),
    (
        "running",
        r#"<path d="M8 1.5A6.5 6.5 0 1 1 1.5 8"/><path d="M8 5v3l2 1.5"/>"#,
    ),
    (
        "pending",
        r#"<path d="M4 1.5h8M4 14.5h8M4.8 1.5c0 4 6.4 4 6.4 6.5S4.8 10.5 4.8 14.5M11.2 1.5c0 4-6.4 4-6.4 6.5s6.4 2.5 6.4 6.5"/>"#,
    ),
    ("created", r#"<circle cx="8" cy="8" r="6.5"/>"#),
    (
        "lock",
        r#"<rect x="3" y="7" width="10" height="7" rx="1.5"/><path d="M5 7V5a3 3 0 0 1 6 0v2"/>"#,
    ),
    (
        "preparing",
        r#"<circle cx="8" cy="8" r="6.5"/><path d="M5 8h.1M8 8h.1M11 8h.1"/>"#,
    ),
    (
        "manual",
        r#"<rect x="1.5" y="1.5" width="13" height="13" rx="2"/><path d="M6.3 5v6l4.7-3z"/>"#,
    ),
    (
        "scheduled",
        r#"<circle cx="8" cy="8" r="6.5"/><path d="M8 4.5V8l2.5 2"/>"#,
    ),
    (
        "canceled",
        r#"<circle cx="8" cy="8" r="6.5"/><path d="m3.5 12.5 9-9"/>"#,
    ),
    ("skipped", r#"<path d="m3 4 4 4-4 4M9 4l4 4-4 4"/>"#),
    // Actions.
    (
        "retry",
        r#"<path d="M13.5 8A5.5 5.5 0 1 1 11.7 3.9L13.5 5.5M13.5 2v3.5H10"/>"#,
    ),
    ("cancel", r#"<path d="m4 4 8 8M12 4l-8 8"/>"#),
    ("play", r#"<path d="M4.5 2.8v10.4L13 8z"/>"#),
    (
        "trash",
        r#"<path d="M2.5 4h11M6 4V2.5h4V4M4 4l.7 9.5h6.6L12 4M6.7 6.5v4.5M9.3 6.5v4.5"/>"#,
    ),
    (
        "edit",
        r#"<path d="m2.5 13.5.7-3L10.5 3.2l2.3 2.3-7.3 7.3z"/>"#,
    ),
    ("plus", r#"<path d="M8 3v10M3 8h10"/>"#),
    (
        "download",
        r#"<path d="M8 2v8M4.8 7 8 10.2 11.2 7M2.5 13.5h11"/>"#,
    ),
    ("pause", r#"<path d="M5.5 3v10M10.5 3v10"/>"#),
    (
        "copy",
        r#"<rect x="5.5" y="5.5" width="8" height="8" rx="1.5"/><path d="M10.5 5.5v-2a1 1 0 0 0-1-1h-6a1 1 0 0 0-1 1v6a1 1 0 0 0 1 1h2"/>"#,
    ),
    ("left", r#"<path d="m10 3-5 5 5 5"/>"#),
    ("right", r#"<path d="m6 3 5 5-5 5"/>"#),
    ("down", r#"<path d="M8 2.5v11M3.5 9 8 13.5 12.5 9"/>"#),
    (
        "external",
        r#"<path d="M9 2.5h4.5V7M13.5 2.5 7.5 8.5M6.5 3.5h-4v10h10v-4"/>"#,
    ),
    // Things.
    (
        "project",
        r#"<path d="M2 4.5 8 1.5l6 3v7l-6 3-6-3z"/><path d="m2 4.5 6 3 6-3M8 7.5v7"/>"#,
    ),
    (
        "pipeline",
        r#"<circle cx="3.5" cy="8" r="2"/><circle cx="12.5" cy="3.5" r="2"/><circle cx="12.5" cy="12.5" r="2"/><path d="M5.5 8h2c2 0 1-4.5 3-4.5M7.5 8c2 0 1 4.5 3 4.5"/>"#,
    ),
    (
        "job",
        r#"<rect x="1.5" y="2.5" width="13" height="11" rx="1.5"/><path d="m4.5 6 2 2-2 2M8.5 10.5h3"/>"#,
    ),
    (
        "calendar",
        r#"<rect x="2" y="3" width="12" height="11" rx="1.5"/><path d="M2 6.5h12M5 1.5V4M11 1.5V4"/>"#,
    ),
    (
        "environment",
        r#"<path d="M8 14.5C4 12.5 2.5 10 2.5 3.5L8 1.5l5.5 2C13.5 10 12 12.5 8 14.5z"/>"#,
    ),
    (
        "runner",
        r#"<rect x="1.5" y="2.5" width="13" height="4.5" rx="1"/><rect x="1.5" y="9" width="13" height="4.5" rx="1"/><path d="M4 4.8h.1M4 11.2h.1"/>"#,
    ),
    (
        "variable",
        r#"<path d="M5 2.5C2 5.5 2 10.5 5 13.5M11 2.5c3 3 3 8 0 11M6 6l4 4.5M10 6l-4 4.5"/>"#,
    ),
    ("trigger", r#"<path d="M9 1.5 3 9h4.5L7 14.5 13 7H8.5z"/>"#),
    (
        "member",
        r#"<circle cx="8" cy="5" r="3"/><path d="M2.5 14c.5-3.5 2.5-4.8 5.5-4.8s5 1.3 5.5 4.8"/>"#,
    ),
    (
        "lint",
        r#"<path d="M3.5 1.5h6l3 3v10h-9z"/><path d="m5.5 9.3 1.7 1.7 3.3-3.5"/>"#,
    ),
    (
        "settings",
        r#"<path d="M2 4.5h6M11.5 4.5H14M2 11.5h2.5M8 11.5h6"/><circle cx="9.8" cy="4.5" r="1.7"/><circle cx="6.2" cy="11.5" r="1.7"/>"#,
    ),
    (
        "group",
        r#"<circle cx="5.5" cy="5.5" r="2.5"/><path d="M1.5 13.5c.3-3 1.7-4 4-4s3.7 1 4 4"/><path d="M10 3.2a2.5 2.5 0 0 1 0 4.6M11.5 9.8c1.8.4 2.8 1.5 3 3.7"/>"#,
    ),
    (
        "branch",
        r#"<circle cx="4" cy="3.5" r="1.7"/><circle cx="4" cy="12.5" r="1.7"/><circle cx="12" cy="5" r="1.7"/><path d="M4 5.2v5.6M12 6.7c0 2.8-4 2.3-6.5 3.3"/>"#,
    ),
    (
        "tag",
        r#"<path d="M1.5 2.5v5l6.5 6.5 5.5-5.5L7 2z"/><path d="M4.5 5h.1"/>"#,
    ),
    (
        "commit",
        r#"<circle cx="8" cy="8" r="2.7"/><path d="M1 8h4.3M10.7 8H15"/>"#,
    ),
    ("folder", r#"<path d="M1.5 3.5h4.5L7.5 5h7v8.5h-13z"/>"#),
    (
        "file",
        r#"<path d="M3.5 1.5h6l3 3v10h-9z"/><path d="M9.5 1.5v3h3"/>"#,
    ),
    (
        "token",
        r#"<circle cx="5" cy="8" r="3"/><path d="M8 8h6.5M12 8v2.5"/>"#,
    ),
    (
        "clock",
        r#"<circle cx="8" cy="8" r="6.5"/><path d="M8 4.5V8l2.5 2"/>"#,
    ),
    (
        "info",
        r#"<circle cx="8" cy="8" r="6.5"/><path d="M8 7.3v4M8 4.8v.1"/>"#,
    ),
    ("up", r#"<path d="M8 13.5v-11M3.5 7 8 2.5 12.5 7"/>"#),
];

/// The picture of this name, hidden from readers of the text: a word stands beside it.
pub(super) fn icon(name: &str) -> Html {
    let drawing = DRAWINGS.iter().find(|(known, _)| *known == name);
    debug_assert!(drawing.is_some(), "no picture is called {name}");
    let paths = drawing.map_or("", |(_, paths)| *paths);
    Html::trusted(format!(
        "<svg class=\"icon\" viewBox=\"0 0 16 16\" aria-hidden=\"true\" focusable=\"false\">{paths}</svg>"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_there_once() {
        let mut names: Vec<&str> = DRAWINGS.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn pictures_are_hidden_from_readers() {
        let markup = icon("play");
        assert!(markup.as_str().contains("aria-hidden=\"true\""));
        assert!(markup.as_str().contains("<path"));
    }
}
