/** Below this confidence a caption is worded as a guess. */
export const UNSURE_BELOW = 0.35;

/** A caption's score as a share between 0 and 1: the (geometric) mean probability of its words. */
export function confidence(score) {
  return Math.min(1, Math.exp(score));
}

/**
 * A caption as a sentence for people; '' if there are no words. A doubtful one says so: people who cannot see the
 * picture trust captions too much otherwise.
 */
export function sentence({ text, score }, { threshold = UNSURE_BELOW } = {}) {
  if (!text) return '';
  if (confidence(score) < threshold) return `May show: ${text}.`;
  return `${text[0].toUpperCase()}${text.slice(1)}.`;
}
