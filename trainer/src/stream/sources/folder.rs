//! The pictures and archives of a folder and of those in it.

use std::path::Path;

use walkdir::WalkDir;

use super::sniff::{self, Content};
use super::{ReadOptions, read_file};
use crate::stream::feed::{Closed, Feed};
use crate::stream::item::{Id, Payload};

/// Goes through `folder`. A file is a picture or an archive by its content; one that is neither, but is called like a
/// picture, is a row with its error, and the others are passed over.
pub fn read(folder: &Path, options: &ReadOptions, feed: &mut Feed) -> Result<(), Closed> {
    let mut walk = WalkDir::new(folder).follow_links(true);
    if options.sorted {
        walk = walk.sort_by_file_name();
    }
    for entry in walk {
        let entry = match entry {
            Ok(entry) => entry,
            // The pictures are found where the link leads to.
            Err(error) if error.loop_ancestor().is_some() => continue,
            Err(error) => {
                unreadable(&error, folder, feed)?;
                continue;
            }
        };
        if !entry.file_type().is_file() {
            continue;
        }
        let path = entry.path();
        let name = path.as_os_str().as_encoded_bytes();
        let content = sniff::content_of(path).ok();
        let ours = match content {
            // Gzip is much else besides tar files.
            Some(Content::Gzip) => name.ends_with(b".tar.gz") || name.ends_with(b".tgz"),
            // So is zip: documents, programs, books.
            Some(Content::Zip) => name.ends_with(b".zip"),
            Some(Content::Picture | Content::Tar | Content::Parquet) => true,
            Some(Content::Utf16 | Content::Text | Content::Other) | None => sniff::picture_name(name),
        };
        if ours && !(sniff::is_resource_fork(name) && content != Some(Content::Picture)) {
            read_file(path, content.unwrap_or(Content::Other), options, feed)?;
        } else {
            feed.passed_over();
        }
    }
    Ok(())
}

/// A link that leads nowhere is a picture that is missing if it is called like one, and else none of ours; anything else
/// may hide pictures.
fn unreadable(error: &walkdir::Error, folder: &Path, feed: &mut Feed) -> Result<(), Closed> {
    let path = error.path().unwrap_or(folder);
    let reason = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
    let reason = format!("{}: cannot be read: {reason}", path.display());
    let nowhere = error.io_error().is_some_and(|error| error.kind() == std::io::ErrorKind::NotFound);
    if !nowhere {
        feed.broken_input(Id::path(path), reason)
    } else if sniff::picture_name(path.as_os_str().as_encoded_bytes()) {
        feed.offer(Id::path(path), || Payload::Missing(reason))
    } else {
        feed.passed_over();
        Ok(())
    }
}
