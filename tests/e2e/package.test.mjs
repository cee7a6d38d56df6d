/** The npm package in Chromium: every kind of source, every way to stop, every error. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { animatedWebp, gif, png } from './bad-pictures.mjs';
import { eventually, holdable, open, photos } from './helpers.mjs';
import { withOrientation } from './jpeg.mjs';
import { WITHOUT_VECTORS } from './vectors.mjs';

const photo = await readFile(photos[0]);

/** Runs in the page: the photograph as a Blob, and a loaded captioner. */
async function prepare(page) {
  await page.evaluate(async (bytes) => {
    window.photo = new Blob([new Uint8Array(bytes)], { type: 'image/jpeg' });
    window.soli = await soliModule.Captioner.load({ weights });
  }, [...photo]);
  return page;
}

describe('the package', () => {
  let world;
  let page;

  before(async () => {
    world = await open();
    page = await prepare(await world.blank((page) => page.addInitScript(holdable)));
  });
  after(async () => {
    assert.deepEqual(world.faults, [], 'a page threw');
    await world.close();
  });

  test('exports what its types say', async () => {
    assert.deepEqual(await page.evaluate(() => Object.keys(soliModule).sort()), [
      'Captioner',
      'SoliError',
      'UNSURE_BELOW',
      'certainty',
      'confidence',
      'sentence',
      'wordsSeen',
    ]);
  });

  test('says what is loaded, and works in a worker', async () => {
    const [info, thread] = await page.evaluate(() => [soli.info, soli.thread]);
    assert.equal(thread, 'worker');
    assert.ok(info.inputSide >= 32 && info.vocabSize > 3 && info.maxTokens > 0, JSON.stringify(info));
    assert.equal(typeof info.provenance, 'object');
  });

  test('a caption has text, kind, score, confidence, certainty, tokens, words and milliseconds', async () => {
    const caption = await page.evaluate(() => soli.caption(photo));
    assert.deepEqual(Object.keys(caption).sort(), ['certainty', 'confidence', 'kind', 'ms', 'score', 'text', 'tokens', 'words']);
    assert.equal(caption.kind, 'photograph');
    assert.equal(caption.certainty, caption.confidence >= 0.5 ? 'likely' : caption.confidence >= 0.25 ? 'unsure' : 'no');
    assert.deepEqual(caption.words, caption.words.toSorted((a, b) => b.probability - a.probability));
    assert.ok(caption.words.some(({ word, probability }) => word === 'cat' && probability > 0.5), 'it is a cat');
    assert.ok(caption.tokens.length > 0);
    assert.ok(caption.score <= 0 && caption.ms > 0);
    assert.ok(caption.confidence > 0 && caption.confidence < 1);
  });

  test('people are worded neutrally unless they are not to be', async () => {
    const [neutral, learned, error] = await page.evaluate(async () => [
      (await soli.caption(photo, { neutral: true })).text,
      (await soli.caption(photo, { neutral: false })).text,
      await failure(soli.caption(photo, { neutral: 'yes' })),
    ]);
    assert.doesNotMatch(neutral, /\b(man|woman|boy|girl)s?\b/);
    assert.ok(learned.length > 0);
    assert.equal(error?.code, 'invalid-options');
  });

  test('the words say where they are seen when they are asked to', async () => {
    const [plain, mapped, [many], error] = await page.evaluate(async () => {
      const all = [];
      for await (const { caption } of soli.captionAll([photo], { cells: true })) all.push(caption);
      return [await soli.caption(photo), await soli.caption(photo, { cells: true }), all, await failure(soli.caption(photo, { cells: 8 }))];
    });
    assert.ok(plain.words.every((seen) => !('cells' in seen)));
    assert.deepEqual(mapped.words.map(({ word, probability }) => ({ word, probability })), plain.words, 'nothing else changes');
    assert.equal(mapped.text, plain.text);
    assert.ok(mapped.words.length > 0);
    for (const { word, cells } of mapped.words) {
      assert.ok(Number.isInteger(Math.sqrt(cells.length)) && cells.length > 1, `${word}: a square of cells`);
      assert.ok(cells.every((cell) => cell >= 0 && cell <= 1), word);
    }
    assert.deepEqual(many.words, mapped.words);
    assert.equal(error?.code, 'invalid-options');
  });

  test('maxTokens limits the caption', async () => {
    const tokens = await page.evaluate(async () => (await soli.caption(photo, { maxTokens: 3 })).tokens);
    assert.ok(tokens.length < 3, `the end counts too: ${tokens.join(' ')}`);
  });

  test('every kind of source gives the same caption', async () => {
    const captions = await page.evaluate(async () => {
      const image = new Image();
      image.src = URL.createObjectURL(photo);
      await image.decode();
      const { naturalWidth: width, naturalHeight: height } = image;
      const draw = (canvas) => {
        canvas.getContext('2d').drawImage(image, 0, 0);
        return canvas;
      };
      const canvas = draw(Object.assign(document.createElement('canvas'), { width, height }));
      const lazy = new Image(); // not decoded yet when it is handed over
      lazy.src = URL.createObjectURL(photo);
      const frame = document.createElement('iframe');
      document.body.append(frame);
      const foreign = frame.contentDocument.importNode(canvas, false);
      foreign.getContext('2d').drawImage(canvas, 0, 0);

      const video = document.createElement('video');
      video.muted = true;
      const stream = canvas.captureStream(0);
      video.srcObject = stream;
      await video.play();
      canvas.getContext('2d').drawImage(image, 0, 0);
      stream.getVideoTracks()[0].requestFrame();
      if (video.readyState < 2) await new Promise((resolve) => (video.onloadeddata = resolve));

      const sources = {
        blob: photo,
        file: new File([photo], 'cat.jpg'),
        image,
        lazy,
        canvas,
        foreign,
        offscreen: draw(new OffscreenCanvas(width, height)),
        bitmap: await createImageBitmap(photo),
        imageData: canvas.getContext('2d').getImageData(0, 0, width, height),
        pixels: { data: canvas.getContext('2d').getImageData(0, 0, width, height).data, width, height },
        frame: new VideoFrame(canvas, { timestamp: 0 }),
        video,
        string: URL.createObjectURL(photo),
        url: new URL(URL.createObjectURL(photo)),
      };
      const texts = {};
      for (const [name, source] of Object.entries(sources)) texts[name] = (await soli.caption(source)).text;
      return texts;
    });
    for (const [kind, text] of Object.entries(captions)) assert.equal(text, captions.blob, kind);
    assert.equal(Object.keys(captions).length, 14);
  });

  test('a video is read in the worker, and its frame is closed whatever happens', async () => {
    const { codes, taken, closed, drawn } = await page.evaluate(async () => {
      const canvas = Object.assign(document.createElement('canvas'), { width: 320, height: 200 });
      const context = canvas.getContext('2d');
      const stream = canvas.captureStream();
      const video = Object.assign(document.createElement('video'), { muted: true, srcObject: stream });
      context.fillRect(0, 0, 100, 100);
      await video.play();
      if (video.readyState < 2) await new Promise((resolve) => (video.onloadeddata = resolve));

      const { VideoFrame } = window;
      const { drawImage } = OffscreenCanvasRenderingContext2D.prototype;
      const frames = [];
      let drawn = 0;
      window.VideoFrame = class extends VideoFrame {
        constructor(...given) {
          super(...given);
          frames.push(this);
        }
      };
      OffscreenCanvasRenderingContext2D.prototype.drawImage = function (...given) {
        drawn += 1;
        return drawImage.apply(this, given);
      };
      const abort = new AbortController();
      const codes = [(await soli.caption(video)).text ? 'captioned' : 'nothing'];
      const aborted = failure(soli.caption(video, { signal: abort.signal }));
      abort.abort();
      codes.push((await aborted).code);
      window.VideoFrame = VideoFrame;
      OffscreenCanvasRenderingContext2D.prototype.drawImage = drawImage;
      stream.getTracks().forEach((track) => track.stop());
      return { codes, taken: frames.length, closed: frames.every(({ format }) => format === null), drawn };
    });
    assert.deepEqual(codes, ['captioned', 'AbortError']);
    assert.deepEqual([taken, closed, drawn], [2, true, 0], 'frames taken, all closed; pictures drawn by the page');
  });

  test('a canvas is captioned as it was at the moment of the call', async () => {
    const [expected, drawnOver, black] = await page.evaluate(async () => {
      const bitmap = await createImageBitmap(photo);
      const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
      const context = canvas.getContext('2d');
      context.drawImage(bitmap, 0, 0);
      const expected = await soli.caption(canvas);
      const pending = soli.caption(canvas);
      context.fillRect(0, 0, canvas.width, canvas.height);
      return [expected, await pending, await soli.caption(canvas)];
    });
    assert.equal(drawnOver.text, expected.text);
    assert.equal(drawnOver.score, expected.score);
    assert.notEqual(black.score, expected.score, 'the black canvas would have been told apart');
  });

  for (const orientation of [3, 6, 8]) {
    test(`EXIF orientation ${orientation} is applied`, async () => {
      const turned = [...withOrientation(photo, orientation)];
      const [plain, blob, image, angle] = await page.evaluate(
        async ([turned, orientation]) => {
          const { readPixels } = await import(new URL('pkg/source.js', location.href).href);
          const turnedPhoto = new Blob([new Uint8Array(turned)], { type: 'image/jpeg' });
          const angle = { 3: 180, 6: 90, 8: 270 }[orientation];
          const bitmap = await createImageBitmap(photo);
          const swapped = angle % 180 !== 0;
          const canvas = new OffscreenCanvas(
            swapped ? bitmap.height : bitmap.width,
            swapped ? bitmap.width : bitmap.height,
          );
          const context = canvas.getContext('2d');
          context.translate(canvas.width / 2, canvas.height / 2);
          context.rotate((angle * Math.PI) / 180);
          context.drawImage(bitmap, -bitmap.width / 2, -bitmap.height / 2);
          const image = new Image();
          image.src = URL.createObjectURL(turnedPhoto);
          const pack = ({ data, width, height }) => ({ width, height, data: Array.from(data) });
          return [
            pack(context.getImageData(0, 0, canvas.width, canvas.height)),
            pack(await readPixels(turnedPhoto)),
            pack(await readPixels(image)),
            angle,
          ];
        },
        [turned, orientation],
      );
      for (const [kind, seen] of Object.entries({ blob, image })) {
        assert.deepEqual([seen.width, seen.height], [plain.width, plain.height], `${kind}, ${angle} degrees`);
        let sum = 0;
        for (let i = 0; i < plain.data.length; i += 1) sum += Math.abs(plain.data[i] - seen.data[i]);
        const mean = sum / plain.data.length;
        assert.ok(mean < 1, `${kind}: pixels differ by ${mean} on average from the turned picture`);
      }
    });
  }

  test('a huge picture is shrunk before it is read, others are not touched', async () => {
    const sizes = await page.evaluate(async () => {
      const { readPixels } = await import(new URL('pkg/source.js', location.href).href);
      const sizes = [];
      for (const [width, height] of [[9000, 20], [1025, 2048], [1024, 7], [1, 1]]) {
        const pixels = await readPixels(new OffscreenCanvas(width, height));
        sizes.push([pixels.width, pixels.height, pixels.data.length]);
      }
      return sizes;
    });
    assert.deepEqual(sizes, [[1024, 2, 8192], [513, 1024, 2101248], [1024, 7, 28672], [1, 1, 4]]);
  });

  describe('bad pictures', () => {
    const cases = {
      'a number': ['unsupported-source', () => 5],
      nothing: ['unsupported-source', () => undefined],
      'a div': ['unsupported-source', () => document.createElement('div')],
      'bytes without a Blob': ['unsupported-source', () => new Uint8Array(8)],
      'an object that holds no pixels': ['unsupported-source', () => ({ width: 2, height: 2 })],
      'pixels without alpha': ['invalid-image', () => ({ data: new Uint8Array(12), width: 2, height: 2 })],
      'no pixels': ['invalid-image', () => ({ data: new Uint8Array(0), width: 0, height: 0 })],
      'sizes that are no numbers': ['invalid-image', () => ({ data: new Uint8Array(4), width: '1', height: 1 })],
      'an ImageData whose pixels were taken away': [
        'invalid-image',
        () => {
          const pixels = new ImageData(8, 8);
          structuredClone(pixels.data, { transfer: [pixels.data.buffer] });
          return pixels;
        },
      ],
      'an empty Blob': ['decode-failed', () => new Blob([])],
      'words in a Blob': ['decode-failed', () => new Blob(['words'], { type: 'image/png' })],
      'half of a PNG header': ['decode-failed', () => new Blob([new Uint8Array([0x89, 0x50, 0x4e, 0x47])])],
      'a JPEG that ends within its header': ['decode-failed', () => photo.slice(0, 200)],
      'a video that lost its source': [
        'decode-failed',
        async () => {
          const canvas = document.createElement('canvas');
          canvas.getContext('2d').fillRect(0, 0, 9, 9);
          const video = Object.assign(document.createElement('video'), { muted: true, srcObject: canvas.captureStream() });
          await video.play();
          video.srcObject = null;
          video.load();
          return video;
        },
      ],
      'a broken img': [
        'decode-failed',
        () => Object.assign(new Image(), { src: URL.createObjectURL(new Blob(['words'])) }),
      ],
      'an img without src': ['decode-failed', () => new Image()],
      'a video without a frame': ['decode-failed', () => document.createElement('video')],
      'an empty canvas': ['decode-failed', () => Object.assign(document.createElement('canvas'), { width: 0 })],
      'a closed ImageBitmap': [
        'decode-failed',
        async () => {
          const bitmap = await createImageBitmap(photo);
          bitmap.close();
          return bitmap;
        },
      ],
      'a closed VideoFrame': [
        'decode-failed',
        async () => {
          const frame = new VideoFrame(await createImageBitmap(photo), { timestamp: 0 });
          frame.close();
          return frame;
        },
      ],
      'an address that is not there': ['fetch-failed', () => new URL('no-such-picture.jpg', location.href)],
      'a revoked blob address': [
        'fetch-failed',
        () => {
          const url = URL.createObjectURL(photo);
          URL.revokeObjectURL(url);
          return url;
        },
      ],
      'an address of a text': ['decode-failed', () => new URL('pkg/index.js', location.href).href],
    };
    for (const [name, [code, make]] of Object.entries(cases)) {
      test(`${name}: ${code}`, async () => {
        const error = await page.evaluate(`(async () => failure(soli.caption(await (${make})())))()`);
        assert.equal(error?.code, code, JSON.stringify(error));
        assert.ok(error.message.length > 10, 'and a sentence');
      });
    }

    test('a canvas tainted by another site: tainted-canvas', async () => {
      const address = 'https://another.example/cat.jpg';
      await page.route(address, (route) => route.fulfill({ contentType: 'image/jpeg', body: photo }));
      const error = await page.evaluate(async (address) => {
        const image = new Image();
        image.src = address;
        await image.decode();
        return failure(soli.caption(image));
      }, address);
      assert.equal(error.code, 'tainted-canvas');
    });

    test('the captioner still works after all of that', async () => {
      assert.ok((await page.evaluate(() => soli.caption(photo))).text.length > 0);
    });
  });

  test('an animated picture is captioned by its first frame', async () => {
    const stills = await page.evaluate(async () => {
      const still = async (colour) => {
        const context = new OffscreenCanvas(32, 32).getContext('2d');
        context.fillStyle = colour;
        context.fillRect(4, 4, 20, 20);
        return Array.from(new Uint8Array(await (await context.canvas.convertToBlob({ type: 'image/webp', quality: 0.5 })).arrayBuffer()));
      };
      return [await still('red'), await still('blue')];
    });
    const [red, blue] = stills.map((bytes) => Buffer.from(bytes));
    const files = {
      gif: [gif(0), gif(1), gif(0, 1)],
      webp: [red, blue, animatedWebp([red, blue], 32, 32)],
    };
    for (const [kind, bytes] of Object.entries(files)) {
      const [first, second, animated] = await page.evaluate(
        async ([kind, files]) => {
          const { readPixels } = await import(new URL('pkg/source.js', location.href).href);
          const seen = [];
          for (const bytes of files) {
            const blob = new Blob([new Uint8Array(bytes)], { type: `image/${kind}` });
            const { data } = await readPixels(blob);
            seen.push({ pixels: Array.from(data), text: (await soli.caption(blob)).text });
          }
          return seen;
        },
        [kind, bytes.map((file) => [...file])],
      );
      assert.deepEqual(animated, first, kind);
      assert.notDeepEqual(second.pixels, first.pixels, `${kind}: the frames differ`);
    }
  });

  test('a picture 20,000 pixels wide is captioned', async () => {
    const text = await page.evaluate(
      async (bytes) => (await soli.caption(new Blob([new Uint8Array(bytes)], { type: 'image/png' }))).text,
      [...png(20_000, 40)],
    );
    assert.ok(text.length > 0);
  });

  test('options outside their range: invalid-options', async () => {
    const errors = await page.evaluate(async () => {
      const bad = [{ beam: 0 }, { beam: 9 }, { beam: 2.5 }, { beam: '3' }, { maxTokens: 1 }, { maxTokens: NaN }];
      return Promise.all(bad.map((options) => failure(soli.caption(photo, options))));
    });
    for (const error of errors) assert.equal(error.code, 'invalid-options', JSON.stringify(error));
  });

  describe('captionAll', () => {
    test('gives what caption gives, for every kind of iterable', async () => {
      const { expected, given } = await page.evaluate(async () => {
        const bitmap = await createImageBitmap(photo);
        const sources = [photo, new ImageData(30, 20), bitmap];
        const expected = [];
        for (const source of sources) expected.push((await soli.caption(source, { beam: 2 })).text);
        const iterables = {
          list: sources,
          set: new Set(sources),
          promises: sources.map((source) => Promise.resolve(source)),
          generator: (function* () {
            yield* sources;
          })(),
          async: (async function* () {
            for (const source of sources) {
              await new Promise((resolve) => setTimeout(resolve));
              yield source;
            }
          })(),
        };
        const given = {};
        for (const [name, iterable] of Object.entries(iterables)) {
          given[name] = [];
          for await (const { index, source, caption, error } of soli.captionAll(iterable, { beam: 2 })) {
            given[name][index] = source === sources[index] && error === null && caption.text;
          }
        }
        return { expected, given };
      });
      for (const [name, texts] of Object.entries(given)) assert.deepEqual(texts, expected, name);
    });

    test('never has more in work than asked for, and reads no further than the caller does', async () => {
      const seen = await page.evaluate(async () => {
        const seen = [];
        for (const concurrency of [1, 3]) {
          let pulled = 0;
          let taken = 0;
          let most = 0;
          const sources = (function* () {
            for (let i = 0; i < 9; i += 1) {
              pulled += 1;
              most = Math.max(most, pulled - taken);
              yield new ImageData(8, 8);
            }
          })();
          for await (const _ of soli.captionAll(sources, { concurrency, beam: 1 })) {
            await new Promise((resolve) => setTimeout(resolve, 20));
            taken += 1;
          }
          seen.push([concurrency, most, taken]);
        }
        return seen;
      });
      assert.deepEqual(seen, [[1, 1, 9], [3, 3, 9]]);
    });

    test('a bad picture is a result; the others go on', async () => {
      const codes = await page.evaluate(async () => {
        const codes = [];
        for await (const { index, error } of soli.captionAll([photo, new Blob(['words']), 5, photo])) {
          codes[index] = error?.code ?? null;
        }
        return codes;
      });
      assert.deepEqual(codes, [null, 'decode-failed', 'unsupported-source', null]);
    });

    test('leaving the loop, aborting and disposing end what is in work, and the sources', async () => {
      const outcome = await page.evaluate(async () => {
        const outcome = {};
        const forever = () =>
          (async function* () {
            try {
              for (;;) yield new ImageData(8, 8);
            } finally {
              outcome.closed = (outcome.closed ?? 0) + 1;
            }
          })();
        for await (const _ of soli.captionAll(forever(), { beam: 1 })) break;

        const stop = new AbortController();
        const aborted = (async () => {
          for await (const _ of soli.captionAll(forever(), { signal: stop.signal, beam: 1 })) stop.abort();
        })();
        outcome.aborted = (await failure(aborted)).code;

        const mine = await soliModule.Captioner.load({ weights });
        const disposed = (async () => {
          for await (const _ of mine.captionAll(forever(), { beam: 1 })) mine.dispose();
        })();
        outcome.disposed = (await failure(disposed)).code;

        // A source that never gives its next picture does not hold anybody up.
        const late = new AbortController();
        const stuck = soli.captionAll({ [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) }, { signal: late.signal });
        const waiting = failure(stuck.next());
        late.abort();
        outcome.stuck = (await waiting).code;

        const broken = soli.captionAll(
          (function* () {
            throw new RangeError('no more');
          })(),
        );
        outcome.thrown = (await failure(broken.next())).code;
        await new Promise((resolve) => setTimeout(resolve, 50));
        return outcome;
      });
      assert.deepEqual(outcome, {
        closed: 3,
        aborted: 'AbortError',
        disposed: 'disposed',
        stuck: 'AbortError',
        thrown: 'RangeError',
      });
    });

    test('bad options are told at once', async () => {
      const codes = await page.evaluate(() =>
        [
          () => soli.captionAll(5),
          () => soli.captionAll('cat.jpg'),
          () => soli.captionAll([], { concurrency: 0 }),
          () => soli.captionAll([], { concurrency: 1.5 }),
          () => soli.captionAll([], { beam: 9 }),
        ].map((call) => {
          try {
            call();
            return null;
          } catch (error) {
            return error.code;
          }
        }),
      );
      assert.deepEqual(codes, Array(5).fill('invalid-options'));
    });
  });

  test('a sentence follows from kind and certainty', async () => {
    const worded = await page.evaluate(() => {
      const { sentence } = soliModule;
      const of = (more, options) => sentence({ text: 'a dog runs', score: -1, ...more }, options);
      const words = [{ word: 'grass', probability: 0.4 }, { word: 'dog', probability: 0.6 }, { word: 'sky', probability: 0.1 }];
      return [
        of({ confidence: 0.2, words }),
        of({ confidence: 0.2, words: [] }),
        of({ confidence: 0.2, words }, { threshold: 0 }),
        of({ confidence: 0.2, words, kind: 'drawing' }),
        of({ confidence: 0.4, kind: 'photograph' }),
        sentence({ text: 'a drawing, perhaps of a orange cat', score: -1, confidence: 0.4, kind: 'drawing' }),
        sentence({ text: 'a page of text', score: -3, confidence: 0.3, kind: 'text', words: [] }),
        sentence({ text: 'a screenshot', score: -0.1, confidence: 0.9, kind: 'interface' }),
        of({ confidence: 0.8, kind: null }),
      ];
    });
    assert.deepEqual(worded, [
      'Perhaps: dog, grass.',
      '',
      'A dog runs.',
      'A drawing, perhaps: dog, grass.',
      'May show: a dog runs.',
      'A drawing, perhaps of an orange cat.',
      'Looks like a page of text.',
      'Looks like a screenshot.',
      'A dog runs.',
    ]);
  });

  test('what somebody chose not to be told is no sentence, and another choice is none', async () => {
    const [told, refused] = await page.evaluate(async () => {
      const { sentence } = soliModule;
      const words = [{ word: 'dog', probability: 0.6 }];
      const told = ['likely', 'unsure', 'no'].map((certainty) => {
        // The captioner's own word counts, whatever somebody makes of the number.
        const caption = { text: 'a dog runs', score: -1, confidence: 0.45, certainty, words };
        return ['sure', 'guesses', 'words'].map((tell) => sentence(caption, { tell }));
      });
      return [told, await window.failure(Promise.resolve().then(() => sentence({ text: 'a dog', score: 0 }, { tell: 'all' })))];
    });
    assert.deepEqual(told, [
      ['A dog runs.', 'A dog runs.', 'A dog runs.'],
      ['', 'May show: a dog runs.', 'May show: a dog runs.'],
      ['', '', 'Perhaps: dog.'],
    ]);
    assert.equal(refused.code, 'invalid-options');
  });

  test('a sentence says when it is a guess', async () => {
    const worded = await page.evaluate(() => {
      const { sentence, confidence, certainty } = soliModule;
      return [
        sentence({ text: 'a dog runs', score: -3 }),
        sentence({ text: 'a dog runs', score: -0.1 }),
        sentence({ text: 'a dog runs', score: -0.1 }, { threshold: 0.95 }),
        sentence({ text: '', score: 0 }),
        sentence({ text: 'a dog runs', score: -0.1, confidence: 0.3 }),
        confidence({ score: 0 }),
        confidence({ score: Math.log(0.5) }),
        confidence({ score: 0, confidence: 0.25 }),
        sentence({ text: 'a man in a orange shirt on an unicycle with a unusual hat and an dog waits a hour', score: 0 }),
        [{ score: -0.1 }, { score: -3, confidence: null, certainty: null }, { score: -3, confidence: 0.2 }].map((caption) => certainty(caption)),
      ];
    });
    assert.deepEqual(worded.slice(0, 4), ['May show: a dog runs.', 'A dog runs.', 'May show: a dog runs.', '']);
    assert.equal(worded[4], 'May show: a dog runs.');
    assert.equal(worded[5], 1);
    assert.ok(Math.abs(worded[6] - 0.5) < 1e-12);
    assert.equal(worded[7], 0.25);
    assert.equal(worded[8], 'A man in an orange shirt on a unicycle with an unusual hat and a dog waits an hour.');
    assert.deepEqual(worded[9], ['likely', 'unsure', 'no'], 'without a measured confidence nothing is known to be wrong');
  });

  describe('weights', () => {
    test('may come in every form, and progress ends at the total', async () => {
      const results = await page.evaluate(async () => {
        const bytes = await (await fetch(weights)).arrayBuffer();
        const forms = {
          string: weights,
          url: new URL(weights),
          buffer: bytes.slice(0),
          bytes: new Uint8Array(bytes.slice(0)),
          view: new Uint8Array(await new Blob(['1234', bytes]).arrayBuffer()).subarray(4),
          blob: new Blob([bytes]),
          response: await fetch(weights),
        };
        const results = {};
        for (const [name, form] of Object.entries(forms)) {
          const steps = [];
          const loaded = await soliModule.Captioner.load({ weights: form, onProgress: (step) => steps.push(step) });
          const { text } = await loaded.caption(photo);
          loaded.dispose();
          results[name] = { text, steps, size: bytes.byteLength };
        }
        return results;
      });
      for (const [name, { text, steps, size }] of Object.entries(results)) {
        assert.equal(text, results.string.text, name);
        assert.deepEqual(steps.at(-1), { loaded: size, total: size }, name);
        for (let i = 1; i < steps.length; i += 1) assert.ok(steps[i].loaded >= steps[i - 1].loaded, name);
      }
      assert.ok(results.string.steps.length > 2, 'a download reports more than its end');
    });

    const cases = {
      'nothing at all': ['invalid-weights', () => undefined],
      'a number': ['invalid-weights', () => 5],
      'no bytes': ['invalid-weights', () => new Uint8Array(0)],
      'a web page': ['invalid-weights', () => new Response('<!doctype html><title>Start</title>')],
      'zeros': ['invalid-weights', () => new Uint8Array(4096)],
      truncated: [
        'invalid-weights',
        async () => new Uint8Array(await (await fetch(weights)).arrayBuffer()).slice(0, -1000),
      ],
      'over-long': ['invalid-weights', async () => new Blob([await (await fetch(weights)).blob(), 'more'])],
      'a wrong address': ['fetch-failed', () => 'models/no-such.safetensors'],
      'a host that is not there': ['fetch-failed', () => 'http://127.0.0.1:9/soli.safetensors'],
      'a response read before': [
        'fetch-failed',
        async () => {
          const response = new Response('words');
          await response.text();
          return response;
        },
      ],
    };
    for (const [name, [code, make]] of Object.entries(cases)) {
      test(`${name}: ${code}`, async () => {
        const error = await page.evaluate(
          `(async () => failure(soliModule.Captioner.load({ weights: await (${make})() })))()`,
        );
        assert.equal(error?.code, code, JSON.stringify(error));
        assert.ok(error.message.length > 10, 'and a sentence');
      });
    }
  });

  describe('aborts', () => {
    test('before the call, with the given reason', async () => {
      const errors = await page.evaluate(async () => {
        const reason = Object.assign(new Error('enough'), { name: 'Enough' });
        return Promise.all([
          failure(soli.caption(photo, { signal: AbortSignal.abort() })),
          failure(soli.caption(photo, { signal: AbortSignal.abort(reason) })),
          failure(soliModule.Captioner.load({ weights, signal: AbortSignal.abort() })),
        ]);
      });
      assert.deepEqual(errors.map(({ code }) => code), ['AbortError', 'Enough', 'AbortError']);
    });

    test('while running, while waiting; the others get their captions', async () => {
      const [running, waiting, kept, later] = await page.evaluate(async () => {
        const first = new AbortController();
        const second = new AbortController();
        const pixels = new ImageData(64, 64);
        captions.hold();
        const running = failure(soli.caption(pixels, { signal: first.signal }));
        const waiting = failure(soli.caption(pixels, { signal: second.signal }));
        const kept = soli.caption(photo);
        await new Promise((resolve) => setTimeout(resolve));
        second.abort();
        first.abort();
        captions.release();
        return [await running, await waiting, await kept, await soli.caption(photo)];
      });
      assert.deepEqual([running.code, waiting.code], ['AbortError', 'AbortError']);
      assert.equal(kept.text, later.text);
    });

    test('while the weights come, and while the worker starts: nothing is left running', async () => {
      const before = page.workers().length;
      const errors = await page.evaluate(async () => {
        const download = new AbortController();
        const downloading = failure(
          soliModule.Captioner.load({
            weights,
            signal: download.signal,
            onProgress: ({ loaded }) => loaded > 0 && download.abort(),
          }),
        );
        const start = new AbortController();
        const bytes = await (await fetch(weights)).arrayBuffer();
        const { Worker } = window;
        const birth = new Promise((resolve) => {
          window.Worker = function (...given) {
            const worker = new Worker(...given);
            resolve(worker);
            return worker;
          };
        });
        const starting = failure(soliModule.Captioner.load({ weights: bytes, signal: start.signal }));
        const born = await birth;
        window.Worker = Worker;
        start.abort();
        return [await downloading, await starting, born instanceof Worker];
      });
      assert.deepEqual([errors[0].code, errors[1].code, errors[2]], ['AbortError', 'AbortError', true]);
      await eventually(() => page.workers().length <= before, 'the workers did not end');
    });
  });

  describe('dispose', () => {
    test('ends the worker, rejects what waits and what comes', async () => {
      const workers = page.workers().length;
      const errors = await page.evaluate(async () => {
        const mine = await soliModule.Captioner.load({ weights });
        captions.hold();
        const pending = [failure(mine.caption(new ImageData(9, 9))), failure(mine.caption(photo))];
        await new Promise((resolve) => setTimeout(resolve));
        mine.dispose();
        mine.dispose();
        captions.release();
        return [...(await Promise.all(pending)), await failure(mine.caption(photo)), { code: String(mine.disposed) }];
      });
      assert.deepEqual(errors.map(({ code }) => code), ['disposed', 'disposed', 'disposed', 'true']);
      await eventually(() => page.workers().length <= workers, 'the worker did not end');
    });

    test('by Symbol.dispose; captioners side by side do not mind', async () => {
      const [disposed, text, expected] = await page.evaluate(async () => {
        const one = await soliModule.Captioner.load({ weights });
        const two = await soliModule.Captioner.load({ weights });
        const both = await Promise.all([one.caption(photo), two.caption(photo)]);
        one[Symbol.dispose]();
        const { text } = await two.caption(photo);
        two.dispose();
        return [one.disposed, text, both[0].text];
      });
      assert.equal(disposed, true);
      assert.equal(text, expected);
    });

    test('a captioner cannot be made without weights', async () => {
      const message = await page.evaluate(() => {
        try {
          return String(new soliModule.Captioner());
        } catch (error) {
          return error.message;
        }
      });
      assert.match(message, /Captioner\.load/);
    });
  });
});

