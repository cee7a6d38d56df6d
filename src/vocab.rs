//! Tokens to text and back.

/// The tokens that are not words: their place in the vocabulary is their id.
pub const SPECIAL_TOKENS: [&str; 3] = ["<start>", "<end>", "<unk>"];
/// Id of the token that starts every caption.
pub const START: u32 = 0;
/// Id of the token that ends every caption.
pub const END: u32 = 1;
/// Id of the token that stands for every word outside the vocabulary; never generated.
pub const UNKNOWN: u32 = 2;
