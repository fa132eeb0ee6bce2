//! Sizes as people write them.

/// Reads `20 GB`, `500MB`, `1.5 GiB` or plain bytes: units are powers of 1000, with an `i` of
/// 1024.
pub fn parse_bytes(text: &str) -> Option<u64> {
    let text = text.trim().to_lowercase();
    let split = text.find(|character: char| character.is_ascii_alphabetic());
    let (number, unit) = text.split_at(split.unwrap_or(text.len()));
    let unit = unit.strip_suffix('b').unwrap_or(unit);
    let (unit, base) = match unit.strip_suffix('i') {
        Some(unit) if !unit.is_empty() => (unit, 1024_f64),
        _ => (unit, 1000_f64),
    };
    let power = match unit {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        _ => return None,
    };
    let number: f64 = number.trim().parse().ok()?;
    let bytes = number * base.powi(power);
    (number.is_finite() && number >= 0.0 && bytes < 1e18).then_some(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_of_1000_and_with_an_i_of_1024() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("123", Some(123)),
            ("20 GB", Some(20_000_000_000)),
            ("1.5g", Some(1_500_000_000)),
            ("500MB", Some(500_000_000)),
            ("64 KiB", Some(65_536)),
            ("2TiB", Some(2 << 40)),
            ("5b", Some(5)),
            ("ib", None),
            ("-1", None),
            ("", None),
            ("lots", None),
            ("1xb", None),
            ("9999999999t", None),
        ] {
            assert_eq!(parse_bytes(text), bytes, "{text}");
        }
    }
}
