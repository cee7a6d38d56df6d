/**
 * The content script. It may be injected any number of times, and runs once in a frame.
 *
 * It runs only where the user pointed soli at a page (toolbar, shortcut, menu) or on sites that the user listed.
 */
import { start } from './run.js';

// Its own, as an element of the page with that id would be found as well.
if (!Object.hasOwn(globalThis, 'soliStarted')) globalThis.soliStarted = start();
