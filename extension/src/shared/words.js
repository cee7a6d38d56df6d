/**
 * The interface's words, in the language that the user chose.
 *
 * The browser's own `i18n.getMessage` always speaks the browser's language, so the same files are read here.
 */
import { api } from './api.js';

export const LANGUAGES = Object.freeze({ en: 'English', de: 'Deutsch' });

/** The language to use for a setting. */
export function languageFor(setting) {
  if (Object.hasOwn(LANGUAGES, setting)) return setting;
  const browsers = api.i18n.getUILanguage().slice(0, 2);
  return Object.hasOwn(LANGUAGES, browsers) ? browsers : 'en';
}

/** All messages of a language; `translator` makes a function of them. */
export async function readMessages(language) {
  const response = await fetch(api.runtime.getURL(`_locales/${language}/messages.json`));
  return response.json();
}

/** `(key, ...values) => text`: places values where the message has `$NAME$`, as the browsers do. */
export function translator(messages) {
  return (key, ...values) => {
    const entry = messages[key];
    if (!entry) return key;
    return entry.message.replaceAll(/\$(\w+)\$/g, (whole, name) => {
      const place = entry.placeholders?.[name.toLowerCase()]?.content;
      const value = place && values[Number(place.slice(1)) - 1];
      return value === undefined ? whole : String(value);
    });
  };
}

/** Fills a page: `data-t` takes an element's text, `data-t-label` its aria-label. */
export function translatePage(t, language, root = document) {
  root.documentElement.lang = language;
  for (const element of root.querySelectorAll('[data-t]')) element.textContent = t(element.dataset.t);
  for (const element of root.querySelectorAll('[data-t-label]')) element.setAttribute('aria-label', t(element.dataset.tLabel));
}
