/** How a caption becomes a description. Captions are English whatever the interface speaks, so these words are too. */
import { sentence } from '../../../pkg/wording.js';

/**
 * @param {{ text: string, score: number }} caption as the package gives it
 * @param {{ threshold: number, announce: boolean }} settings
 */
export function description(caption, { threshold, announce }) {
  const text = sentence(caption, { threshold });
  return announce ? `${text} (Automatic description)` : text;
}
