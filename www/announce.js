const region = document.getElementById('announcer');

/** Has a screen reader say something when it has nothing else to say. What was said last is not said again. */
export function announce(text) {
  if (text && text !== region.textContent) region.textContent = text;
}
