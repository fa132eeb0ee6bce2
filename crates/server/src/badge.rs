//! Badges: small pictures with a label and a value (language inventory, 9.4).

use shipway_pipeline::Status;

/// Width of a label that may be asked for, in pixels; GitLab's.
const KEY_WIDTHS: std::ops::RangeInclusive<u32> = 1..=512;
/// Width of a value that may be asked for, in pixels; GitLab's.
const VALUE_WIDTHS: std::ops::RangeInclusive<u32> = 1..=200;
/// Characters of a label that may be asked for; GitLab's.
const LABEL_LIMIT: usize = 64;

/// How a badge looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Style {
    /// With round corners and a sheen.
    #[default]
    Flat,
    /// Neither.
    FlatSquare,
}

/// What the address of a badge may ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wishes {
    /// `style`.
    pub style: Style,
    /// `key_text`: the label; one of more than 64 characters is not taken.
    pub key_text: Option<String>,
    /// `key_width` in pixels; outside of 1 to 512 the default is taken.
    pub key_width: Option<u32>,
    /// `value_width`, likewise, from 1 to 200.
    pub value_width: Option<u32>,
}

/// From which percentage on coverage is good, acceptable or medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    good: u32,
    acceptable: u32,
    medium: u32,
}

impl Limits {
    /// The limits asked for, or GitLab's; each is kept below the one before it.
    pub fn new(good: Option<u32>, acceptable: Option<u32>, medium: Option<u32>) -> Self {
        let good = good.filter(|value| (3..=100).contains(value)).unwrap_or(95);
        let acceptable = acceptable.filter(|value| *value >= 2).unwrap_or(90);
        let acceptable = acceptable.min(good - 1);
        let medium = medium.filter(|value| *value >= 1).unwrap_or(75);
        let medium = medium.min(acceptable - 1);
        Self {
            good,
            acceptable,
            medium,
        }
    }
}

/// The badge of a pipeline's status; `None` where there is no pipeline.
pub fn pipeline(status: Option<Status>, wishes: &Wishes) -> String {
    let (text, color) = match status {
        Some(Status::Success) => ("passed", "#4c1"),
        Some(Status::Failed) => ("failed", "#e05d44"),
        Some(Status::Running) => ("running", "#dfb317"),
        Some(Status::Pending | Status::Created | Status::Preparing) => ("pending", "#dfb317"),
        Some(Status::WaitingForResource | Status::WaitingForCallback) => ("pending", "#dfb317"),
        Some(Status::Scheduled) => ("scheduled", "#dfb317"),
        Some(Status::Canceled | Status::Canceling) => ("canceled", "#9f9f9f"),
        Some(Status::Skipped) => ("skipped", "#9f9f9f"),
        Some(Status::Manual) => ("manual", "#9f9f9f"),
        None => ("unknown", "#9f9f9f"),
    };
    draw("pipeline", 62, text, 54, color, wishes)
}

/// The badge of a coverage in percent; `None` where there is none.
pub fn coverage(percent: Option<f64>, limits: Limits, wishes: &Wishes) -> String {
    let Some(percent) = percent else {
        return draw("coverage", 62, "unknown", 58, "#9f9f9f", wishes);
    };
    let color = if percent >= f64::from(limits.good) {
        "#4c1"
    } else if percent >= f64::from(limits.acceptable) {
        "#a3c51c"
    } else if percent >= f64::from(limits.medium) {
        "#dfb317"
    } else {
        "#e05d44"
    };
    draw("coverage", 62, &format!("{percent:.2}%"), 54, color, wishes)
}

/// The badge of a project's newest release, by its tag; `None` where there is none.
pub fn release(tag: Option<&str>, wishes: &Wishes) -> String {
    let (text, color) = match tag {
        Some(tag) => (tag, "#3076af"),
        None => ("none", "#e05d44"),
    };
    // Tags are as long as they are; a picture that cuts them off tells nobody anything.
    let letters = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    let width = letters.saturating_mul(7).saturating_add(12);
    let width = width.clamp(54, *VALUE_WIDTHS.end());
    draw("Latest Release", 90, text, width, color, wishes)
}

