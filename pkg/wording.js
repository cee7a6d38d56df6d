/** Below this confidence a caption is worded as a guess. */
export const UNSURE_BELOW = 0.5;

/**
 * How far a caption can be trusted, between 0 and 1: the measured probability that it is about right, or, from weights
 * that were not calibrated, the (geometric) mean probability of its words.
 */
export function confidence({ confidence, score }) {
  return confidence ?? Math.min(1, Math.exp(score));
}

/** Words that sound otherwise than they are spelt. */
const SOUNDS_LIKE_A_CONSONANT = /^(uni(?![dnm])|us[aeu]|eu|ukulele|utensil|one|once)/;
const SOUNDS_LIKE_A_VOWEL = /^(hour|heir|honest|honou?r)/;

/** The network learned "a" and "an" before the words it met most: here each word gets the one that it sounds right with. */
function withArticles(text) {
  return text.replace(/\ban? (?=(\w+))/g, (_, word) => {
    const vowel = SOUNDS_LIKE_A_VOWEL.test(word) || (/^[aeiou]/.test(word) && !SOUNDS_LIKE_A_CONSONANT.test(word));
    return vowel ? 'an ' : 'a ';
  });
}

/**
 * A caption as a sentence for people; '' if there are no words. A doubtful one says so: people who cannot see the
 * picture trust captions too much otherwise.
 */
export function sentence(caption, { threshold = UNSURE_BELOW } = {}) {
  if (!caption.text) return '';
  const text = withArticles(caption.text);
  if (confidence(caption) < threshold) return `May show: ${text}.`;
  return `${text[0].toUpperCase()}${text.slice(1)}.`;
}

/** A word that the network sees is told from this probability on; so many at most. */
const SEEN_FROM = 0.25;
const SEEN_AT_MOST = 6;

/**
 * The words for things that the network sees in a picture, the surest first; not all networks give any.
 *
 * @param {{ words?: { word: string, probability: number }[] } | null} caption
 * @returns {{ word: string, probability: number }[]}
 */
export function wordsSeen(caption) {
  const words = Array.isArray(caption?.words) ? caption.words : [];
  return words
    .filter((seen) => seen?.word && seen.probability >= SEEN_FROM && seen.probability <= 1)
    .sort((a, b) => b.probability - a.probability)
    .slice(0, SEEN_AT_MOST)
    .map(({ word, probability }) => ({ word, probability }));
}
