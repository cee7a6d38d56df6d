//! The pictures of a zip file.

use std::fs::File;
use std::io::{BufReader, Read};

use zip::ZipArchive;
use zip::result::ZipError;

use super::sniff;
use crate::data::decode::MAX_FILE_BYTES;
use crate::stream::feed::{Closed, Feed};
use crate::stream::item::{Id, Payload};

/// Reads the pictures of a zip file; other members are passed over.
pub fn read(file: File, id: &Id, feed: &mut Feed) -> Result<(), Closed> {
    let mut archive = match ZipArchive::new(BufReader::new(file)) {
        Ok(archive) => archive,
        Err(error) => {
            return feed
                .broken_input(id.clone(), format!("{}: the zip file is broken: {error}", id.as_str()));
        }
    };
    for index in 0..archive.len() {
        feed.progress(index as f64 / archive.len() as f64);
        // Without its content first: a member that is not wanted need not be unpacked, nor its password be known.
        let (name, folder) = match archive.by_index_raw(index) {
            Ok(member) => (member.name_raw().to_vec(), member.is_dir() || !member.is_file()),
            Err(error) => {
                let reason = format!("{}: member {index} of the zip file is broken: {error}", id.as_str());
                feed.broken_input(id.clone(), reason)?;
                continue;
            }
        };
        if folder {
            continue;
        }
        let named = sniff::picture_name(&name) && !sniff::is_resource_fork(&name);
        let member = id.member(&name);
        let bytes = unpack(&mut archive, index, named);
        match bytes {
            Ok(Some(bytes)) => feed.offer(member, || Payload::Bytes(bytes))?,
            Ok(None) => feed.passed_over(),
            Err(reason) if named => {
                let reason = format!("{}: {reason}", member.as_str());
                feed.offer(member, || Payload::Missing(reason))?;
            }
            Err(_) => feed.passed_over(),
        }
    }
    Ok(())
}

/// The bytes of a member that is a picture by its content or `named` like one.
fn unpack(
    archive: &mut ZipArchive<BufReader<File>>,
    index: usize,
    named: bool,
) -> Result<Option<Vec<u8>>, String> {
    let member = archive.by_index(index).map_err(|error| match error {
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => "is encrypted".to_owned(),
        error => format!("cannot be unpacked: {error}"),
    })?;
    let failed = |error: std::io::Error| format!("cannot be unpacked: {error}");
    let mut member = member.take(MAX_FILE_BYTES + 1);
    let mut bytes = Vec::new();
    member.by_ref().take(64).read_to_end(&mut bytes).map_err(failed)?;
    if !named && !sniff::is_picture(&bytes) {
        return Ok(None);
    }
    // The length in the header may lie; what is unpacked is what counts.
    member.read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("the file is longer than {MAX_FILE_BYTES} bytes"));
    }
    Ok(Some(bytes))
}
