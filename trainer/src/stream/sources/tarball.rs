//! The pictures of a tar file, WebDataset's shards among them: read once, in order, from anything that can be read.

use std::io::{BufReader, Read};

use flate2::read::MultiGzDecoder;

use super::{BytesRead, sniff};
use crate::data::decode::MAX_FILE_BYTES;
use crate::stream::feed::{Closed, Feed};
use crate::stream::item::{Id, Payload};

/// First bytes of a member that tell whether it is a picture.
const HEAD: usize = 64;

/// Reads the pictures of a tar file, compressed with gzip or not. Members that are no pictures, such as the texts and
/// labels of WebDataset's samples, are passed over.
pub fn read(from: impl Read, id: &Id, bytes: BytesRead, feed: &mut Feed) -> Result<(), Closed> {
    let mut from = BufReader::with_capacity(1 << 16, from);
    let gzip = std::io::BufRead::fill_buf(&mut from).is_ok_and(|head| head.starts_with(&[0x1F, 0x8B]));
    if gzip { members(MultiGzDecoder::new(from), id, &bytes, feed) } else { members(from, id, &bytes, feed) }
}

fn members(from: impl Read, id: &Id, bytes: &BytesRead, feed: &mut Feed) -> Result<(), Closed> {
    let mut archive = tar::Archive::new(from);
    let broken = |feed: &mut Feed, after: &str, error: &dyn std::fmt::Display| {
        let place = if after.is_empty() { String::new() } else { format!(" after {after}") };
        feed.broken_input(id.clone(), format!("{}: the tar file is broken{place}: {error}", id.as_str()))
    };
    let entries = match archive.entries() {
        Ok(entries) => entries,
        Err(error) => return broken(feed, "", &error),
    };
    let mut last = String::new();
    for entry in entries {
        let mut entry = match entry {
            Ok(entry) => entry,
            Err(error) => return broken(feed, &last, &error),
        };
        feed.progress(bytes.fraction());
        let name = entry.path_bytes().into_owned();
        let member = id.member(&name);
        let kind = entry.header().entry_type();
        if (kind.is_hard_link() || kind.is_symlink()) && sniff::picture_name(&name) {
            let target = entry.link_name_bytes().unwrap_or_default().into_owned();
            let target = String::from_utf8_lossy(&target).into_owned();
            let reason = format!("{}: is a link to {target}; there are no bytes of its own", member.as_str());
            feed.offer(member, || Payload::Missing(reason))?;
            continue;
        }
        if !(kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse()) {
            continue;
        }
        let size = entry.size();
        let mut bytes = Vec::new();
        if let Err(error) = entry.by_ref().take(HEAD as u64).read_to_end(&mut bytes) {
            return broken(feed, &last, &error);
        }
        let picture = sniff::is_picture(&bytes);
        if !(picture || sniff::picture_name(&name) && !sniff::is_resource_fork(&name)) {
            feed.passed_over();
            // A cut in a member that is passed over must not go unseen.
            match std::io::copy(&mut entry, &mut std::io::sink()) {
                Ok(rest) if rest + bytes.len() as u64 == size => {}
                Ok(_) => return broken(feed, &last, &"it is cut off"),
                Err(error) => return broken(feed, &last, &error),
            }
        } else if size > MAX_FILE_BYTES {
            let reason = format!("{}: the file is longer than {MAX_FILE_BYTES} bytes", member.as_str());
            feed.offer(member.clone(), || Payload::Missing(reason))?;
        } else {
            match entry.read_to_end(&mut bytes) {
                // Half a picture is none, and says nothing of those after it.
                Ok(_) if (bytes.len() as u64) < size => return broken(feed, &last, &"it is cut off"),
                Ok(_) => feed.offer(member.clone(), || Payload::Bytes(bytes))?,
                Err(error) => return broken(feed, &last, &error),
            }
        }
        last = String::from_utf8_lossy(&name).into_owned();
    }
    Ok(())
}
