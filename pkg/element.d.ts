import type { Caption, Captioner, Tell } from './index.js';

/**
 * Writes the missing `alt` of the pictures inside it, and marks each with `data-soli="alt"`, as soli's browser extension
 * does. It never touches a picture with an `alt` (an empty one included) or another label, a decorative or hidden one, an
 * icon, a spacer or a drawing, or one inside a link, a button or another control.
 */
export class SoliCaptionElement extends HTMLElement {
  /**
   * Address of the weights; elements with the same address share a captioner. Setting it, to the same address too, tries
   * again what has failed.
   */
  weights: string | null;
  /** Confidence below which the text starts with "May show: "; 0 to 1. */
  threshold: number;
  /** What is written at all: 'guesses' unless the attribute says otherwise. */
  tell: Tell;
  /** A captioner to use instead of `weights`; the page keeps it and disposes of it. */
  captioner: Captioner | null;
}

export interface SoliCaptionEventMap {
  /** A text was written. */
  'soli-caption': CustomEvent<{ image: HTMLImageElement; caption: Caption; alt: string }>;
  /** Nothing was written, by the choice in `tell`; `text` is what could have been, '' where there is nothing to tell. */
  'soli-untold': CustomEvent<{ image: HTMLImageElement; caption: Caption; text: string }>;
  /** No text could be written: a `SoliError`, usually. */
  'soli-error': CustomEvent<{ image: HTMLImageElement; error: Error }>;
}

declare global {
  interface HTMLElementTagNameMap {
    'soli-caption': SoliCaptionElement;
  }
}
