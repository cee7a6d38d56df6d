/**
 * Reads texts aloud, by the voice of the system.
 *
 * @param {{ onChange(speaking: boolean): void, onTrouble(): void }} listener
 */
export function createSpeaker({ onChange, onTrouble }) {
  const voice = globalThis.speechSynthesis;
  let current = null;

  function end(utterance) {
    if (current !== utterance) return;
    current = null;
    onChange(false);
  }

  return {
    available: Boolean(voice),
    get speaking() {
      return current !== null;
    },
    speak(text) {
      voice.cancel();
      const utterance = new SpeechSynthesisUtterance(text);
      utterance.lang = 'en';
      utterance.addEventListener('end', () => end(utterance));
      utterance.addEventListener('error', ({ error }) => {
        end(utterance);
        if (error !== 'canceled' && error !== 'interrupted') onTrouble();
      });
      current = utterance;
      onChange(true);
      voice.speak(utterance);
    },
    stop() {
      voice?.cancel();
      end(current);
    },
  };
}
