import { SoliError } from './errors.js';

/** Below this confidence a caption is worded as a guess. */
export const UNSURE_BELOW = 0.5;

/** Below this one it is not told at all: more than three of four such captions are wrong. */
const UNTOLD_BELOW = 0.25;

/** What somebody may choose to be told, from the least to the most, and how certain a caption has to be for it. */
const TOLD = {
  sure: ['likely'],
  guesses: ['likely', 'unsure'],
  words: ['likely', 'unsure', 'no'],
};

/** The choices' names. */
export const TELLINGS = Object.freeze(Object.keys(TOLD));

/** Kinds of pictures that are named, not described: their caption says what they are. */
const NAMED = new Set(['text', 'chart', 'interface', 'blank']);

/**
 * How far a caption can be trusted, between 0 and 1: the measured probability that it is about right, or, from weights
 * that were not calibrated, the (geometric) mean probability of its words.
 */
export function confidence({ confidence, score }) {
  return confidence ?? Math.min(1, Math.exp(score));
}

/**
 * How a caption can be told: 'likely' as it is, 'unsure' as a guess, 'no' not as a sentence. Of weights that were not
 * calibrated none is 'no': only a measured confidence can say that something is wrong.
 *
 * @param {number} [threshold] the confidence below which it is a guess, instead of what the captioner says
 */
export function certainty(caption, threshold) {
  if (threshold === undefined && caption.certainty) return caption.certainty;
  const below = threshold ?? UNSURE_BELOW;
  const sure = confidence(caption);
  // Who wants no doubts (0) gets none.
  if (typeof caption.confidence === 'number' && sure < Math.min(UNTOLD_BELOW, below)) return 'no';
  return sure < below ? 'unsure' : 'likely';
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
 * A caption as a sentence for people; '' if there are no words. A doubtful one says so, and of one that is more likely
 * wrong than a guess may be only the words are told that the network sees: people who cannot see the picture trust
 * captions too much otherwise. `tell`: what somebody chose to be told; '' for what that leaves out.
 *
 * The page, `<soli-caption>` and the extension all get their words here, so that none says more than another.
 *
 * @param {{ threshold?: number, tell?: 'sure' | 'guesses' | 'words' }} [options]
 */
export function sentence(caption, { threshold, tell = 'words' } = {}) {
  if (!TELLINGS.includes(tell)) throw new SoliError('invalid-options', `\`tell\` is one of ${TELLINGS.join(', ')}, not ${tell}`);
  const sure = certainty(caption, threshold);
  if (!caption.text || !TOLD[tell].includes(sure)) return '';
  const text = withArticles(caption.text);
  if (NAMED.has(caption.kind)) return `Looks like ${text}.`;
  if (sure === 'no') return perhaps(caption);
  if (sure === 'unsure' && caption.kind !== 'drawing') return `May show: ${text}.`;
  return `${text[0].toUpperCase()}${text.slice(1)}.`;
}

/** What remains of a caption that is not told. */
function perhaps(caption) {
  const words = wordsSeen(caption).map((seen) => seen.word);
  if (caption.kind === 'drawing') return words.length > 0 ? `A drawing, perhaps: ${words.join(', ')}.` : 'A drawing.';
  return words.length > 0 ? `Perhaps: ${words.join(', ')}.` : '';
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

/** Kinds of pictures, and how sure a caption is, in English. The extension's panel has the same as messages, to translate. */
export const KINDS = {
  photograph: 'Photograph',
  drawing: 'Drawing',
  text: 'Page of text',
  chart: 'Chart or diagram',
  interface: 'Screenshot',
  blank: 'Blank picture or pattern',
};
export const CERTAINTIES = { likely: 'Probably right', unsure: 'A guess', no: 'Very unsure' };

export function percent(share) {
  return `${Math.round(share * 100)} %`;
}

/** What kind of picture it is, and how sure the caption is, as a line of text. */
export function about(caption) {
  const sure = `${CERTAINTIES[certainty(caption)]} (${percent(confidence(caption))} sure).`;
  const kind = KINDS[caption.kind];
  return kind ? `${kind}. ${sure}` : sure;
}
