/** How a caption becomes a description. Captions are English whatever the interface speaks, so these words are too. */

/** The language of every description. */
export const CAPTION_LANGUAGE = 'en';

/** A caption's score as a share between 0 and 1: the (geometric) mean probability of its words. */
export function confidence(score) {
  return Math.min(1, Math.exp(score));
}

/**
 * @param {{ text: string, score: number }} caption
 * @param {{ threshold: number, announce: boolean }} settings
 */
export function description({ text, score }, { threshold, announce }) {
  const sentence = confidence(score) < threshold ? `May show: ${text}.` : `${text[0].toUpperCase()}${text.slice(1)}.`;
  return announce ? `${sentence} (Automatic description)` : sentence;
}
