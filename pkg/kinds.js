/**
 * What a value is, told in a way that works across realms (frames, Node's `vm`, Jest and jsdom), where `instanceof`
 * does not: each has classes of its own.
 */
export function kindOf(value) {
  return Object.prototype.toString.call(value).slice('[object '.length, -1);
}

/** A Blob of the platform or of a stand-in for it; a File is one. */
export function isBlob(value) {
  const kind = kindOf(value);
  return kind === 'Blob' || kind === 'File';
}

/** Bytes as an ArrayBuffer (a shared one too) or a view of one. */
export function isBytes(value) {
  return ArrayBuffer.isView(value) || kindOf(value) === 'ArrayBuffer' || kindOf(value) === 'SharedArrayBuffer';
}

/** What `bytesOf` reads of a Blob, also of one without `arrayBuffer` (jsdom's, and browsers' from before 2020). */
export async function bytesOf(blob) {
  if (typeof blob.arrayBuffer === 'function') return new Uint8Array(await blob.arrayBuffer());
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(new Uint8Array(reader.result));
    reader.onerror = () => reject(reader.error);
    reader.readAsArrayBuffer(blob);
  });
}
