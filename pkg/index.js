/** soli: captions pictures in the browser, on the user's own device. Types and documentation: index.d.ts. */
export { Captioner } from './captioner.js';
export { SoliError } from './errors.js';
export { UNSURE_BELOW, certainty, confidence, sentence, wordsSeen } from './wording.js';
