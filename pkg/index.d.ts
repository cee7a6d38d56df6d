/// <reference lib="esnext.disposable" />

/** Pixels that were decoded elsewhere: `width * height * 4` bytes, RGBA, not premultiplied, row by row from the top. */
export interface Pixels {
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
}

/** Anything that shows a picture. A string is a URL. In Node, which decodes no pictures: `Pixels`. */
export type PictureSource =
  | HTMLImageElement
  | HTMLVideoElement
  | HTMLCanvasElement
  | OffscreenCanvas
  | ImageBitmap
  | ImageData
  | VideoFrame
  | Blob
  | URL
  | string
  | Pixels;

/** Where the weights come from. A string is a URL. */
export type WeightsSource = URL | string | ArrayBuffer | ArrayBufferView<ArrayBuffer> | Blob | Response;

export interface LoadProgress {
  /** Bytes here so far. */
  loaded: number;
  /** Bytes in all; `null` while the server does not say. */
  total: number | null;
}

export interface LoadOptions {
  /** The worker starts while a promise of them is waited for. */
  weights: WeightsSource | PromiseLike<WeightsSource>;
  /** Called for every piece that arrives. */
  onProgress?: (progress: LoadProgress) => void;
  /** Stops the loading at any step; the promise rejects with `signal.reason`. */
  signal?: AbortSignal;
  /** Whether to caption one pixel first, so that the first picture is as fast as the others. Default true. */
  warmUp?: boolean;
  /**
   * Milliseconds that a server, a decoder or the worker may take without a sign of life before the promise that waits for
   * it rejects: now, and for every caption. A whole number; default 30000. Promises of the caller's own (`weights`, the
   * sources of `captionAll`) are waited for as long as they take.
   */
  timeout?: number;
  /**
   * Address of the package's `worker.js`, where a bundler does not bring it along; relative to the page. Pages that
   * require trusted types may give a `TrustedScriptURL` of their own.
   */
  workerUrl?: string | URL | TrustedScriptAddress;
  /** Address of the package's `wasm/` folder (it ends in "/") or of one of its modules; relative to the page. */
  wasmUrl?: string | URL;
}

/** A `TrustedScriptURL`, which not every TypeScript knows. */
export interface TrustedScriptAddress {
  toJSON(): string;
  toString(): string;
}

export interface CaptionOptions {
  /** Captions followed side by side, 1 (fastest) to 8. Default 3. */
  beam?: number;
  /** Upper limit of the caption's length in tokens, its end included: at least 2. Default: what the weights allow. */
  maxTokens?: number;
  /**
   * Whether people are "a person" and "people", and where children are seen "a child" and "children", whatever gender and age the
   * network guesses: true when not given.
   */
  neutral?: boolean;
  /** Whether each of the `words` says where the picture shows it, in `cells`: false when not given. */
  cells?: boolean;
  /** Gives the caption up: the promise rejects at once with `signal.reason`. */
  signal?: AbortSignal;
}

export interface CaptionAllOptions extends CaptionOptions {
  /** How many pictures are in work, or done and not yet taken, at a time: 1 to 16. Default 2. */
  concurrency?: number;
}

/** What became of one of the pictures of `captionAll`. */
export type CaptionAllResult<Source> = {
  /** Its place among the sources, from 0. */
  readonly index: number;
  readonly source: Source;
} & ({ readonly caption: Caption; readonly error: null } | { readonly caption: null; readonly error: Error });

/** What kind of picture it is. Only photographs and drawings are described; of the others the caption says what they are. */
export type Kind = 'photograph' | 'drawing' | 'text' | 'chart' | 'interface' | 'blank';

export interface Caption {
  /** The caption, lower case, without a full stop. */
  text: string;
  /** What kind of picture it is; `null` from weights that do not tell. */
  kind?: Kind | null;
  /** Mean log-probability of the tokens, the end included: 0 is certain, more negative is less sure. */
  score: number;
  /** The words and punctuation marks, in order. */
  tokens: string[];
  /**
   * The probability, 0 to 1, that the caption is about right, as measured when the weights were made; `null` if they
   * were not calibrated.
   */
  confidence: number | null;
  /**
   * How the caption can be told: as it is ('likely', from 0.5), as a guess ('unsure', from 0.25), or not at all ('no');
   * `null` if the weights were not calibrated.
   */
  certainty?: 'likely' | 'unsure' | 'no' | null;
  /** Things that the network sees, the surest first, each with its probability, 0 to 1; absent from networks that name none. */
  words?: SeenWord[];
  /** Milliseconds from pixels to words; decoding the picture and waiting for other captions are not counted. */
  ms: number;
}

/** A thing that the network sees in a picture. */
export interface SeenWord {
  word: string;
  /** 0 to 1. */
  probability: number;
  /**
   * With the option `cells`: how much each cell of the picture, taken alone, shows the word, 0 to 1. The cells are a square grid
   * over the whole picture, whatever its shape, row by row from the top left: `Math.sqrt(cells.length)` to a row.
   */
  cells?: number[];
}

export interface WeightsInfo {
  /** Side, in pixels, of the square that the network looks at. */
  readonly inputSide: number;
  /** Number of words and marks known. */
  readonly vocabSize: number;
  /** The longest caption possible, in tokens. */
  readonly maxTokens: number;
  /** How these weights were made, as written by the trainer. */
  readonly provenance: Provenance;
}

