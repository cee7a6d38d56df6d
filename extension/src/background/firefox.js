/** Firefox's event page: it has workers, so captions are made in it. An open question keeps it alive. */
import { start } from './main.js';
import { startEngine } from '../engine/engine.js';

startEngine();
start({ ready: async () => {} });
