/** The background: hears the toolbar, the shortcut and the menu, and does for pages what only it may. */
import { api, listen } from '../shared/api.js';
import { hostOf, readSettings } from '../shared/settings.js';
import { languageFor, readMessages, translator } from '../shared/words.js';
import { askFor, mayFetch } from './access.js';
import { describePage, describePicture } from './inject.js';
import { createMenus, MENU } from './menus.js';
import { cutFromScreen } from './screen.js';
import { dropSites, registerSites } from './sites.js';

/** @param {{ ready: () => Promise<void> }} engine makes sure that somebody hears what is asked of the engine */
export function start({ ready }) {
  api.runtime.onInstalled.addListener(prepare);
  api.runtime.onStartup.addListener(prepare);
  api.action.onClicked.addListener(describePage);
  api.commands.onCommand.addListener((command, tab) => {
    if (command === 'describe-page' && tab) describePage(tab);
  });
  api.contextMenus.onClicked.addListener((info, tab) => {
    if (info.menuItemId === MENU.picture) describePicture(tab, info);
    else if (info.menuItemId === MENU.page) describePage(tab);
  });
  api.storage.onChanged.addListener(async ({ settings }) => {
    if (!settings) return;
    if (settings.oldValue?.language !== settings.newValue?.language) await prepare();
    await registerSites();
  });
  api.permissions.onAdded.addListener(async () => {
    await registerSites();
    await tellTabs({ to: 'page', type: 'access' });
  });
  api.permissions.onRemoved.addListener(dropSites);

  listen('background', {
    ready,
    hello: (_, sender) => greet(sender),
    'may-fetch': ({ url }) => mayFetch(url),
    capture: ({ box, view }, { tab }) => cutFromScreen(tab, box, view),
    // The frames of a tab cannot talk to each other directly.
    relay: ({ message }, { tab }) => api.tabs.sendMessage(tab.id, { ...message, to: 'page' }).catch(() => {}),
    'ask-for': ({ url, always }) => askFor(url, always),
    options: () => api.runtime.openOptionsPage(),
    count: ({ count }, { tab }) => api.action.setBadgeText({ tabId: tab.id, text: count ? String(count) : '' }),
  });
}

/** Menus and registered scripts outlive the background; they are made when it is installed, updated or started. */
async function prepare() {
  const { language } = await readSettings();
  const t = translator(await readMessages(languageFor(language)));
  await createMenus(t);
  await api.action.setTitle({ title: t('describePage') });
  await api.action.setBadgeBackgroundColor({ color: '#1f5f5b' });
  await registerSites();
}

/** What a content script needs to know before it starts. */
async function greet({ url, frameId }) {
  const settings = await readSettings();
  const language = languageFor(settings.language);
  const auto = frameId === 0 && settings.sites.includes(hostOf(url));
  return { settings, language, messages: await readMessages(language), auto };
}

async function tellTabs(message) {
  for (const { id } of await api.tabs.query({})) api.tabs.sendMessage(id, message).catch(() => {});
}
