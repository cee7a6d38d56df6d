/**
 * The webcam: one stream, on or off.
 *
 * @param {{ onStart(stream: MediaStream): void, onStop(): void, onTrouble(error: Error): void }} listener
 */
export function createCamera({ onStart, onStop, onTrouble }) {
  let stream = null;
  /** Counts starts and stops: a permission that is granted after the user turned away again is not used. */
  let wish = 0;

  function stop() {
    wish += 1;
    if (!stream) return;
    for (const track of stream.getTracks()) track.stop();
    stream = null;
    onStop();
  }

  async function start() {
    const mine = (wish += 1);
    try {
      if (!navigator.mediaDevices) throw new DOMException('no access to cameras here', 'NotSupportedError');
      const opened = await navigator.mediaDevices.getUserMedia({
        video: { facingMode: 'environment', width: { ideal: 1280 } },
        audio: false,
      });
      if (mine !== wish) {
        for (const track of opened.getTracks()) track.stop();
        return;
      }
      stream = opened;
      for (const track of stream.getTracks()) {
        track.addEventListener('ended', () => {
          if (stream !== opened) return;
          stop();
          onTrouble(new DOMException('the camera was disconnected', 'NotReadableError'));
        });
      }
      onStart(stream);
    } catch (error) {
      if (mine === wish) onTrouble(error);
    }
  }

  return { start, stop, toggle: () => (stream ? stop() : start()) };
}
