//! Whether a WebP file is there as a whole: its decoder goes on without a word where the data end too early.

use super::{CUT_OFF, Failure};

/// Checks that the chunks of the file, and of its frames, fit into each other.
///
/// # Errors
/// If something is missing, or beside its place. Browsers show nothing of such a file.
pub(super) fn check(bytes: &[u8]) -> Result<(), Failure> {
    let cut_off = || Failure::Broken(CUT_OFF.to_owned());
    let size = bytes.get(4..8).and_then(|size| size.try_into().ok()).map(u32::from_le_bytes);
    let size = size.ok_or_else(cut_off)? as usize;
    // What lies behind the file is of no account.
    let chunks = bytes.get(12..8usize.saturating_add(size)).ok_or_else(cut_off)?;
    fits(chunks, 0)
}

/// Whether chunks lie one after the other from the beginning to the end. A frame of an animation has chunks of its own.
fn fits(mut chunks: &[u8], depth: u8) -> Result<(), Failure> {
    let damaged = || Failure::Broken("its parts do not fit into each other".to_owned());
    while !chunks.is_empty() {
        let header = chunks.first_chunk::<8>().ok_or_else(damaged)?;
        let size = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
        let content = chunks.get(8..8usize.saturating_add(size)).ok_or_else(damaged)?;
        if &header[..4] == b"ANMF" && depth == 0 {
            // Place, size, duration and how it is drawn come first.
            fits(content.get(16..).ok_or_else(damaged)?, 1)?;
        }
        // Chunks begin at even places; some writers leave the last one's padding out.
        chunks = chunks.get(8 + size + size % 2..).unwrap_or_default();
    }
    Ok(())
}
