/** What the user decided. Kept in `storage.local`: it stays on this device. */
import { api } from './api.js';

/** The choices of what is written, from the least to the most; what they mean is the package's to say (`sentence`). */
export const TELLINGS = Object.freeze(['sure', 'guesses', 'words']);

export const DEFAULTS = Object.freeze({
  /** Language of the interface: 'auto' (the browser's), or one of LANGUAGES. */
  language: 'auto',
  /** What is written: one of TELLINGS. */
  tell: 'guesses',
  /** Whether an `alt` that is only a file name may be replaced. */
  fileNames: false,
  /** Whether each written description says that a machine made it. */
  announce: true,
  /** Hosts on which every page is described without being asked. */
  sites: Object.freeze([]),
});

export async function readSettings() {
  const { settings } = await api.storage.local.get('settings');
  return checked(settings);
}

/**
 * Changes some settings and leaves the others as they are. One change at a time, in whichever of the extension's pages:
 * of two at once the later one would write down the settings as they were before the earlier one.
 */
export function changeSettings(change) {
  return navigator.locks.request('soli-settings', async () => {
    const settings = checked({ ...(await readSettings()), ...change });
    await api.storage.local.set({ settings });
    return settings;
  });
}

/** Stored settings may come from another version, or be damaged: what makes no sense falls back to its default. */
export function checked(stored) {
  const given = stored && typeof stored === 'object' ? stored : {};
  const settings = { ...DEFAULTS };
  if (typeof given.language === 'string' && /^[a-z]{2}$/.test(given.language)) settings.language = given.language;
  settings.tell = TELLINGS.includes(given.tell) ? given.tell : fromThreshold(given.threshold);
  if (typeof given.fileNames === 'boolean') settings.fileNames = given.fileNames;
  if (typeof given.announce === 'boolean') settings.announce = given.announce;
  if (Array.isArray(given.sites)) settings.sites = [...new Set(given.sites.filter((site) => hostOf(site) === site))];
  return settings;
}

/**
 * The choice nearest to the setting of before: the confidence below which a description began with "May show:". Who set it
 * far up believed little of what was written, who set it far down wanted to hear everything.
 */
function fromThreshold(threshold) {
  if (!Number.isFinite(threshold)) return DEFAULTS.tell;
  if (threshold >= 0.75) return 'sure';
  return threshold < 0.25 ? 'words' : 'guesses';
}

/** The host that somebody means by an address or a host name; null if it is neither. */
export function hostOf(text) {
  if (typeof text !== 'string' || !text.trim()) return null;
  try {
    const url = new URL(text.includes('://') ? text.trim() : `https://${text.trim()}`);
    // Chromium takes spaces and stars in host names; match patterns do not.
    return /^https?:$/.test(url.protocol) && /^(?:[\w.-]+|\[[\da-f:.]+\])$/i.test(url.hostname) ? url.hostname : null;
  } catch {
    return null;
  }
}

/** The match pattern that covers a host. Ports are no part of patterns. */
export const patternOf = (host) => `*://${host}/*`;
