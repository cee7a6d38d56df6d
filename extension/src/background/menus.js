import { api } from '../shared/api.js';

export const MENU = Object.freeze({ picture: 'describe-picture', page: 'describe-page' });

/** Makes the entries of the context menu, again whenever the language changes. */
export async function createMenus(t) {
  await api.contextMenus.removeAll();
  const sites = { documentUrlPatterns: ['http://*/*', 'https://*/*', 'file:///*'] };
  api.contextMenus.create({ id: MENU.picture, title: t('describePicture'), contexts: ['image'], ...sites });
  api.contextMenus.create({ id: MENU.page, title: t('describePage'), contexts: ['page'], ...sites });
}
