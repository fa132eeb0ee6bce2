//! What a browser would make of a page, as far as tests want to know.

/// Elements without an end.
const VOID: [&str; 14] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "path", "rect",
    "circle", "wbr",
];

/// A page is well-formed: elements are closed in order, attributes are quoted. Nothing in it
/// runs but the module of ours.
#[track_caller]
pub(crate) fn check(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        let tag = &rest[at + 1..];
        if tag.starts_with('!') {
            rest = tag;
            continue;
        }
        let end = end_of_tag(tag);
        let (inside, after) = (&tag[..end], &tag[end + 1..]);
        rest = after;
        if let Some(name) = inside.strip_prefix('/') {
            let last = open.pop();
            assert_eq!(
                last,
                Some(name),
                "closed in the wrong order near: {}",
                near(page, rest)
            );
            continue;
        }
        let name = inside.split([' ', '\n', '/']).next().unwrap();
        let known = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        assert!(known, "no element: <{inside}> near: {}", near(page, rest));
        attributes(inside);
        if name == "script" {
            assert!(
                inside.contains("type=\"module\" src=\""),
                "a script: {inside}"
            );
        }
        if !VOID.contains(&name) && !inside.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "not closed: {open:?}");
}

/// The end of a tag; quotes hide it.
fn end_of_tag(tag: &str) -> usize {
    let mut quoted = false;
    let end = tag.bytes().position(|byte| {
        quoted ^= byte == b'"';
        byte == b'>' && !quoted
    });
    end.unwrap_or_else(|| panic!("a tag without an end: {}", &tag[..tag.len().min(80)]))
}

fn attributes(inside: &str) {
    // Without the values.
    let plain: String = inside.split('"').step_by(2).collect::<Vec<_>>().join("");
    assert!(!plain.contains('<'), "a tag in a tag: {inside}");
    for attribute in plain.split_whitespace().skip(1) {
        let name = attribute.trim_end_matches(['=', '/']);
        assert!(
            !name.to_ascii_lowercase().starts_with("on"),
            "a handler: {inside}"
        );
        assert!(name != "style", "a style that the policy forbids: {inside}");
        assert!(!name.contains('='), "not quoted: {inside}");
    }
    for value in inside.split('"').skip(1).step_by(2) {
        let value = value.trim().to_ascii_lowercase();
        assert!(!value.starts_with("javascript:"), "{inside}");
    }
}

fn near<'a>(page: &'a str, rest: &str) -> &'a str {
    let at = page.len() - rest.len();
    let from = (at.saturating_sub(150)..at).find(|at| page.is_char_boundary(*at));
    &page[from.unwrap_or(0)..at]
}

/// The value of the attribute that follows a text.
pub(crate) fn after<'a>(page: &'a str, text: &str) -> Option<&'a str> {
    let at = page.find(text)? + text.len();
    page[at..].split('"').next()
}

#[test]
fn faults_are_found() {
    let wrong = [
        "<p><b></p></b>",
        "<p onclick=\"x\"></p>",
        "<script>x</script>",
        "<a href=\"javascript:x\"></a>",
        "<p class=x></p>",
        "<p>",
        "<img src=x onerror=alert(1)>",
    ];
    for page in wrong {
        let found = std::panic::catch_unwind(|| check(page));
        assert!(found.is_err(), "{page}");
    }
    check("<!doctype html><p class=\"a > b\">x<br><svg><path d=\"M\"/></svg></p>");
}
