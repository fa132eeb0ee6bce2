//! "Did you mean": the candidate nearest to a word.

/// The candidate that a person most likely meant, if one is near enough: at most one slip
/// of the hand (a letter wrong, missing, too many, or swapped) for every three letters.
pub fn suggest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let letters = word.chars().take(64).count();
    suggest_within(word, candidates, letters.div_ceil(3).min(4))
}

/// The same with at most so many slips.
pub(crate) fn suggest_within<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
    allowed: usize,
) -> Option<&'c str> {
    let word: Vec<char> = word.to_lowercase().chars().take(64).collect();
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let letters: Vec<char> = candidate.to_lowercase().chars().take(64).collect();
            if letters.len().abs_diff(word.len()) > allowed {
                return None;
            }
            let slips = slips(&word, &letters);
            (slips <= allowed && slips < letters.len().max(2)).then_some((slips, candidate))
        })
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate)
}

/// The optimal string alignment distance.
fn slips(left: &[char], right: &[char]) -> usize {
    let width = right.len() + 1;
    let mut before: Vec<usize> = vec![0; width];
    let mut above: Vec<usize> = (0..width).collect();
    for (row, a) in left.iter().enumerate() {
        let mut current = vec![row + 1; width];
        for (column, b) in right.iter().enumerate() {
            let substitution = above[column] + usize::from(a != b);
            let mut best = substitution
                .min(above[column + 1] + 1)
                .min(current[column] + 1);
            if row > 0 && column > 0 && *a == right[column - 1] && left[row - 1] == *b {
                best = best.min(before[column - 1] + 1);
            }
            current[column + 1] = best;
        }
        before = above;
        above = current;
    }
    above[right.len()]
}

#[cfg(test)]
mod tests {
    use super::suggest;

    #[test]
    fn the_nearest_candidate_is_found() {
        let keys = ["script", "stage", "services", "tags", "needs"];
        for (word, expected) in [
            ("scripts", Some("script")),
            ("scrpit", Some("script")),
            ("Stage", Some("stage")),
            ("need", Some("needs")),
            ("tag", Some("tags")),
            ("service", Some("services")),
            ("artifacts", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(suggest(word, keys), expected, "{word}");
        }
    }
}
