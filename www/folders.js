/** Files that only systems write, and nobody means. */
const OF_THE_SYSTEM = /^(\.|Thumbs\.db$|desktop\.ini$)/i;
/** Names of pictures to which some systems give no type. */
const NAMED_AS_PICTURES = /\.(jpe?g|png|gif|webp|avif|bmp|svg|heic|heif|tiff?|jxl)$/i;

/**
 * The files of what was dropped or pasted: each file that was given itself, and the pictures of folders, at any depth.
 *
 * @param {DataTransfer | null} transfer is read before this function first waits, as browsers demand
 * @returns {Promise<{ files: File[], folders: number, others: number }>} `others`: files in folders that are no pictures
 */
export async function filesOf(transfer) {
  const given = [...(transfer?.items ?? [])]
    .filter(({ kind }) => kind === 'file')
    .map((item) => ({ folder: asFolder(item), file: item.getAsFile() }));
  if (!given.some(({ folder }) => folder)) return { files: [...(transfer?.files ?? [])], folders: 0, others: 0 };

  const files = [];
  let [folders, others] = [0, 0];
  for (const { folder, file } of given) {
    if (!folder) {
      if (file) files.push(file);
      continue;
    }
    folders += 1;
    for (const found of await filesIn(folder)) {
      if (OF_THE_SYSTEM.test(found.name)) continue;
      if (found.type.startsWith('image/') || NAMED_AS_PICTURES.test(found.name)) files.push(found);
      else others += 1;
    }
  }
  return { files, folders, others };
}

function asFolder(item) {
  const entry = item.webkitGetAsEntry?.();
  return entry?.isDirectory ? entry : null;
}

/** All files of a folder, by name; what the system does not let be read is not there. */
async function filesIn(folder) {
  const files = [];
  const entries = await entriesOf(folder);
  for (const entry of entries.sort((a, b) => a.name.localeCompare(b.name))) {
    if (entry.isDirectory) files.push(...(await filesIn(entry)));
    else {
      const file = await new Promise((resolve) => entry.file(resolve, () => resolve(null)));
      if (file) files.push(file);
    }
  }
  return files;
}

async function entriesOf(folder) {
  const reader = folder.createReader();
  const entries = [];
  for (;;) {
    // Browsers hand out some at a time.
    const some = await new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));
    if (some.length === 0) return entries;
    entries.push(...some);
  }
}
