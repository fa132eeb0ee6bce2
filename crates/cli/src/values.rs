//! Values of options that are more than a word.

/// `KEY=VALUE`, where the key is a name that a shell can export.
pub(crate) fn variable(text: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| format!("`{text}` is not KEY=VALUE"))?;
    let legal = |character: char| character.is_ascii_alphanumeric() || character == '_';
    if key.is_empty() || !key.chars().all(legal) || key.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(format!(
            "`{key}` cannot be the name of a variable; use letters, digits and `_`"
        ));
    }
    Ok((key.to_owned(), value.to_owned()))
}

/// `NAME=VALUE`, where the name is that of an input.
pub(crate) fn input(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` is not NAME=VALUE")),
    }
}

/// A number of bytes such as `500MB` or `2 GB`, in powers of 1000.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u32); 9] = [
        ("TB", 4),
        ("GB", 3),
        ("MB", 2),
        ("KB", 1),
        ("T", 4),
        ("G", 3),
        ("M", 2),
        ("K", 1),
        ("B", 0),
    ];
    let fault = || format!("`{text}` is not a size; write 500MB, 2GB or a number of bytes");
    let upper = text.trim().to_ascii_uppercase();
    let (number, power) = UNITS
        .iter()
        .find_map(|(unit, power)| Some((upper.strip_suffix(unit)?, *power)))
        .unwrap_or((&upper, 0));
    let number: u64 = number.trim().parse().map_err(|_| fault())?;
    number.checked_mul(1000_u64.pow(power)).ok_or_else(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(size("0"), Ok(0));
        assert_eq!(size("12"), Ok(12));
        assert_eq!(size("500MB"), Ok(500_000_000));
        assert_eq!(size("2 gb"), Ok(2_000_000_000));
        assert_eq!(size("1k"), Ok(1000));
        for wrong in ["", "MB", "1.5GB", "-1", "99999999999999TB"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn inputs() {
        let pair = ("my-input".to_owned(), "a=b".to_owned());
        assert_eq!(input("my-input=a=b"), Ok(pair));
        for wrong in ["a", "=x"] {
            assert!(input(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn variables() {
        assert_eq!(variable("A=b=c"), Ok(("A".into(), "b=c".into())));
        assert_eq!(variable("A="), Ok(("A".into(), String::new())));
        for wrong in ["A", "=x", "A-B=1", "1A=2"] {
            assert!(variable(wrong).is_err(), "{wrong}");
        }
    }
}
