//! What a file is, by its first bytes and by its name.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

/// Enough to know a tar file by its magic number at 257.
const HEAD: usize = 512;

/// What a file looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// A picture of a format that is known, whether or not it can be read.
    Picture,
    /// A tar file that is not compressed.
    Tar,
    /// Compressed with gzip: a tar file, one hopes.
    Gzip,
    /// A zip file.
    Zip,
    /// A Parquet file.
    Parquet,
    /// Text in UTF-16.
    Utf16,
    /// Lines of bytes without zeros, or nothing at all.
    Text,
    /// Something else.
    Other,
}

/// The first bytes of a stream: as many as tell what it is. A line of text is not waited beyond its end, since whoever
/// writes it may wait for an answer.
pub fn head(from: &mut impl Read) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(HEAD);
    let mut buffer = [0; HEAD];
    while head.len() < HEAD && !(head.contains(&b'\n') && content(&head) == Content::Text) {
        match from.read(&mut buffer[..HEAD - head.len()]) {
            Ok(0) => break,
            Ok(read) => head.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(head)
}

/// What a file looks like.
pub fn content_of(path: &Path) -> std::io::Result<Content> {
    Ok(content(&head(&mut File::open(path)?)?))
}

/// What starts like this.
pub fn content(head: &[u8]) -> Content {
    let tar = head.get(257..262) == Some(b"ustar") || old_tar(head);
    if tar {
        Content::Tar
    } else if head.starts_with(&[0x1F, 0x8B]) {
        Content::Gzip
    } else if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        Content::Zip
    } else if head.starts_with(b"PAR1") {
        Content::Parquet
    } else if is_picture(head) {
        Content::Picture
    } else if head.starts_with(&[0xFF, 0xFE]) || head.starts_with(&[0xFE, 0xFF]) {
        Content::Utf16
    } else if head.contains(&0) {
        Content::Other
    } else {
        Content::Text
    }
}

/// A tar header without a magic number, as Unix V7 wrote it: known by its checksum.
fn old_tar(head: &[u8]) -> bool {
    let Some(header) = head.get(..512) else { return false };
    let digits = |bytes: &[u8]| {
        let text = std::str::from_utf8(bytes).ok()?;
        u32::from_str_radix(text.trim_matches(['\0', ' ']), 8).ok()
    };
    let sum: u32 = header
        .iter()
        .enumerate()
        .map(|(i, &b)| u32::from(if (148..156).contains(&i) { b' ' } else { b }))
        .sum();
    header[0] != 0 && digits(&header[148..156]) == Some(sum)
}

/// Whether bytes start like a picture, also of a format that is not read: then a row says so.
pub fn is_picture(head: &[u8]) -> bool {
    use image::ImageFormat::{Avif, Bmp, Gif, Jpeg, Png, Tiff, WebP};
    let brand = matches!(head.get(4..8), Some(b"ftyp"))
        && matches!(
            head.get(8..12),
            Some(b"heic" | b"heix" | b"hevc" | b"mif1" | b"msf1" | b"avif" | b"avis")
        );
    // Two letters are too few to tell a BMP file from a text: its reserved bytes are zeros.
    let bmp = |head: &[u8]| head.get(6..10) == Some(&[0; 4]);
    match image::guess_format(head) {
        Ok(Bmp) => bmp(head),
        Ok(Jpeg | Png | WebP | Gif | Avif | Tiff) => true,
        _ => brand,
    }
}

/// Whether a name says that its file is a picture, also of a format that is not read.
pub fn picture_name(name: &[u8]) -> bool {
    const EXTENSIONS: [&str; 17] = [
        "jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif", "bmp", "dib", "heic", "heif", "avif", "tif",
        "tiff", "svg", "apng", "jxl",
    ];
    let base = base_name(name);
    let extension = base.rsplit(|&b| b == b'.').next().filter(|e| e.len() < base.len());
    extension.is_some_and(|found| EXTENSIONS.iter().any(|known| found.eq_ignore_ascii_case(known.as_bytes())))
}

/// What macOS writes beside every file of an archive: the name of a picture, and no picture.
pub fn is_resource_fork(name: &[u8]) -> bool {
    base_name(name).starts_with(b"._")
}

fn base_name(name: &[u8]) -> &[u8] {
    name.rsplit(|&b| b == b'/').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_told_apart_by_the_first_bytes() {
        let mut tar = vec![b'a'; 100];
        tar.resize(512, 0);
        tar[257..262].copy_from_slice(b"ustar");
        for (head, expected) in [
            (&tar[..], Content::Tar),
            (b"\x1F\x8B\x08", Content::Gzip),
            (b"PK\x03\x04", Content::Zip),
            (b"PAR1", Content::Parquet),
            (b"\xFF\xD8\xFF\xE0\0\x10JFIF", Content::Picture),
            (b"\0\0\0\x18ftypheic", Content::Picture),
            (b"\xFF\xFEa\0.\0", Content::Utf16),
            (b"a.jpg\nb.jpg\n", Content::Text),
            (b"BMW/photo.jpg\n", Content::Text),
            (b"{\"id\": 1}", Content::Text),
            (b"", Content::Text),
            (b"\x7FELF\0", Content::Other),
        ] {
            assert_eq!(content(head), expected, "{:?}", String::from_utf8_lossy(head));
        }
    }

    #[test]
    fn names_of_pictures() {
        for (name, expected) in [
            ("a.jpg", true),
            ("folder/A.JPEG", true),
            ("a.b.heic", true),
            ("jpg", false),
            ("a.json", false),
            ("a.jpg/readme", false),
        ] {
            assert_eq!(picture_name(name.as_bytes()), expected, "{name}");
        }
        assert!(is_resource_fork(b"__MACOSX/photos/._cat.jpg") && !is_resource_fork(b"a._b/cat.jpg"));
    }
}
