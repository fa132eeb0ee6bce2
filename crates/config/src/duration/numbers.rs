//! Numbers in words: `twenty-five`, `two hundred and five`, `one and a half`.
//!
//! The rules are those of the Ruby library that the one for durations calls. It works on text,
//! rule by rule, and what comes out of odd input depends on their order.

use regex::{Captures, Regex};
use std::sync::LazyLock;

const ONES: [&str; 10] = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
];
const TEENS: [&str; 10] = [
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 8] = [
    "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
];
const MISSPELT: [(&str, &str); 2] = [("ninteen", "nineteen"), ("fourty", "forty")];
const BIG: [(&str, u64); 5] = [
    ("hundred", 100),
    ("thousand", 1000),
    ("million", 1_000_000),
    ("billion", 1_000_000_000),
    ("trillion", 1_000_000_000_000),
];
const FRACTIONS: [(&str, u32); 8] = [
    ("half", 2),
    ("third", 3),
    ("fourth", 4),
    ("quarter", 4),
    ("fifth", 5),
    ("sixth", 6),
    ("seventh", 7),
    ("eighth", 8),
];

/// Stands before a number that was a word: only such numbers add up.
const MARK: char = '\u{1}';

/// The text, in small letters, with its number words written as digits.
pub(super) fn to_digits(text: &str) -> String {
    static HYPHEN: LazyLock<Regex> = LazyLock::new(|| rule(" +|([^0-9])-([^0-9])"));
    static WORD: LazyLock<Regex> = LazyLock::new(|| rule("[0-9a-z_]+"));
    static FRACTION: LazyLock<Regex> = LazyLock::new(|| {
        let names: Vec<String> = FRACTIONS
            .iter()
            .map(|(name, _)| format!("{name}s?"))
            .collect();
        rule(&format!(
            r"(a|[ \t\n]|[ \t\n]a) ?({})(?-u:\b)",
            names.join("|")
        ))
    });
    static MIXED: LazyLock<Regex> =
        LazyLock::new(|| rule(r"([0-9]+)(?: | and |-)+[\x01\s]*([0-9]+)\s*/\s*([0-9]+)"));
    static BIGS: LazyLock<[(Regex, u64); 5]> =
        LazyLock::new(|| BIG.map(|(name, value)| (rule(&format!("\x01?([0-9]*) *{name}")), value)));

    if !text.contains(|c: char| c.is_ascii_alphabetic()) {
        return text.to_owned();
    }
    let text = text.replace(MARK, "");
    let text = HYPHEN.replace_all(&text, "$1 $2");
    let text = WORD.replace_all(&text, |found: &Captures<'_>| match word(&found[0]) {
        Some(value) => format!("{MARK}{value}"),
        None => found[0].to_owned(),
    });
    let text = FRACTION.replace_all(&text, |found: &Captures<'_>| {
        let name = found[2].trim_end_matches('s');
        let parts = FRACTIONS.iter().find(|(one, _)| *one == name);
        let parts = parts.map_or(1, |(_, parts)| *parts);
        match found[1].ends_with('a') {
            true => format!("{}{MARK}1/{parts}", found[1].trim_end_matches('a')),
            false => format!("/{parts}"),
        }
    });
    let text = MIXED.replace_all(&text, |found: &Captures<'_>| {
        let number = |index: usize| found[index].parse().unwrap_or(0.0_f64);
        (number(1) + number(2) / number(3)).to_string()
    });
    let mut text = text.into_owned();
    for (big, value) in &*BIGS {
        let replaced = big.replace_all(&text, |found: &Captures<'_>| match &found[1] {
            "" => value.to_string(),
            count => format!(
                "{MARK}{}",
                count
                    .parse::<u64>()
                    .unwrap_or(u64::MAX)
                    .saturating_mul(*value)
            ),
        });
        text = add_up(&replaced);
    }
    add_up(&text).replace(MARK, "")
}

#[expect(clippy::expect_used, reason = "the expressions are constant")]
fn rule(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the rules are valid")
}

/// The value of one word: `seven`, `twelve`, `forty`, `fortytwo`.
fn word(word: &str) -> Option<usize> {
    let word = MISSPELT
        .iter()
        .find_map(|(wrong, right)| Some([right, word.strip_prefix(wrong)?].concat()))
        .unwrap_or_else(|| word.to_owned());
    let index = |words: &[&str], word: &str| words.iter().position(|one| *one == word);
    if let Some(value) = index(&ONES, &word) {
        return Some(value);
    }
    if let Some(value) = index(&TEENS, &word) {
        return Some(10 + value);
    }
    TENS.iter().zip(2..).find_map(|(tens, value)| {
        let ones = match word.strip_prefix(tens)? {
            "" => 0,
            rest => index(&ONES, rest).filter(|ones| *ones > 0)?,
        };
        Some(value * 10 + ones)
    })
}

/// Adds neighbours: any two with `and` between them, else where the left has more digits.
fn add_up(text: &str) -> String {
    static PAIR: LazyLock<Regex> =
        LazyLock::new(|| rule("\x01([0-9]+)( | and )\x01([0-9]+)(?-u:\\b)"));
    let mut text = text.to_owned();
    let mut from = 0;
    while let Some(found) = PAIR.captures_at(&text, from) {
        let whole = found.get_match().range();
        if &found[2] == " " && found[1].len() <= found[3].len() {
            from = whole.end;
            continue;
        }
        let number = |index: usize| found[index].parse::<u64>().unwrap_or(u64::MAX);
        let sum = format!("{MARK}{}", number(1).saturating_add(number(3)));
        text.replace_range(whole, &sum);
        from = 0;
    }
    text
}
