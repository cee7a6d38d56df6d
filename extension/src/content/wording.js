/** How a caption becomes a description. Captions are English whatever the interface speaks, so these words are too. */
import { certainty, confidence, sentence, wordsSeen } from '../../../pkg/wording.js';

/**
 * @param {import('../../../pkg/index.js').Caption} caption
 * @param {{ tell: string, announce: boolean }} settings
 * @returns `text`: what is shown and read aloud; `written`: what becomes the picture's text; `untold`: why the settings leave
 *   it unwritten, null if they do not; and what the panel explains it with
 */
export function description(caption, { tell, announce }) {
  const text = sentence(caption);
  const sure = certainty(caption);
  return {
    text,
    written: announce && text ? `${text} (Automatic description)` : text,
    untold: sentence(caption, { tell }) ? null : text ? sure : 'nothing',
    kind: caption.kind ?? null,
    certainty: sure,
    confidence: confidence(caption),
    seen: wordsSeen(caption),
  };
}
