/** How a caption becomes a description. Captions are English whatever the interface speaks, so these words are too. */
import { sentence } from '../../../pkg/wording.js';

/**
 * The text for a picture; '' where the caption is not to be told, and then nothing is announced either.
 *
 * @param {{ text: string, score: number }} caption as the package gives it
 * @param {{ threshold: number, announce: boolean }} settings
 */
export function description(caption, { threshold, announce }) {
  const text = sentence(caption, { threshold });
  return text && announce ? `${text} (Automatic description)` : text;
}
