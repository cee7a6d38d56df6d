/** Below this confidence a caption is worded as a guess. */
export const UNSURE_BELOW = 0.5;

/**
 * How far a caption can be trusted, between 0 and 1: the measured probability that it is about right, or, from weights
 * that were not calibrated, the (geometric) mean probability of its words.
 */
export function confidence({ confidence, score }) {
  return confidence ?? Math.min(1, Math.exp(score));
}

/**
 * A caption as a sentence for people; '' if there are no words. A doubtful one says so: people who cannot see the
 * picture trust captions too much otherwise.
 */
export function sentence(caption, { threshold = UNSURE_BELOW } = {}) {
  const { text } = caption;
  if (!text) return '';
  if (confidence(caption) < threshold) return `May show: ${text}.`;
  return `${text[0].toUpperCase()}${text.slice(1)}.`;
}
