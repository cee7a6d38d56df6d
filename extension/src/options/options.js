/** The options page. Every change is kept at once. */
import { api } from '../shared/api.js';
import { changeSettings, hostOf, patternOf, readSettings } from '../shared/settings.js';
import { LANGUAGES, languageFor, readMessages, translatePage, translator } from '../shared/words.js';

const element = (id) => document.getElementById(id);
let t = (key) => key;

async function show() {
  const settings = await readSettings();
  const language = languageFor(settings.language);
  t = translator(await readMessages(language));
  translatePage(t, language);
  document.title = t('optionsTitle');
  showLanguages(settings.language);
  element(`tell-${settings.tell}`).checked = true;
  element('announce').checked = settings.announce;
  element('file-names').checked = settings.fileNames;
  const { origins = [] } = await api.permissions.getAll();
  showList(element('sites'), settings.sites, t('noSites'), removeSite);
  showList(element('hosts'), origins.filter((pattern) => !settings.sites.some((site) => patternOf(site) === pattern)), t('noHosts'), removeHost);
}

function showLanguages(current) {
  const choices = { auto: t('languageAuto'), ...LANGUAGES };
  element('language').replaceChildren(
    ...Object.entries(choices).map(([value, name]) => new Option(name, value, false, value === current)),
  );
  for (const option of element('language').options) if (option.value !== 'auto') option.lang = option.value;
}

function showList(list, entries, nothing, remove) {
  if (entries.length === 0) {
    list.replaceChildren(Object.assign(document.createElement('li'), { textContent: nothing, className: 'soft' }));
    return;
  }
  list.replaceChildren(
    ...entries.map((entry) => {
      const button = Object.assign(document.createElement('button'), { type: 'button', textContent: t('remove') });
      button.setAttribute('aria-label', `${t('remove')}: ${entry}`);
      button.addEventListener('click', () => remove(entry));
      const row = document.createElement('li');
      row.append(Object.assign(document.createElement('code'), { textContent: entry }), button);
      return row;
    }),
  );
}

async function say(text) {
  element('status').textContent = text;
}

async function removeSite(site) {
  const { sites } = await readSettings();
  await changeSettings({ sites: sites.filter((other) => other !== site) });
  await api.permissions.remove({ origins: [patternOf(site)] }).catch(() => {});
  await show();
  element('site').focus();
  say(t('removed', site));
}

async function removeHost(pattern) {
  await api.permissions.remove({ origins: [pattern] }).catch(() => {});
  await show();
  element('site').focus();
  say(t('removed', pattern));
}

element('language').addEventListener('change', async ({ target }) => {
  await changeSettings({ language: target.value });
  await show();
});
element('tell').addEventListener('change', ({ target }) => changeSettings({ tell: target.value }));
element('announce').addEventListener('change', ({ target }) => changeSettings({ announce: target.checked }));
element('file-names').addEventListener('change', ({ target }) => changeSettings({ fileNames: target.checked }));
element('add').addEventListener('submit', async (event) => {
  event.preventDefault();
  const host = hostOf(element('site').value);
  if (!host) {
    say(t('noSite'));
    return;
  }
  // First of all: browsers show their question only in the same breath as the click.
  const granted = await api.permissions.request({ origins: [patternOf(host)] }).catch(() => false);
  if (!granted) {
    say(t('askRefused'));
    return;
  }
  const { sites } = await readSettings();
  await changeSettings({ sites: [...sites, host] });
  element('site').value = '';
  await show();
  say(t('added', host));
});

api.permissions.onAdded.addListener(show);
api.permissions.onRemoved.addListener(show);
await show();
