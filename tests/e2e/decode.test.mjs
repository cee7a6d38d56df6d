/** What an `<img>` shows can be captioned: damaged files, drawings, animations, pictures that wait to be scrolled to. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { animatedWebp, gif } from './bad-pictures.mjs';
import { open, photos } from './helpers.mjs';

const photo = await readFile(photos[0]);
const svg = (attributes, content = '<rect width="60" height="30" fill="red"/><circle cx="50" cy="50" r="20"/>') =>
  Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" ${attributes}>${content}</svg>`);

describe('what an <img> shows', () => {
  let world;
  let page;
  before(async () => {
    world = await open({ doctored: {} });
    page = await world.blank();
    await page.evaluate(async (bytes) => {
      const { readPixels } = await import(new URL('pkg/source.js', location.href).href);
      window.readPixels = readPixels;
      window.photo = new Blob([new Uint8Array(bytes)], { type: 'image/jpeg' });
      window.pack = ({ data, width, height }) => ({ width, height, data: Array.from(data) });
      /** The pixels that the browser itself shows of an image, as one that is drawn onto a canvas of its own size. */
      window.shown = async (blob) => {
        const image = new Image();
        image.src = URL.createObjectURL(blob);
        await new Promise((resolve, reject) => Object.assign(image, { onload: resolve, onerror: reject }));
        const canvas = Object.assign(document.createElement('canvas'), { width: image.naturalWidth, height: image.naturalHeight });
        const context = canvas.getContext('2d');
        context.drawImage(image, 0, 0);
        return { image, pixels: window.pack(context.getImageData(0, 0, canvas.width, canvas.height)) };
      };
      window.soli = await soliModule.Captioner.load({ weights });
    }, [...photo]);
  });
  after(async () => {
    assert.deepEqual(world.faults, [], 'a page threw');
    await world.close();
  });

  /** Files that `createImageBitmap` refuses. */
  async function damaged() {
    const [png, colours] = await page.evaluate(async () => {
      const bitmap = await createImageBitmap(photo);
      const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
      canvas.getContext('2d').drawImage(bitmap, 0, 0);
      const bytes = async (type) => Array.from(new Uint8Array(await (await canvas.convertToBlob({ type })).arrayBuffer()));
      return [await bytes('image/png'), await bytes('image/webp')];
    }).then((files) => files.map((bytes) => Buffer.from(bytes)));
    const badCrc = Buffer.from(png);
    badCrc[png.indexOf('IDAT') + 4 + png.readUInt32BE(png.indexOf('IDAT') - 4)] ^= 0xff;
    const latin = Buffer.from('\ufeff<?xml version="1.0"?>\n<!-- by hand --><svg xmlns="http://www.w3.org/2000/svg" width="80" height="40"><rect width="40" height="40"/></svg>');
    return {
      'a JPEG without its last two bytes': ['image/jpeg', photo.subarray(0, -2)],
      'nine tenths of a JPEG': ['image/jpeg', photo.subarray(0, photo.length * 0.9)],
      'a third of a JPEG': ['image/jpeg', photo.subarray(0, photo.length / 3)],
      'a PNG without its end': ['image/png', png.subarray(0, -12)],
      'half of a PNG': ['image/png', png.subarray(0, png.length / 2)],
      'a PNG with a wrong check sum': ['image/png', badCrc],
      'most of a WebP': ['image/webp', colours.subarray(0, colours.length * 0.7)],
      'a GIF that is cut off': ['image/gif', gif(0, 1).subarray(0, -1)],
      'a cut JPEG without a type': ['', photo.subarray(0, photo.length * 0.9)],
      'a drawing': ['image/svg+xml', svg('width="80" height="60"')],
      'a drawing with a view box only': ['image/svg+xml', svg('viewBox="0 0 80 60"')],
      'a drawing without a size': ['image/svg+xml', svg('')],
      'a drawing in per cent': ['image/svg+xml', svg('width="100%" height="100%" viewBox="0 0 80 60"')],
      'a drawing with a byte order mark and a comment': ['image/svg+xml', latin],
    };
  }

  test('gives the same pixels as a file, by its address and as an <img>', async () => {
    for (const [name, [type, bytes]] of Object.entries(await damaged())) {
      const seen = await page.evaluate(
        async ([type, bytes]) => {
          const blob = new Blob([new Uint8Array(bytes)], { type });
          const { image, pixels } = await window.shown(blob);
          const refused = await createImageBitmap(blob).then(() => false, () => true);
          const read = [];
          for (const source of [blob, new File([blob], 'a'), URL.createObjectURL(blob), image]) read.push(window.pack(await readPixels(source)));
          return { refused, same: read.map((it) => JSON.stringify(it) === JSON.stringify(pixels)), size: [pixels.width, pixels.height] };
        },
        [type, [...bytes]],
      );
      assert.deepEqual(seen.same, [true, true, true, true], `${name}, ${seen.size}`);
      if (!/GIF|WebP/.test(name)) assert.ok(seen.refused, `${name}: needs the second way`);
    }
  });

  test('drawings are known by their content', async () => {
    const sizes = await page.evaluate(
      async (bytes) => {
        const sizes = [];
        for (const type of ['', 'text/plain', 'application/xml', 'image/png']) {
          const { width, height } = await readPixels(new Blob([new Uint8Array(bytes)], { type }));
          sizes.push([width, height]);
        }
        return sizes;
      },
      [...svg('width="80" height="60"')],
    );
    assert.deepEqual(sizes, Array(4).fill([80, 60]));
  });

  test('a drawing runs nothing and fetches nothing', async () => {
    const asked = world.asked.length;
    const drawing = svg('width="80" height="60" onload="top.ran = true"', '<script>top.ran = true</script><image href="/photos/cat.jpg" width="9" height="9"/><rect width="9" height="9"/>');
    const ran = await page.evaluate(async (bytes) => {
      await readPixels(new Blob([new Uint8Array(bytes)], { type: 'image/svg+xml' }));
      return window.ran ?? false;
    }, [...drawing]);
    assert.equal(ran, false);
    assert.deepEqual(world.asked.slice(asked).map(({ url }) => url), []);
  });

  test('a drawing with HTML in it is read as a file, by its address and as an <img>', async () => {
    const html = '<foreignObject width="80" height="60"><p xmlns="http://www.w3.org/1999/xhtml" style="background: red">words</p></foreignObject>';
    const seen = await page.evaluate(async (bytes) => {
      const blob = new Blob([new Uint8Array(bytes)], { type: 'image/svg+xml' });
      const { image } = await window.shown(new Blob(['<svg xmlns="http://www.w3.org/2000/svg" width="80" height="60"/>'], { type: 'image/svg+xml' }));
      image.src = URL.createObjectURL(blob);
      await image.decode();
      const seen = [];
      for (const source of [blob, image.src, image]) seen.push(window.pack(await readPixels(source)).data.some((value) => value === 0));
      return seen;
    }, [...svg('width="80" height="60"', html)]);
    assert.deepEqual(seen, [true, true, true]);
  });

  test('what an <img> does not show either: decode-failed, with the reason of the first way', async () => {
    const errors = await page.evaluate(async () => {
      const files = [
        new Blob(['<svg xmlns="http://www.w3.org/2000/svg">'], { type: 'image/svg+xml' }),
        new Blob(['words']),
        photo.slice(0, 200),
        new Blob(['<!doctype html><svg></svg>'], { type: 'text/html' }),
      ];
      const errors = [];
      for (const file of files) errors.push(await window.failure(soli.caption(file)));
      return errors;
    });
    for (const error of errors) {
      assert.equal(error?.code, 'decode-failed');
      assert.match(error.message, /^this file is not a picture that this browser can read/);
    }
  });

  describe('an animation whose first frame is blank', () => {
    const stills = () =>
      page.evaluate(async () => {
        const still = async (paint) => {
          const context = new OffscreenCanvas(32, 32).getContext('2d');
          paint(context);
          return Array.from(new Uint8Array(await (await context.canvas.convertToBlob({ type: 'image/webp', quality: 0.5 })).arrayBuffer()));
        };
        const fill = (colour, ...box) => (context) => {
          context.fillStyle = colour;
          context.fillRect(...box);
        };
        return [await still(fill('white', 0, 0, 32, 32)), await still(fill('red', 4, 4, 20, 20)), await still(() => {})];
      }).then((files) => files.map((bytes) => Buffer.from(bytes)));

    test('gives the first one that is not; one that is blank all through stays blank', async () => {
      const [white, red, empty] = await stills();
      const wide = (...frames) => animatedGif(frames);
      const cases = {
        'WebP, white first': [animatedWebp([white, red], 32, 32), red],
        'WebP, transparent first': [animatedWebp([empty, white, red], 32, 32), red],
        'WebP, all white': [animatedWebp([white, white], 32, 32), white],
        'WebP, not blank first': [animatedWebp([red, white], 32, 32), red],
        'GIF, one colour first': [wide([0, 0], [0, 1]), wide([0, 1])],
        'GIF, blank twice': [wide([1, 1], [0, 0], [0, 1]), wide([0, 1])],
        'GIF, all blank': [wide([0, 0], [0, 0]), wide([0, 0])],
      };
      for (const [name, [file, expected]] of Object.entries(cases)) {
        const type = name.startsWith('GIF') ? 'image/gif' : 'image/webp';
        const [blob, image, wanted] = await page.evaluate(
          async ([file, expected, type]) => {
            const blob = new Blob([new Uint8Array(file)], { type });
            const image = Object.assign(new Image(), { src: URL.createObjectURL(blob) });
            await image.decode();
            const read = async (source) => Array.from((await readPixels(source)).data);
            return [await read(blob), await read(image), await read(new Blob([new Uint8Array(expected)], { type }))];
          },
          [[...file], [...expected], type],
        );
        assert.deepEqual(blob, wanted, name);
        assert.deepEqual(image, wanted, `${name}, as an <img>`);
      }
    });

    test('without a decoder of single frames, the first is what there is', async () => {
      const [white, red] = await stills();
      const data = await page.evaluate(async (bytes) => {
        const { ImageDecoder } = window;
        delete window.ImageDecoder;
        try {
          return Array.from((await readPixels(new Blob([new Uint8Array(bytes)], { type: 'image/webp' }))).data);
        } finally {
          window.ImageDecoder = ImageDecoder;
        }
      }, [...animatedWebp([white, red], 32, 32)]);
      assert.ok(data.every((value) => value === 255));
    });
  });

  test('a picture that waits to be scrolled to, or is not in the page, is described', async () => {
    const [lazy, expected] = await page.evaluate(async () => {
      const results = [];
      document.body.innerHTML = `
        <div style="height: 20000px"></div>
        <img loading="lazy" src="photos/cat.jpg?below">
        <picture><source srcset="photos/cat.jpg?source"><img loading="lazy" src="photos/coffee.jpg"></picture>
        <img loading="lazy" srcset="photos/cat.jpg?set 1x">
        <img loading="lazy" style="display: none" src="photos/cat.jpg?hidden">`;
      const detached = Object.assign(new Image(), { loading: 'lazy', src: 'photos/cat.jpg?detached' });
      const images = [...document.querySelectorAll('img'), detached];
      for (const image of images) results.push((await soli.caption(image)).text);
      const all = [];
      for await (const { caption } of soli.captionAll([photo, ...images, photo])) all.push(caption.text);
      return [[...results, ...all], (await soli.caption(photo)).text];
    });
    assert.deepEqual(lazy, Array(12).fill(expected));
  });

  test('a lazy picture that is not there: decode-failed', async () => {
    const code = await page.evaluate(async () => {
      document.body.innerHTML = '<div style="height: 20000px"></div><img loading="lazy" src="no-such.jpg">';
      return (await window.failure(soli.caption(document.querySelector('img')))).code;
    });
    assert.equal(code, 'decode-failed');
  });
});

/** A GIF of frames of two pixels, one of two colours each. */
function animatedGif(frames) {
  const u16 = (value) => Buffer.from([value & 0xff, value >> 8]);
  const head = Buffer.concat([Buffer.from('GIF89a'), u16(2), u16(1), Buffer.from([0x80, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff])]);
  const images = frames.map(([left, right]) => {
    // LZW with codes of 3 bits: clear, both colours, end.
    const codes = 4 | (left << 3) | (right << 6) | (5 << 9);
    return Buffer.concat([
      Buffer.from([0x21, 0xf9, 4, 0, 50, 0, 0, 0]),
      Buffer.from([0x2c, 0, 0, 0, 0, 2, 0, 1, 0, 0]),
      Buffer.from([2, 2, ...u16(codes), 0]),
    ]);
  });
  return Buffer.concat([head, ...images, Buffer.from([0x3b])]);
}