describe('without a worker the page itself captions', () => {
  const ways = {
    'no Worker at all': {
      prepare: (page) => page.addInitScript(() => delete window.Worker),
    },
    'a worker that may not be made': {
      prepare: (page) =>
        page.addInitScript(() => {
          window.Worker = class {
            constructor() {
              throw new DOMException('blocked', 'SecurityError');
            }
          };
        }),
    },
    'a worker script that does not arrive': { doctored: { '/pkg/worker.js': () => Buffer.from('this is no script(') } },
  };
  /** What a worker answers in an unspoilt place. */
  async function reference() {
    const world = await open();
    const page = await prepare(await world.blank());
    const { thread, caption } = await page.evaluate(async () => ({
      thread: soli.thread,
      caption: await soli.caption(photo),
    }));
    assert.equal(thread, 'worker');
    await world.close();
    return caption;
  }

  for (const [name, { prepare: spoil, doctored }] of Object.entries(ways)) {
    test(name, async () => {
      const world = await open({ doctored });
      try {
        const page = await prepare(await world.blank(spoil));
        const expected = await reference();
        const [thread, caption] = await page.evaluate(async () => [soli.thread, await soli.caption(photo)]);
        assert.equal(thread, 'main');
        assert.deepEqual([caption.text, caption.score], [expected.text, expected.score]);

        const codes = await page.evaluate(async () => {
          const aborted = await failure(soli.caption(photo, { signal: AbortSignal.abort() }));
          const bad = await failure(soliModule.Captioner.load({ weights: new Uint8Array(99) }));
          soli.dispose();
          return [aborted.code, bad.code, (await failure(soli.caption(photo))).code];
        });
        assert.deepEqual(codes, ['AbortError', 'invalid-weights', 'disposed']);
        assert.deepEqual(world.faults, []);
      } finally {
        await world.close();
      }
    });
  }
});

