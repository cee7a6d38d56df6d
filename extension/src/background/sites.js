/** The sites that are described without being asked: those that the user chose and whose permission still stands. */
import { api } from '../shared/api.js';
import { changeSettings, patternOf, readSettings } from '../shared/settings.js';

const ID = 'always';

/** Makes the registered content script fit the settings. */
export async function registerSites() {
  const { sites } = await readSettings();
  const matches = [];
  for (const site of sites) {
    if (await api.permissions.contains({ origins: [patternOf(site)] })) matches.push(patternOf(site));
  }
  const [registered] = await api.scripting.getRegisteredContentScripts({ ids: [ID] });
  if (registered?.matches?.join() === matches.join()) return;
  if (registered) await api.scripting.unregisterContentScripts({ ids: [ID] });
  if (matches.length === 0) return;
  await api.scripting.registerContentScripts([
    { id: ID, js: ['content.js'], matches, runAt: 'document_idle', persistAcrossSessions: true },
  ]);
}

/** A permission that was taken back in the browser's own settings takes its site along. */
export async function dropSites() {
  const { sites } = await readSettings();
  const kept = [];
  for (const site of sites) {
    if (await api.permissions.contains({ origins: [patternOf(site)] })) kept.push(site);
  }
  if (kept.length < sites.length) await changeSettings({ sites: kept });
}
