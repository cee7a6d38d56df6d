/** Engines of today that are told to be of yesterday: V8 has no WebAssembly vectors on a processor without SSE 4.1. */
const FLAGS = ['--no-enable-sse4-1'];

const canBeTold = process.arch === 'x64';

/** Node's arguments for an engine without vectors; null where there are none. */
export const NODE_WITHOUT_VECTORS = canBeTold ? FLAGS : null;

/** Chromium's arguments for the same. */
export const WITHOUT_VECTORS = canBeTold ? [`--js-flags=${FLAGS.join(',')}`] : null;
