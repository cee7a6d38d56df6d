/** Chromium's offscreen document. It closes itself when it has had nothing to do for a while. */
import { startEngine } from './engine.js';

startEngine({ onIdle: () => window.close() });
