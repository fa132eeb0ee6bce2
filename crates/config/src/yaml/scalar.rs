//! What Psych takes a plain scalar for. The rules are YAML 1.1 with Ruby's own additions;
//! the table in the tests was made by Psych itself.

use super::node::Value;

/// A plain scalar that Psych refuses to load, named by the Ruby class it would become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Disallowed(pub(crate) &'static str);

/// The value of a plain scalar.
pub(crate) fn resolve(text: &str) -> Result<Value, Disallowed> {
    if text.is_empty() {
        return Ok(Value::Null);
    }
    if looks_like_words(text) {
        return Ok(word(text).unwrap_or_else(|| as_text(text)));
    }
    if is_time(text) {
        return Err(Disallowed("Time"));
    }
    if is_date(text) {
        return Err(Disallowed("Date"));
    }
    if let Some(float) = special_float(text) {
        return Ok(Value::Float(float));
    }
    if let Some(name) = text.strip_prefix(':')
        && !name.is_empty()
    {
        return Ok(Value::Symbol(symbol(name).into()));
    }
    Ok(base_sixty(text)
        .or_else(|| float(text))
        .or_else(|| integer(text))
        .unwrap_or_else(|| as_text(text)))
}

/// Whether a plain scalar of this text is read as just this text.
pub(crate) fn plain_is_text(text: &str) -> bool {
    matches!(resolve(text), Ok(Value::Text(read)) if *read == *text)
}

fn as_text(text: &str) -> Value {
    Value::Text(text.into())
}

/// Psych's first test, which keeps most texts away from the others: a letter or sign among
/// the first two characters, or several lines.
fn looks_like_words(text: &str) -> bool {
    let wordy = |c: char| {
        c.is_alphabetic() || c.is_ascii_whitespace() || "_!@#$%^&*(){}<>|/\\~;=".contains(c)
    };
    let mut chars = text.chars();
    let (first, second) = (chars.next(), chars.next());
    first.is_some_and(wordy)
        || first.is_some_and(|c| !c.is_ascii_digit() && !".:-".contains(c))
            && second.is_some_and(wordy)
        || text.contains('\n')
}

fn word(text: &str) -> Option<Value> {
    if text.len() > 5 {
        return None;
    }
    match text.to_ascii_lowercase().as_str() {
        "~" | "null" => Some(Value::Null),
        "yes" | "true" | "on" => Some(Value::Bool(true)),
        "no" | "false" | "off" => Some(Value::Bool(false)),
        _ => None,
    }
}

fn special_float(text: &str) -> Option<f64> {
    match text.to_ascii_lowercase().as_str() {
        ".inf" | "+.inf" => Some(f64::INFINITY),
        "-.inf" => Some(f64::NEG_INFINITY),
        ".nan" => Some(f64::NAN),
        _ => None,
    }
}

/// `:name` and `:"name"`.
fn symbol(name: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(rest) = name.strip_prefix(quote)
            && let Some(end) = rest.rfind(quote)
        {
            return rest[..end].strip_prefix(':').unwrap_or(&rest[..end]);
        }
    }
    name
}

/// Takes up to `most` digits off the front; `None` where there are fewer than `least`.
fn digits(text: &str, least: usize, most: usize) -> Option<&str> {
    let count = text
        .bytes()
        .take(most)
        .take_while(u8::is_ascii_digit)
        .count();
    (count >= least).then(|| &text[count..])
}

/// `2020-01-01 10:00:00.5 +02:00` and its variants.
fn is_time(text: &str) -> bool {
    time(text.strip_prefix('-').unwrap_or(text)).is_some()
}

fn time(text: &str) -> Option<()> {
    let rest = digits(text, 4, 4)?.strip_prefix('-')?;
    let rest = digits(rest, 1, 2)?.strip_prefix('-')?;
    let rest = digits(rest, 1, 2)?;
    let rest = match rest.strip_prefix(['T', 't']) {
        Some(rest) => rest,
        None => {
            let trimmed = rest.trim_ascii_start();
            (trimmed.len() < rest.len()).then_some(trimmed)?
        }
    };
    let rest = digits(rest, 1, 2)?.strip_prefix(':')?;
    let rest = digits(rest, 2, 2)?.strip_prefix(':')?;
    let rest = digits(rest, 2, 2)?;
    let rest = match rest.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => rest,
    };
    if rest.is_empty() {
        return Some(());
    }
    let zone = rest.trim_ascii_start();
    if zone == "Z" {
        return Some(());
    }
    let rest = digits(zone.strip_prefix(['-', '+'])?, 1, 2)?;
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    (rest.is_empty() || digits(rest, 2, 2)?.is_empty()).then_some(())
}

