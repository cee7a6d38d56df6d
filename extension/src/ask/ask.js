/** Asks for a host: to fetch its pictures, or to describe its pages without being asked each time. */
import { api } from '../shared/api.js';
import { changeSettings, hostOf, patternOf, readSettings } from '../shared/settings.js';
import { languageFor, readMessages, translatePage, translator } from '../shared/words.js';

const parameters = new URLSearchParams(location.search);
const host = hostOf(parameters.get('host') ?? '');
const always = parameters.has('always');
const element = (id) => document.getElementById(id);

async function fill() {
  const language = languageFor((await readSettings()).language);
  const t = translator(await readMessages(language));
  translatePage(t, language);
  element('question').textContent = t(always ? 'askAlways' : 'askFetch', host);
  element('reason').textContent = t(always ? 'askAlwaysWhy' : 'askFetchWhy', host);
  element('yes').textContent = t('allow', host);
  element('yes').disabled = host === null;
  return t;
}

const words = fill();

element('yes').addEventListener('click', async () => {
  // First of all: browsers show their question only in the same breath as the click.
  const granted = await api.permissions.request({ origins: [patternOf(host)] }).catch(() => false);
  if (!granted) {
    element('status').textContent = (await words)('askRefused');
    return;
  }
  if (always) {
    const { sites } = await readSettings();
    await changeSettings({ sites: [...sites, host] });
  }
  window.close();
});
element('no').addEventListener('click', () => window.close());
document.addEventListener('keydown', ({ key }) => {
  if (key === 'Escape') window.close();
});