fn draw(
    key: &str,
    key_width: u32,
    value: &str,
    value_width: u32,
    color: &str,
    wishes: &Wishes,
) -> String {
    let asked = wishes.key_width.filter(|width| KEY_WIDTHS.contains(width));
    let key_width = asked.unwrap_or(key_width);
    let asked = (wishes.value_width).filter(|width| VALUE_WIDTHS.contains(width));
    let value_width = asked.unwrap_or(value_width);
    let width = key_width + value_width;
    let asked = (wishes.key_text.as_deref()).filter(|text| text.chars().count() <= LABEL_LIMIT);
    let key = escape(asked.unwrap_or(key));
    let value = escape(value);
    let key_middle = f64::from(key_width) / 2.0;
    let value_middle = f64::from(key_width) + f64::from(value_width) / 2.0;
    let (radius, sheen) = match wishes.style {
        Style::Flat => (3, "<path fill=\"url(#s)\" d=\"M0 0h{width}v20H0z\"/>"),
        Style::FlatSquare => (0, ""),
    };
    let sheen = sheen.replace("{width}", &width.to_string());
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"20\" role=\"img\" \
         aria-label=\"{key}: {value}\"><title>{key}: {value}</title>"
    );
    svg.push_str(
        "<linearGradient id=\"s\" x2=\"0\" y2=\"100%\"><stop offset=\"0\" stop-color=\"#bbb\" \
         stop-opacity=\".1\"/><stop offset=\"1\" stop-opacity=\".1\"/></linearGradient>",
    );
    svg.push_str(&format!(
        "<clipPath id=\"r\"><rect width=\"{width}\" height=\"20\" rx=\"{radius}\"/></clipPath>\
         <g clip-path=\"url(#r)\"><path fill=\"#555\" d=\"M0 0h{key_width}v20H0z\"/>\
         <path fill=\"{color}\" d=\"M{key_width} 0h{value_width}v20H{key_width}z\"/>{sheen}</g>"
    ));
    svg.push_str(
        "<g fill=\"#fff\" text-anchor=\"middle\" \
         font-family=\"DejaVu Sans,Verdana,Geneva,sans-serif\" font-size=\"11\">",
    );
    for (text, middle) in [(&key, key_middle), (&value, value_middle)] {
        svg.push_str(&format!(
            "<text x=\"{middle}\" y=\"15\" fill=\"#010101\" fill-opacity=\".3\">{text}</text>\
             <text x=\"{middle}\" y=\"14\">{text}</text>"
        ));
    }
    svg.push_str("</g></svg>");
    svg
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipeline_badge_names_the_status() {
        let table = [
            (Some(Status::Success), "passed"),
            (Some(Status::Failed), "failed"),
            (Some(Status::Running), "running"),
            (Some(Status::Pending), "pending"),
            (Some(Status::Skipped), "skipped"),
            (Some(Status::Manual), "manual"),
            (Some(Status::Canceled), "canceled"),
            (None, "unknown"),
        ];
        for (status, word) in table {
            let svg = pipeline(status, &Wishes::default());
            assert!(
                svg.contains(&format!("<title>pipeline: {word}</title>")),
                "{svg}"
            );
        }
    }

    #[test]
    fn a_release_badge_names_the_tag() {
        let wishes = Wishes::default();
        for (tag, title, width) in [
            (Some("v1"), "Latest Release: v1", "width=\"144\""),
            (
                Some("v1.20.300-rc.4"),
                "Latest Release: v1.20.300-rc.4",
                "width=\"200\"",
            ),
            (None, "Latest Release: none", "width=\"144\""),
        ] {
            let svg = release(tag, &wishes);
            assert!(svg.contains(&format!("<title>{title}</title>")), "{svg}");
            assert!(svg.contains(width), "{svg}");
        }
        let long = release(Some(&"x<".repeat(500)), &wishes);
        assert!(long.contains("width=\"290\"") && !long.contains("x<x"));
    }

    #[test]
    fn coverage_has_the_colour_of_its_class() {
        let limits = Limits::new(None, None, None);
        let table = [
            (Some(100.0), "100.00%", "#4c1"),
            (Some(95.0), "95.00%", "#4c1"),
            (Some(94.99), "94.99%", "#a3c51c"),
            (Some(89.0), "89.00%", "#dfb317"),
            (Some(74.5), "74.50%", "#e05d44"),
            (None, "unknown", "#9f9f9f"),
        ];
        for (percent, text, color) in table {
            let svg = coverage(percent, limits, &Wishes::default());
            assert!(svg.contains(&format!(">{text}</text>")), "{svg}");
            assert!(svg.contains(color), "{percent:?}: {svg}");
        }
    }

    #[test]
    fn limits_are_kept_in_order() {
        let limits = |good, acceptable, medium| {
            let limits = Limits::new(good, acceptable, medium);
            (limits.good, limits.acceptable, limits.medium)
        };
        assert_eq!(limits(None, None, None), (95, 90, 75));
        assert_eq!(limits(Some(80), Some(85), None), (80, 79, 75));
        assert_eq!(limits(Some(3), Some(99), Some(99)), (3, 2, 1));
        assert_eq!(limits(Some(2), Some(1), Some(0)), (95, 90, 75));
        assert_eq!(limits(Some(101), None, Some(200)), (95, 90, 89));
    }

    #[test]
    fn labels_and_widths_may_be_chosen_and_cannot_do_harm() {
        let wishes = Wishes {
            key_text: Some("<script>\"&".to_owned()),
            key_width: Some(150),
            value_width: Some(500),
            style: Style::FlatSquare,
        };
        let svg = pipeline(None, &wishes);
        assert!(!svg.contains("<script>"));
        assert!(svg.contains("&lt;script&gt;&quot;&amp;"));
        assert!(svg.contains("width=\"204\""), "{svg}");
        assert!(svg.contains("rx=\"0\""));
    }

    #[test]
    fn what_is_out_of_range_is_not_taken() {
        let drawn = |text: &str, key_width: u32, value_width: u32| {
            let wishes = Wishes {
                key_text: Some(text.to_owned()),
                key_width: Some(key_width),
                value_width: Some(value_width),
                ..Wishes::default()
            };
            pipeline(None, &wishes)
        };
        let (longest, too_long) = ("ü".repeat(64), "ü".repeat(65));
        for (text, key_width, value_width, label, width) in [
            (longest.as_str(), 512, 200, longest.as_str(), 712),
            (&too_long, 513, 201, "pipeline", 116),
            ("a", 0, 0, "a", 116),
            ("a", 1, 1, "a", 2),
        ] {
            let svg = drawn(text, key_width, value_width);
            assert!(svg.contains(&format!(">{label}</text>")), "{svg}");
            assert!(svg.contains(&format!(" width=\"{width}\" height")), "{svg}");
        }
    }
}
