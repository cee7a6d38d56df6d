//! Where a data set's images lie.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use unicode_normalization::UnicodeNormalization;

/// The folders in which data sets are found to keep their images, beside the captions.
const USUAL: [&str; 5] = ["Images", "images", "Flicker8k_Dataset", "Flickr8k_Dataset", "flickr30k-images"];

/// Finds images by name in a data set's folders.
pub(super) struct ImageFinder {
    folders: Vec<PathBuf>,
    /// Of folders that were looked into: their files by [`composed`] name.
    listings: RefCell<HashMap<PathBuf, HashMap<String, PathBuf>>>,
}

impl ImageFinder {
    /// Looks in the folders named in `first`, then in the usual ones, then beside the captions; under each of `roots`.
    pub(super) fn new(roots: &[PathBuf], first: &[&str]) -> Self {
        let named =
            roots.iter().flat_map(|root| first.iter().chain(&USUAL).map(move |folder| root.join(folder)));
        // Flickr8k_Dataset.zip unpacks to a folder inside a folder for some.
        let nested = roots.iter().map(|root| root.join("Flickr8k_Dataset/Flicker8k_Dataset"));
        let mut folders: Vec<PathBuf> =
            named.chain(nested).filter(|folder| folder.is_dir()).chain(roots.iter().cloned()).collect();
        // On a file system that ignores case `Images` and `images` are one; looking twice does no harm.
        let mut seen = std::collections::HashSet::new();
        folders.retain(|folder| seen.insert(folder.clone()));
        Self { folders, listings: RefCell::default() }
    }

    /// The folders in the order in which they are searched.
    pub(super) fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    /// The image's path, if it is there. `folder` is what the entry itself says about its place.
    pub(super) fn find(&self, folder: Option<&str>, name: &str) -> Option<PathBuf> {
        let with_folder = folder.map(|folder| Path::new(folder).join(name));
        let files = || {
            let names = with_folder.iter().map(PathBuf::as_path).chain([Path::new(name)]);
            names.flat_map(|file| self.folders.iter().map(move |folder| folder.join(file)))
        };
        files()
            .find(|file| file.is_file())
            .or_else(|| files().find_map(|file| self.find_otherwise_spelt(&file)))
    }

    /// The file whose name is the same letters in another Unicode form: macOS takes letters with accents apart (NFD),
    /// most other programs write them as one (NFC), and both look the same.
    fn find_otherwise_spelt(&self, file: &Path) -> Option<PathBuf> {
        if file.to_str()?.is_ascii() {
            return None;
        }
        let (folder, name) = (file.parent()?, file.file_name()?.to_str()?);
        let spelt = folder.to_str()?;
        let folder = [spelt.to_owned(), composed(spelt), spelt.nfd().collect()]
            .into_iter()
            .map(PathBuf::from)
            .find(|folder| folder.is_dir())?;
        let mut listings = self.listings.borrow_mut();
        let listing = listings.entry(folder).or_insert_with_key(|folder| {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            entries.map(|entry| (composed(&entry.file_name().to_string_lossy()), entry.path())).collect()
        });
        listing.get(&composed(name)).filter(|path| path.is_file()).cloned()
    }
}

/// A name with its letters in one piece each (NFC), in which equal names are equal.
pub(super) fn composed(name: &str) -> String {
    name.nfc().collect()
}

/// Whether a path from a captions file stays inside the data set's folder.
pub(super) fn is_safe(path: &str) -> bool {
    let mut components = Path::new(path).components();
    !path.contains('\0') && components.all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}
