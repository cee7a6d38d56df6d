/**
 * Runs the package as Jest's jsdom environment does: its modules in a realm of their own, whose globals are jsdom's. Prints
 * what becomes of each form of weights and of some pictures, as JSON. Needs --experimental-vm-modules.
 */
import { readFile } from 'node:fs/promises';
import vm from 'node:vm';
import { JSDOM, VirtualConsole } from 'jsdom';

const PACKAGE = new URL('../../pkg/', import.meta.url);
const WEIGHTS = new URL('../../www/models/soli.safetensors', import.meta.url);

// It says what it has not implemented.
const virtualConsole = new VirtualConsole();
const context = new JSDOM('<!doctype html>', { runScripts: 'outside-only', url: 'http://localhost/', virtualConsole }).getInternalVMContext();
context.process = process;

const modules = new Map();
async function load(address) {
  if (!modules.has(address)) {
    modules.set(
      address,
      (async () => {
        const module = new vm.SourceTextModule(await readFile(new URL(address), 'utf8'), {
          context,
          identifier: address,
          initializeImportMeta: (meta) => {
            meta.url = address;
          },
          importModuleDynamically: async (name) => {
            const found = await load(new URL(name, address).href);
            await ready(found);
            return found;
          },
        });
        return module;
      })(),
    );
  }
  return modules.get(address);
}
async function ready(module) {
  if (module.status === 'unlinked') await module.link((name, from) => load(new URL(name, from.identifier).href));
  if (module.status === 'linked') await module.evaluate();
}

const index = await load(new URL('index.js', PACKAGE).href);
await ready(index);
const element = await load(new URL('element.js', PACKAGE).href);
await ready(element);
const { Captioner, SoliError } = index.namespace;

const buffer = await readFile(WEIGHTS);
const pixels = { data: new Uint8Array(64 * 64 * 4).fill(120), width: 64, height: 64 };
const results = {};
const attempt = async (name, work) => {
  try {
    results[name] = await work();
  } catch (error) {
    results[name] = error instanceof SoliError ? error.code : `untyped: ${error.stack}`;
  }
};
const forms = {
  buffer,
  bytes: new Uint8Array(buffer),
  arrayBuffer: buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + buffer.length),
  blob: new context.Blob([buffer]),
  nodeBlob: new Blob([buffer]),
  fileAddress: WEIGHTS,
};
for (const [name, weights] of Object.entries(forms)) {
  await attempt(name, async () => {
    const soli = await Captioner.load({ weights, warmUp: false });
    const { text } = await soli.caption(pixels);
    soli.dispose();
    return text.length > 0;
  });
}
const soli = await Captioner.load({ weights: buffer });
await attempt('image', () => soli.caption(new context.Image()));
await attempt('picture', () => soli.caption(new context.Blob([buffer.subarray(0, 99)])));
await attempt('element', async () => {
  context.document.body.innerHTML = '<soli-caption weights="/x"><img src="a.jpg"></soli-caption>';
  await new Promise((resolve) => setTimeout(resolve, 100));
  return context.document.querySelector('soli-caption').weights;
});
console.log(JSON.stringify(results));
process.exit();
