import { abortable, throwIfAborted } from './abortable.js';
import { SoliError } from './errors.js';

/** How many pictures may be in work, or done and not yet fetched by the caller. */
const CONCURRENCY = { default: 2, max: 16 };

/**
 * Captions everything that `sources` gives, a few pictures at a time: the next are read while one is captioned.
 * Gives results as they are ready. A picture that cannot be captioned is a result with an error; the others go on.
 *
 * @param {import('./captioner.js').Captioner} captioner
 * @param {Iterable<unknown> | AsyncIterable<unknown>} sources
 * @param {{
 *   concurrency?: number, signal?: AbortSignal, beam?: number, maxTokens?: number, neutral?: boolean, cells?: boolean,
 * }} options
 */
export function captionAll(captioner, sources, { concurrency = CONCURRENCY.default, signal, ...options }) {
  if (typeof sources === 'string' || !(sources?.[Symbol.asyncIterator] ?? sources?.[Symbol.iterator])) {
    throw new SoliError('invalid-options', 'captionAll needs a list (or any iterable) of pictures');
  }
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > CONCURRENCY.max) {
    throw new SoliError(
      'invalid-options',
      `\`concurrency\` must be a whole number from 1 to ${CONCURRENCY.max}, but is ${String(concurrency)}`,
    );
  }
  return run(sources, concurrency, signal, (source, signal) => captioner.caption(source, { ...options, signal }));
}

async function* run(sources, concurrency, signal, caption) {
  throwIfAborted(signal);
  // Ends what is in work when the caller leaves its loop or aborts.
  const stop = new AbortController();
  const onAbort = () => stop.abort(signal.reason);
  signal?.addEventListener('abort', onAbort);

  const iterator = (async function* () {
    yield* sources;
  })();
  const working = new Set();
  let pulling = null;
  let exhausted = false;
  let index = 0;

  function start(source) {
    const place = index;
    index += 1;
    const work = caption(source, stop.signal).then(
      (caption) => ({ work, result: { index: place, source, caption, error: null } }),
      (error) => {
        // A captioner that is gone would fail for every picture still to come.
        if (error instanceof SoliError && error.code === 'disposed') throw error;
        return { work, result: { index: place, source, caption: null, error } };
      },
    );
    work.catch(() => {}); // heard below, unless the caller leaves first
    working.add(work);
  }

  try {
    for (;;) {
      if (!exhausted && !pulling && working.size < concurrency) pulling = iterator.next().then((step) => ({ step }));
      if (!pulling && working.size === 0) return;
      const news = await abortable(Promise.race(pulling ? [...working, pulling] : working), signal);
      if (news.step) {
        pulling = null;
        if (news.step.done) exhausted = true;
        else start(news.step.value);
      } else {
        working.delete(news.work);
        yield news.result;
        throwIfAborted(signal);
      }
    }
  } finally {
    signal?.removeEventListener('abort', onAbort);
    stop.abort();
    pulling?.catch(() => {});
    // Not waited for: a source that never gives its next picture would never end either.
    iterator.return().catch(() => {});
  }
}