test('loading warms up, unless it is told not to', async () => {
  const count = `
    const { caption } = WebCaptioner.prototype;
    WebCaptioner.prototype.caption = function (...given) {
      globalThis.captioned = (globalThis.captioned ?? 0) + 1;
      return caption.apply(this, given);
    };
  `;
  const world = await open({ doctored: { '/pkg/wasm/soli.js': (body) => `${body}\n${count}` } });
  try {
    const page = await world.blank((page) => page.addInitScript(() => delete window.Worker));
    const counts = await page.evaluate(async () => {
      await soliModule.Captioner.load({ weights, warmUp: false });
      const cold = window.captioned ?? 0;
      await soliModule.Captioner.load({ weights });
      return [cold, window.captioned];
    });
    assert.deepEqual(counts, [0, 1]);
  } finally {
    await world.close();
  }
});

describe('a trapped instance is replaced', () => {
  // A picture 13 pixels wide makes the real module trap: more memory is asked of it than there can be, so its allocator
  // aborts. The package is untouched; only the generated glue is served with these lines added.
  const trap = `
    const { caption } = WebCaptioner.prototype;
    WebCaptioner.prototype.caption = function (rgba, width, ...rest) {
      if (width === 13) wasm.__wbindgen_malloc(-1, 1);
      return caption.call(this, rgba, width, ...rest);
    };
  `;
  const doctored = { '/pkg/wasm/soli.js': (body) => `${body}\n${trap}` };

  test('in a worker: the call rejects, a new worker answers the next one', async () => {
    const world = await open({ doctored });
    try {
      const page = await prepare(await world.blank());
      const [before] = page.workers();
      const { expected, crashed, thread, after } = await page.evaluate(async () => {
        const expected = await soli.caption(photo);
        const crash = failure(soli.caption(new ImageData(13, 13)));
        const waiting = soli.caption(photo);
        const crashed = await crash;
        return { expected, crashed, thread: soli.thread, after: await waiting };
      });
      assert.equal(crashed.code, 'crashed', JSON.stringify(crashed));
      assert.deepEqual([after.text, after.score], [expected.text, expected.score]);
      assert.equal(thread, null, 'the old worker is gone when the call rejects');
      await eventually(() => !page.workers().includes(before), 'the old worker did not end');
      assert.equal(page.workers().length, 1);
    } finally {
      await world.close();
    }
  });

  test('on the page’s own thread: also for the captioners beside it', async () => {
    const world = await open({ doctored });
    try {
      const page = await prepare(await world.blank((page) => page.addInitScript(() => delete window.Worker)));
      const { expected, crashed, after, beside } = await page.evaluate(async () => {
        const other = await soliModule.Captioner.load({ weights });
        const expected = await soli.caption(photo);
        const crashed = await failure(soli.caption(new ImageData(13, 13)));
        const beside = await other.caption(photo);
        other.dispose();
        return { expected, crashed, beside, after: await soli.caption(photo) };
      });
      assert.equal(crashed.code, 'crashed', JSON.stringify(crashed));
      assert.deepEqual([after.text, after.score], [expected.text, expected.score]);
      assert.deepEqual([beside.text, beside.score], [expected.text, expected.score]);
    } finally {
      await world.close();
    }
  });
});