/** Where weights come from, for those who have to trust or repeat them. All of it is optional. */
export interface Provenance {
  /** When the training ended: RFC 3339, UTC. */
  readonly created?: string | null;
  /** The training configuration, as TOML. */
  readonly recipe?: string | null;
  /** The revision of the trainer. */
  readonly git_revision?: string | null;
  /** What was learned from. */
  readonly data?: string | null;
  /** Under which terms the weights may be used. */
  readonly terms?: string | null;
  /** Measured scores by name, such as `dev.cider`. */
  readonly scores: Readonly<Record<string, number>>;
  /** Anything else worth knowing. */
  readonly notes: Readonly<Record<string, string>>;
}

/**
 * - `invalid-weights`: not a weights file, damaged, or of another version
 * - `fetch-failed`: weights or picture could not be fetched, or no more of them came in time
 * - `wasm-failed`: the WebAssembly module could not be started here, or is not where it should be
 * - `unsupported-source`: this is nothing that shows a picture, or nothing that can be read here (no canvas)
 * - `decode-failed`: there is no picture to be read in it, or it was not there in time
 * - `tainted-canvas`: another site's picture, whose pixels the browser does not hand out
 * - `invalid-image`: sizes that cannot be captioned
 * - `invalid-options`: an option outside its range
 * - `crashed`: the network's instance trapped or gave no answer; it was replaced, so the next call works again
 * - `disposed`: the captioner was disposed
 * - `internal`: a fault of soli's own; please report it
 */
export type SoliErrorCode =
  | 'invalid-weights'
  | 'fetch-failed'
  | 'wasm-failed'
  | 'unsupported-source'
  | 'decode-failed'
  | 'tainted-canvas'
  | 'invalid-image'
  | 'invalid-options'
  | 'crashed'
  | 'disposed'
  | 'internal';

/** Every failure that soli reports. An aborted call rejects with `signal.reason` instead, as `fetch` does. */
export class SoliError extends Error {
  constructor(code: SoliErrorCode, message: string, options?: ErrorOptions);
  readonly code: SoliErrorCode;
}

/** A captioner with its weights loaded, in a worker of its own. */
export class Captioner implements Disposable {
  private constructor();

  /**
   * Loads the weights and starts a worker (or, where there are no workers, uses the page's own thread).
   * @throws {SoliError} `invalid-weights`, `fetch-failed`, `wasm-failed`, `invalid-options`, `crashed`
   */
  static load(options: LoadOptions): Promise<Captioner>;

  /** What is loaded. */
  readonly info: WeightsInfo;

  /** The time limit that it was loaded with, milliseconds. */
  readonly timeout: number;

  /** Where the network runs; `null` between a crash and the next call, and after `dispose()`. */
  readonly thread: 'worker' | 'main' | null;

  /** Whether `dispose()` was called. */
  readonly disposed: boolean;

  /**
   * Captions one picture: whatever an `<img>` shows of it. The picture is read at once (a video or canvas as it is now, an
   * EXIF orientation applied, a side beyond 1024 px shrunk, one of a video beyond 512 px, the first frame of an animation
   * that is not blank); then calls take their turn, one at a time.
   * @throws {SoliError} every code but `invalid-weights`
   */
  caption(source: PictureSource, options?: CaptionOptions): Promise<Caption>;

  /**
   * Captions everything that `sources` gives. Results come as they are ready, not always in order. A picture that
   * fails is a result with an error; the iteration itself throws when it is aborted (`signal.reason`), when the
   * captioner is disposed, or when `sources` throws. Leaving the loop ends what is in work.
   * @throws {SoliError} `invalid-options`, `disposed`
   */
  captionAll<Source extends PictureSource>(
    sources: Iterable<Source | PromiseLike<Source>> | AsyncIterable<Source>,
    options?: CaptionAllOptions,
  ): AsyncGenerator<CaptionAllResult<Source>, void, undefined>;

  /** Ends the worker and frees its memory; calls under way reject with `disposed`. May be called twice. */
  dispose(): void;
  [Symbol.dispose](): void;
}

/** The confidence below which `sentence` words a caption as a guess. */
export const UNSURE_BELOW: number;

/** How far a caption can be trusted, 0 to 1: its `confidence`, or without one the mean probability of its tokens. */
export function confidence(caption: Pick<Caption, 'score'> & Partial<Pick<Caption, 'confidence'>>): number;

/** How a caption can be told; without one of its own (weights that were not calibrated) by its `confidence`, and never 'no'. */
export function certainty(
  caption: Pick<Caption, 'score'> & Partial<Pick<Caption, 'confidence' | 'certainty'>>,
): 'likely' | 'unsure' | 'no';

/**
 * What somebody may choose to be told: only what is likely to be right; guesses too; single words too, where no sentence
 * can be told.
 */
export type Tell = 'sure' | 'guesses' | 'words';

/**
 * The words for things that a picture shows, the surest first: those of at least a quarter, six at most; none from weights
 * that do not look for words.
 */
export function wordsSeen(caption: Partial<Pick<Caption, 'words'>> | null): { word: string; probability: number }[];

/**
 * A caption as an English sentence: "A dog runs.", "May show: a dog runs." of a guess, "Perhaps: dog, grass." (the words seen)
 * where more than three of four captions are wrong, "Looks like a page of text." of what is no photograph; '' if there is
 * nothing to tell. `threshold`: the confidence below which it is a guess, 0.5 by default. `tell`: what is told at all,
 * everything ('words') by default.
 * @throws {SoliError} `invalid-options`
 */
export function sentence(
  caption: Pick<Caption, 'text' | 'score'> & Partial<Pick<Caption, 'confidence' | 'certainty' | 'kind' | 'words'>>,
  options?: { threshold?: number; tell?: Tell },
): string;
