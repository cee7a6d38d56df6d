/** Brings the content script into a tab that the user pointed at (`activeTab`), and tells it what to do. */
import { api } from '../shared/api.js';

/** A page that is just being opened may swallow a script without a word: then it is tried again. */
const TRIES = 20;
const BETWEEN_TRIES = 250;

export function describePage(tab) {
  return reach(tab, { type: 'describe-page' });
}

/** @param {{ srcUrl?: string, frameId?: number }} info what the context menu knows about the picture */
export function describePicture(tab, { srcUrl, frameId = 0 }) {
  return reach(tab, { type: 'describe-picture', url: srcUrl }, frameId);
}

/** Sees to it that the content script is there and hears the message. It stays away from a page that has it. */
async function reach(tab, message, frameId) {
  const to = frameId === undefined ? {} : { frameId };
  for (let i = 0; i < TRIES; i += 1) {
    if (!(await inject(tab, frameId ?? 0))) break;
    try {
      const answer = await api.tabs.sendMessage(tab.id, { to: 'page', ...message }, to);
      if (!answer?.error) return;
      await new Promise((resolve) => setTimeout(resolve, BETWEEN_TRIES));
    } catch {
      await new Promise((resolve) => setTimeout(resolve, BETWEEN_TRIES));
    }
  }
  // The browser's own pages and its add-on store belong to nobody else.
  await api.action.setBadgeText({ tabId: tab.id, text: '×' }).catch(() => {});
}

/** Whether the browser lets the script in. */
async function inject(tab, frame) {
  const files = ['content.js'];
  try {
    await api.scripting.executeScript({ target: { tabId: tab.id, allFrames: true }, files });
    return true;
  } catch {
    // One frame of another site is enough to refuse all of them in some browsers.
  }
  try {
    for (const id of new Set([0, frame])) {
      await api.scripting.executeScript({ target: { tabId: tab.id, frameIds: [id] }, files });
    }
    return true;
  } catch {
    return false;
  }
}
