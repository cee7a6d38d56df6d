/** Which hosts soli may fetch from. Nothing at first: the user is asked for each host when it is needed. */
import { api } from '../shared/api.js';
import { hostOf, patternOf } from '../shared/settings.js';

/** Whether the user let soli fetch from the host of this address. */
export async function mayFetch(url) {
  const host = /^https?:/.test(url) ? hostOf(url) : null;
  return host !== null && api.permissions.contains({ origins: [patternOf(host)] });
}

/**
 * Asks for a host in a small window: browsers want a click on a page of the extension itself before they show their
 * own question, and a click on a web page is none.
 */
export async function askFor(url, always = false) {
  const host = hostOf(url);
  if (!host) return;
  const page = new URL(api.runtime.getURL('ask/ask.html'));
  page.searchParams.set('host', host);
  if (always) page.searchParams.set('always', '');
  // Telephones have no windows.
  if (api.windows) await api.windows.create({ url: page.href, type: 'popup', width: 480, height: 460 });
  else await api.tabs.create({ url: page.href });
}
