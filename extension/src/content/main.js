/**
 * The content script. It may be injected any number of times, and runs once in a frame.
 *
 * It runs only where the user pointed soli at a page (toolbar, shortcut, menu) or on sites that the user listed.
 */
import { start } from './run.js';

globalThis.soliStarted ??= start();
