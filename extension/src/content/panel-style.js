/** The panel's looks. Tokens are those of the page in www/. */
const CSS = `
:host {
  all: initial !important;
  position: fixed !important;
  inset: auto 0 0 auto !important;
  z-index: 2147483647 !important;
}
:host {
  --card: light-dark(#ffffff, #21211e);
  --well: light-dark(#efebe3, #2a2925);
  --line: light-dark(#d5cfc3, #3d3b35);
  --edge: light-dark(#857d70, #8b8578);
  --ink: light-dark(#23211d, #f0ece3);
  --soft: light-dark(#5c564c, #b3ada0);
  --accent: light-dark(#1f5f5b, #86cdc4);
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
section, .ring { color-scheme: light dark; }
section {
  display: flex;
  flex-direction: column;
  gap: 12px;
  width: min(360px, calc(100vw - 24px));
  max-height: min(70vh, 560px);
  margin: 12px;
  padding: 0 16px 16px;
  overflow: auto;
  scroll-padding-top: 120px;
  border: 1px solid var(--edge);
  border-radius: 12px;
  background: var(--card);
  color: var(--ink);
  box-shadow: 0 6px 24px rgb(0 0 0 / 0.25);
  font: 14px/1.45 system-ui, sans-serif;
  text-align: start;
}
h2, p, ul { margin: 0; padding: 0; }
ul { display: grid; gap: 12px; list-style: none; }
.top { position: sticky; top: 0; z-index: 1; display: grid; gap: 8px; margin: 0 -16px; padding: 16px 16px 4px; background: var(--card); }
.state { display: flex; align-items: center; justify-content: space-between; gap: 8px; min-height: 32px; }
header { display: flex; align-items: center; justify-content: space-between; gap: 8px; }
h2 { color: var(--accent); font: 600 18px/1.2 Charter, Georgia, serif; outline-offset: 4px; }
.status { color: var(--soft); }
progress { width: 100%; height: 6px; accent-color: var(--accent); }
li { display: flex; gap: 12px; }
.hosts li { flex-direction: column; align-items: start; gap: 6px; padding: 10px; border-radius: 8px; background: var(--well); }
.thumbnail { flex: none; width: 48px; height: 48px; border-radius: 6px; background: var(--well); }
.words { display: grid; gap: 4px; min-width: 0; }
.text { font: 16px/1.35 Charter, Georgia, serif; overflow-wrap: anywhere; }
.about, .note, .seen { color: var(--soft); font-size: 12px; }
.actions, footer { display: flex; flex-wrap: wrap; gap: 6px; }
footer { padding-top: 12px; border-top: 1px solid var(--line); }
button {
  min-height: 32px;
  padding: 4px 10px;
  border: 1px solid var(--edge);
  border-radius: 8px;
  background: transparent;
  color: inherit;
  font: inherit;
  cursor: pointer;
}
button:hover { box-shadow: inset 0 0 0 1px currentcolor; }
.close { min-width: 32px; font-size: 18px; line-height: 1; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.ring {
  position: fixed;
  border: 4px solid var(--accent);
  border-radius: 4px;
  box-shadow: 0 0 0 2px var(--card);
  pointer-events: none;
}
`;

/**
 * Styles a shadow tree on any page. A constructed sheet is no inline style to a page's content security policy;
 * where content scripts may not construct one, an element has to do.
 */
export function applyStyle(root) {
  try {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
    root.adoptedStyleSheets = [sheet];
  } catch {
    const style = document.createElement('style');
    style.textContent = CSS;
    root.prepend(style);
  }
}
