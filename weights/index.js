/** The address of the weights: `Captioner.load({ weights })`. Types: index.d.ts. */
const FILE = 'soli.safetensors';

function address() {
  try {
    // Bundlers look for exactly this form, and bring the file along.
    return new URL('./soli.safetensors', import.meta.url);
  } catch {
    // Classic scripts have no `import.meta`; beside the page is as good a guess as any, and its absence is told.
    return FILE;
  }
}

export default address();