/// `2020-01-01`, the month and day in their ranges.
fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts[..] else {
        return false;
    };
    let in_range = |part: &str, most: u8| {
        matches!(part.len(), 1 | 2)
            && part.bytes().all(|b| b.is_ascii_digit())
            && part.parse::<u8>().is_ok_and(|value| value <= most)
    };
    year.len() == 4
        && year.bytes().all(|b| b.is_ascii_digit())
        && in_range(month, 12)
        && in_range(day, 31)
}

/// `12:30:45`, and with a fraction behind it. With two parts Ruby still takes the first for
/// the highest place: `12:30` is 45000.
fn base_sixty(text: &str) -> Option<Value> {
    let parts: Vec<&str> = text.split(':').collect();
    if !(2..=3).contains(&parts.len()) {
        return None;
    }
    let (first, rest) = parts.split_first()?;
    let unsigned = first.strip_prefix(['-', '+']).unwrap_or(first);
    if !unsigned.starts_with(|c: char| c.is_ascii_digit())
        || !unsigned.bytes().all(|b| b.is_ascii_digit() || b == b'_')
    {
        return None;
    }
    let (last, middle) = rest.split_last()?;
    let sixtieth = |part: &str| {
        let bytes = part.as_bytes();
        matches!(bytes, [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9'])
    };
    let (whole, fraction) = match last.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (*last, None),
    };
    if !middle.iter().all(|part| sixtieth(part))
        || !sixtieth(whole)
        || !fraction.is_none_or(|f| f.bytes().all(|b| b.is_ascii_digit() || b == b'_'))
    {
        return None;
    }
    const PLACES: [i128; 3] = [3600, 60, 1];
    if fraction.is_none() {
        let mut sum = 0i128;
        for (part, place) in parts.iter().zip(PLACES) {
            sum = sum.checked_add(leading_integer(part)?.checked_mul(place)?)?;
        }
        return Some(Value::Integer(sum));
    }
    let mut sum = 0.0;
    for (part, place) in parts.iter().zip(PLACES) {
        sum += leading_float(part) * place as f64;
    }
    Some(Value::Float(sum))
}

/// Ruby's `to_i`: digits with single underscores between them.
fn leading_integer(text: &str) -> Option<i128> {
    leading_number(text).parse().ok()
}

/// Ruby's `to_f` of such a text.
fn leading_float(text: &str) -> f64 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{}.{}", leading_number(whole), leading_number(fraction))
        .trim_end_matches('.')
        .parse()
        .unwrap_or(0.0)
}

fn leading_number(text: &str) -> String {
    let end = text.find("__").unwrap_or(text.len());
    text[..end].replace('_', "")
}

/// `1.5`, `.5`, `5.`, `1_0.5`; an exponent needs the dot and a sign.
fn float(text: &str) -> Option<Value> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, rest) = unsigned.split_once('.')?;
    let (fraction, exponent) = match rest.split_once(['e', 'E']) {
        Some((fraction, exponent)) => (fraction, Some(exponent)),
        None => (rest, None),
    };
    let whole_fits = whole.is_empty()
        || whole.starts_with(|c: char| c.is_ascii_digit())
            && whole
                .bytes()
                .all(|b| b.is_ascii_digit() || b == b'_' || b == b',');
    let exponent_fits = exponent.is_none_or(|exponent| {
        exponent
            .strip_prefix(['-', '+'])
            .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
    });
    if !whole_fits
        || !exponent_fits
        || !fraction.bytes().all(|b| b.is_ascii_digit())
        || whole.is_empty() && fraction.is_empty()
    {
        return None;
    }
    text.replace([',', '_'], "").parse().ok().map(Value::Float)
}

/// Decimal with `_` or `,` between digits, octal, hexadecimal and binary.
fn integer(text: &str) -> Option<Value> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let separator = |c: char| c == '_' || c == ',';
    let all = |digits: &str, radix: u32| {
        !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix) || separator(c))
    };
    let (radix, digits) = if let Some(digits) = unsigned.strip_prefix("0x") {
        all(digits, 16).then_some((16, digits))?
    } else if let Some(digits) = unsigned.strip_prefix("0b") {
        all(digits, 2).then_some((2, digits))?
    } else if unsigned == "0" {
        (10, unsigned)
    } else if let Some(digits) = unsigned.strip_prefix('0') {
        all(digits, 8).then_some((8, unsigned))?
    } else {
        let single = !unsigned.ends_with(separator)
            && !unsigned
                .as_bytes()
                .windows(2)
                .any(|pair| pair.iter().all(|b| separator(char::from(*b))));
        (all(unsigned, 10) && single && !unsigned.starts_with(separator))
            .then_some((10, unsigned))?
    };
    let magnitude = i128::from_str_radix(&digits.replace(separator, ""), radix).ok()?;
    Some(Value::Integer(if negative {
        -magnitude
    } else {
        magnitude
    }))
}
