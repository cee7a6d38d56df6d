/** Reads descriptions aloud with the browser's own voices. */

export function canSpeak() {
  return typeof globalThis.speechSynthesis !== 'undefined';
}

/**
 * @param {string[]} texts
 * @param {string} language
 * @param {() => void} onEnd called once, however it ends
 */
export function speak(texts, language, onEnd) {
  speechSynthesis.cancel();
  let left = texts.length;
  const ended = () => {
    left -= 1;
    if (left === 0) onEnd();
  };
  for (const text of texts) {
    const utterance = new SpeechSynthesisUtterance(text);
    utterance.lang = language;
    utterance.onend = ended;
    utterance.onerror = ended;
    speechSynthesis.speak(utterance);
  }
}

export function hush() {
  if (canSpeak()) speechSynthesis.cancel();
}
