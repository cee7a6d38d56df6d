/** What a TypeScript user may and may not write; compiled by `npm run types`, never run. */
import { Captioner, SoliError, UNSURE_BELOW, certainty, confidence, sentence } from 'soli-captioner';
import type { Caption, CaptionAllResult, CaptionOptions, PictureSource, SeenWord, SoliErrorCode, WeightsSource } from 'soli-captioner';
import { SoliCaptionElement } from 'soli-captioner/element';
import type { SoliCaptionEventMap } from 'soli-captioner/element';
import weights from 'soli-captioner-weights';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<T extends true>(): T | undefined {
  return undefined;
}

export async function allowed(image: HTMLImageElement, file: File, frame: VideoFrame, signal: AbortSignal): Promise<Caption> {
  using soli = await Captioner.load({
    weights: new URL('https://example.org/soli.safetensors'),
    onProgress: ({ loaded, total }) => {
      same<Equal<typeof loaded, number>>();
      same<Equal<typeof total, number | null>>();
    },
    signal,
  });
  await Captioner.load({ weights });
  await Captioner.load({ weights: new Uint8Array(8) });
  await Captioner.load({ weights: await fetch('/soli.safetensors') });
  await Captioner.load({ weights: fetch('/soli.safetensors') });

  same<Equal<typeof soli.info.inputSide, number>>();
  same<Equal<typeof soli.thread, 'worker' | 'main' | null>>();
  await soli.caption(image);
  await soli.caption(file, { beam: 1 });
  await soli.caption(file, { cells: true });
  await soli.caption(frame, { maxTokens: 12, signal });
  const caption = await soli.caption('https://example.org/cat.jpg');
  same<Equal<typeof caption.text, string>>();
  same<Equal<typeof caption.score, number>>();
  same<Equal<typeof caption.tokens, string[]>>();
  same<Equal<typeof caption.ms, number>>();
  same<Equal<typeof caption.words, SeenWord[] | undefined>>();
  return caption;
}

export async function many(soli: Captioner, files: FileList, signal: AbortSignal): Promise<string[]> {
  await Captioner.load({ weights: '/soli.safetensors', warmUp: false, timeout: 5_000 });
  await Captioner.load({ weights: '/soli.safetensors', workerUrl: '/soli/worker.js', wasmUrl: new URL('https://example.org/soli/wasm/') });
  const { terms, scores } = soli.info.provenance;
  same<Equal<typeof terms, string | null | undefined>>();
  same<Equal<(typeof scores)[string], number>>();
  same<Equal<typeof soli.timeout, number>>();
  await soli.caption({ data: new Uint8ClampedArray(4), width: 1, height: 1 });
  const texts: string[] = [];
  for await (const result of soli.captionAll(files, { concurrency: 3, beam: 2, signal })) {
    same<Equal<typeof result.source, File>>();
    same<Equal<typeof result, CaptionAllResult<File>>>();
    if (result.error) texts[result.index] = result.error.message;
    else texts[result.index] = sentence(result.caption, { threshold: UNSURE_BELOW, tell: 'sure' });
    if (result.caption) same<Equal<ReturnType<typeof certainty>, NonNullable<Caption['certainty']>>>();
  }
  for await (const { caption } of soli.captionAll([Promise.resolve('a.jpg')])) {
    same<Equal<typeof caption, Caption | null>>();
    const share: number = caption ? confidence(caption) : 0;
    texts.push(String(share));
  }
  return texts;
}

export function element(soli: Captioner): void {
  const element = document.createElement('soli-caption');
  same<Equal<typeof element, SoliCaptionElement>>();
  element.weights = '/soli.safetensors';
  element.threshold = 0.5;
  element.tell = 'words';
  element.captioner = soli;
  same<Equal<SoliCaptionEventMap['soli-untold']['detail']['text'], string>>();
  // @ts-expect-error there are three choices
  element.tell = 'everything';
  // @ts-expect-error a confidence is a number
  element.threshold = 'high';
}

export function failure(error: unknown): SoliErrorCode | null {
  if (!(error instanceof SoliError)) return null;
  const message: string = error.message;
  return message ? error.code : 'internal';
}

export async function refused(soli: Captioner, image: HTMLImageElement): Promise<void> {
  // @ts-expect-error a captioner comes from `Captioner.load`
  new Captioner();
  // @ts-expect-error the weights have no default
  await Captioner.load({});
  // @ts-expect-error a time limit is a number
  await Captioner.load({ weights: '/soli.safetensors', timeout: 'long' });
  // @ts-expect-error an address is none without being one
  await Captioner.load({ weights: '/soli.safetensors', workerUrl: 5 });
  // @ts-expect-error a number is no weights source
  await Captioner.load({ weights: 8 });
  // @ts-expect-error a `div` shows no picture
  await soli.caption(document.createElement('div'));
  // @ts-expect-error the options' names are checked
  await soli.caption(image, { beams: 3 });
  // @ts-expect-error bytes alone are no picture
  await soli.caption(new Uint8Array(8));
  // @ts-expect-error a number is no list
  soli.captionAll(5);
  // @ts-expect-error a list of numbers is no list of pictures
  soli.captionAll([5]);
  // @ts-expect-error a beam is a number
  await soli.caption(image, { beam: '3' });
  // @ts-expect-error cells are there or not
  await soli.caption(image, { cells: 8 });
  // @ts-expect-error what is loaded does not change
  soli.info.inputSide = 96;
  // @ts-expect-error codes are a closed list
  new SoliError('oops', 'no such code');
}

same<Equal<CaptionOptions['beam'], number | undefined>>();
same<Equal<Extract<PictureSource, string>, string>>();
same<Equal<Extract<WeightsSource, string>, string>>();
