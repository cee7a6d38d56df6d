/** Brings the content script into a tab that the user pointed at (`activeTab`), and tells it what to do. */
import { api } from '../shared/api.js';

export async function describePage(tab) {
  if (await inject(tab)) await tell(tab, { type: 'describe-page' });
}

/** @param {{ srcUrl?: string, frameId?: number }} info what the context menu knows about the picture */
export async function describePicture(tab, { srcUrl, frameId = 0 }) {
  if (await inject(tab, frameId)) await tell(tab, { type: 'describe-picture', url: srcUrl }, frameId);
}

/** Whether the script is there now. It stays away from a page that has it. */
async function inject(tab, frame = 0) {
  try {
    await api.scripting.executeScript({ target: { tabId: tab.id, allFrames: true }, files: ['content.js'] });
    return true;
  } catch {
    // One frame of another site is enough to refuse all of them in some browsers.
  }
  try {
    for (const id of new Set([0, frame])) {
      await api.scripting.executeScript({ target: { tabId: tab.id, frameIds: [id] }, files: ['content.js'] });
    }
    return true;
  } catch {
    // The browser's own pages and its add-on store belong to nobody else.
    await api.action.setBadgeText({ tabId: tab.id, text: '×' }).catch(() => {});
    return false;
  }
}

async function tell(tab, message, frameId) {
  const options = frameId === undefined ? {} : { frameId };
  await api.tabs.sendMessage(tab.id, { to: 'page', ...message }, options).catch(() => {});
}
