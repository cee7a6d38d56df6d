/** Files that are no pictures, or unusual ones, for the tests. */
import { crc32, deflateSync } from 'node:zlib';

const u16 = (value) => Buffer.from([value & 0xff, value >> 8]);
const u24 = (value) => Buffer.from([value & 0xff, (value >> 8) & 0xff, value >> 16]);

/** A GIF of one pixel: a frame for each of `colours` (0: black, 1: white), half a second each. */
export function gif(...colours) {
  const head = Buffer.concat([Buffer.from('GIF89a'), u16(1), u16(1), Buffer.from([0x80, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff])]);
  const loop = Buffer.concat([Buffer.from([0x21, 0xff, 11]), Buffer.from('NETSCAPE2.0'), Buffer.from([3, 1, 0, 0, 0])]);
  const frames = colours.map((colour) =>
    Buffer.concat([
      Buffer.from([0x21, 0xf9, 4, 0, 50, 0, 0, 0]),
      Buffer.from([0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0]),
      // LZW with codes of 3 bits: clear, the colour, end.
      Buffer.from([2, 2, ...u16(4 | (colour << 3) | (5 << 6)), 0]),
    ]),
  );
  return Buffer.concat([head, ...(colours.length > 1 ? [loop] : []), ...frames, Buffer.from([0x3b])]);
}

/** An animated WebP of still lossy ones of this size, with transparency or without. */
export function animatedWebp(stills, width, height) {
  const chunk = (name, data) => {
    const size = Buffer.alloc(4);
    size.writeUInt32LE(data.length);
    return Buffer.concat([Buffer.from(name), size, data, Buffer.alloc(data.length % 2)]);
  };
  const canvas = Buffer.concat([u24(width - 1), u24(height - 1)]);
  // Of a file's chunks only those with pixels belong into a frame.
  const imageData = (still) => {
    const kept = [];
    for (let at = 12; at < still.length; ) {
      const end = at + 8 + still.readUInt32LE(at + 4);
      if (['ALPH', 'VP8 ', 'VP8L'].includes(still.toString('latin1', at, at + 4))) kept.push(still.subarray(at, end + (end % 2)));
      at = end + (end % 2);
    }
    return Buffer.concat(kept);
  };
  const frames = stills.map((still) =>
    chunk('ANMF', Buffer.concat([u24(0), u24(0), canvas, u24(500), Buffer.from([2]), imageData(still)])),
  );
  const body = Buffer.concat([
    Buffer.from('WEBP'),
    chunk('VP8X', Buffer.concat([Buffer.from([0x12, 0, 0, 0]), canvas])),
    chunk('ANIM', Buffer.from([255, 255, 255, 255, 0, 0])),
    ...frames,
  ]);
  return chunk('RIFF', body);
}

/** A grey PNG of any size; all zeros pack well. */
export function png(width, height) {
  const chunk = (name, data) => {
    const out = Buffer.concat([Buffer.alloc(4), Buffer.from(name), data, Buffer.alloc(4)]);
    out.writeUInt32BE(data.length, 0);
    out.writeUInt32BE(crc32(out.subarray(4, -4)), out.length - 4);
    return out;
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 0, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', head),
    chunk('IDAT', deflateSync(Buffer.alloc((width + 1) * height))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}