describe('a module that cannot be started', () => {
  test('says so: wasm-failed', async () => {
    const world = await open({ doctored: { '/pkg/wasm/soli_bg.wasm': () => Buffer.from('not wasm') } });
    try {
      const page = await world.blank();
      const error = await page.evaluate(() => failure(soliModule.Captioner.load({ weights })));
      assert.equal(error.code, 'wasm-failed', JSON.stringify(error));
    } finally {
      await world.close();
    }
  });
});

describe('an abort during the warm-up', () => {
  test('in a worker: ends it, however long the warm-up takes', async () => {
    const endless = (body) => Buffer.from(String(body).replace('async warmUp() {', 'async warmUp() { await new Promise(() => {});'));
    const world = await open({ doctored: { '/pkg/engine.js': endless } });
    try {
      const page = await world.blank();
      const error = await page.evaluate(async () => {
        const stop = new AbortController();
        const loading = failure(soliModule.Captioner.load({ weights, signal: stop.signal }));
        // The warm-up never ends, so that this is within it, or at the worst in what comes before.
        setTimeout(() => stop.abort(), 2000);
        return loading;
      });
      assert.equal(error.code, 'AbortError');
      await eventually(() => page.workers().length === 0, 'the worker did not end');
      const known = await page.evaluate(async () => (await soliModule.Captioner.load({ weights, warmUp: false })).info.vocabSize);
      assert.ok(known > 0, 'another can be loaded');
    } finally {
      await world.close();
    }
  });

  test('on the page itself: nothing is handed out', async () => {
    const within = (body) => Buffer.from(String(body).replace('async warmUp() {', 'async warmUp() { globalThis.warming();'));
    const world = await open({ doctored: { '/pkg/engine.js': within } });
    try {
      const page = await world.blank((page) => page.addInitScript(() => delete window.Worker));
      const error = await page.evaluate(() => {
        const stop = new AbortController();
        window.warming = () => stop.abort();
        return failure(soliModule.Captioner.load({ weights, signal: stop.signal }));
      });
      assert.equal(error.code, 'AbortError');
    } finally {
      await world.close();
    }
  });
});

describe('an engine without vectors', () => {
  test('gets the plain module, and the same captions', { skip: !WITHOUT_VECTORS }, async () => {
    const captionOf = async (args) => {
      const world = await open({ doctored: {}, args });
      try {
        const page = await prepare(await world.blank());
        const asked = world.asked.map(({ url }) => url).filter((url) => url.endsWith('.wasm'));
        const [caption, thread] = await page.evaluate(async () => [await soli.caption(photo), soli.thread]);
        return { asked, thread, ...caption };
      } finally {
        await world.close();
      }
    };
    const [slow, fast] = [await captionOf(WITHOUT_VECTORS), await captionOf([])];
    assert.deepEqual([slow.asked, fast.asked], [['/pkg/wasm/soli_plain_bg.wasm'], ['/pkg/wasm/soli_bg.wasm']]);
    assert.deepEqual([slow.thread, slow.text], ['worker', fast.text]);
    assert.ok(Math.abs(slow.score - fast.score) < 1e-4, `${slow.score} ${fast.score}`);
  });
});
