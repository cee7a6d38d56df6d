//! Prints a digest of the pixels of each picture of a folder, to be compared with those that
//! `tests/reference/decode.py FOLDER --digests` prints of Pillow's.

use std::fmt::Write;

use sha2::{Digest, Sha256};
use soli_trainer::data::decode;

fn main() {
    let folder = std::env::args().nth(1).expect("a folder of pictures");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match decode::load(&file) {
            Ok(picture) => {
                let digest = Sha256::digest(picture.rgb().as_raw());
                let hex = digest.iter().fold(String::new(), |mut hex, byte| {
                    write!(hex, "{byte:02x}").expect("a string takes all");
                    hex
                });
                println!("{hex} {} {} {name}", picture.width(), picture.height());
            }
            Err(error) => println!("{error}"),
        }
    }
}
