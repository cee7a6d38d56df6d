import { Captioner, sentence } from 'soli-captioner';

const [input, output] = document.querySelectorAll('input, output');
const soli = await Captioner.load({
  weights: 'soli-captioner-weights/soli.safetensors',
  workerUrl: 'soli-captioner/worker.js',
  wasmUrl: 'soli-captioner/wasm/',
});
input.disabled = false;
input.onchange = async () => {
  output.textContent = sentence(await soli.caption(input.files[0]));
};
