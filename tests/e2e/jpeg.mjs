/** Doctored JPEGs for the tests. */

/**
 * A copy of a JPEG with an EXIF block that holds nothing but an orientation.
 *
 * @param {Buffer} jpeg
 * @param {number} orientation 1 to 8, as in the EXIF specification (6: turn clockwise to see it upright)
 */
export function withOrientation(jpeg, orientation) {
  const tiff = Buffer.alloc(26);
  tiff.write('MM', 0, 'latin1');
  tiff.writeUInt16BE(42, 2);
  tiff.writeUInt32BE(8, 4); // offset of the only directory
  tiff.writeUInt16BE(1, 8); // entries
  tiff.writeUInt16BE(0x0112, 10); // Orientation
  tiff.writeUInt16BE(3, 12); // SHORT
  tiff.writeUInt32BE(1, 14); // count
  tiff.writeUInt16BE(orientation, 18);
  const exif = Buffer.concat([Buffer.from('Exif\0\0', 'latin1'), tiff]);
  const head = Buffer.from([0xff, 0xe1, 0, 0]);
  head.writeUInt16BE(exif.length + 2, 2);
  // Right after the start-of-image marker, where EXIF belongs.
  return Buffer.concat([jpeg.subarray(0, 2), head, exif, jpeg.subarray(2)]);
}
