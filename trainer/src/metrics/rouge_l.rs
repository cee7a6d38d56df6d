//! ROUGE-L (Lin 2004) as pycocoevalcap's `Rouge` has it: F-measure of the longest common subsequence, beta 1.2, with
//! the best precision and the best recall over the references, which may come from different ones.

const BETA: f64 = 1.2;

/// Scores a tokenised candidate (tokens separated by single spaces) against its references, 0 to 1; 0 without
/// references. A caption without words counts as one empty token, as in the original.
pub fn score(candidate: &str, references: &[String]) -> f64 {
    let candidate: Vec<&str> = candidate.split(' ').collect();
    let (mut precision, mut recall) = (0.0f64, 0.0f64);
    for reference in references {
        let reference: Vec<&str> = reference.split(' ').collect();
        let common = longest_common_subsequence(&candidate, &reference) as f64;
        precision = precision.max(common / candidate.len() as f64);
        recall = recall.max(common / reference.len() as f64);
    }
    if precision == 0.0 || recall == 0.0 {
        return 0.0;
    }
    (1.0 + BETA * BETA) * precision * recall / (recall + BETA * BETA * precision)
}

/// The length of the longest common subsequence, in one row of memory.
fn longest_common_subsequence(a: &[&str], b: &[&str]) -> usize {
    let mut row = vec![0; b.len() + 1];
    for word in a {
        let mut diagonal = 0;
        for (column, other) in b.iter().enumerate() {
            let above = row[column + 1];
            row[column + 1] = if word == other { diagonal + 1 } else { above.max(row[column]) };
            diagonal = above;
        }
    }
    row[b.len()]
}
