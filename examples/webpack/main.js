import { Captioner, sentence } from 'soli-captioner';
import weights from 'soli-captioner-weights';

const [input, output] = document.querySelectorAll('input, output');
const soli = await Captioner.load({ weights });
input.disabled = false;
input.onchange = async () => {
  output.textContent = sentence(await soli.caption(input.files[0]));
};
