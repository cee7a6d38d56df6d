//! PTB-style tokens.

/// The words of a caption.
pub fn words(caption: &str) -> Vec<String> {
    caption
        .to_lowercase()
        .split(|c: char| !c.is_alphanumeric() && c != '-' && c != '\'')
        .filter(|w| !w.is_empty())
        .map(str::to_owned)
        .collect()
}
