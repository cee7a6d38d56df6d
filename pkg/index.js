/** soli: captions pictures in the browser, on the user's own device. Types and documentation: index.d.ts. */
export { Captioner } from './captioner.js';
export { SoliError } from './errors.js';
export { UNSURE_BELOW, confidence, sentence, wordsSeen } from './wording.js';
