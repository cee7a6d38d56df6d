/**
 * Captions a video for as long as it is asked to: the newest frame each time, the ones in between are dropped.
 *
 * @param {HTMLVideoElement} video
 * @param {{
 *   caption(video: HTMLVideoElement, options: { signal: AbortSignal }): Promise<import('./pkg/index.js').Caption>,
 *   onCaption(caption: import('./pkg/index.js').Caption): void,
 *   onTrouble(error: unknown): void,
 *   signal: AbortSignal,
 * }} options
 */
export async function captionLive(video, { caption, onCaption, onTrouble, signal }) {
  while (!signal.aborted) {
    try {
      await nextFrame(video, signal);
      const made = await caption(video, { signal });
      if (signal.aborted) return;
      onCaption(made);
      // As long a rest as the work took: a camera that is left on must not heat the device.
      await pause(Math.max(REST, made.ms), signal);
    } catch (error) {
      if (signal.aborted) return;
      onTrouble(error);
      await pause(REST_AFTER_TROUBLE, signal).catch(() => {});
    }
  }
}

/** Milliseconds. */
const REST = 200;
const REST_AFTER_TROUBLE = 1000;

function nextFrame(video, signal) {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(() => resolve());
    else requestAnimationFrame(() => resolve());
  });
}

function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        reject(signal.reason);
      },
      { once: true },
    );
  });
}
