/**
 * The webcam: one stream, on or off. It goes off by itself when the page is hidden.
 *
 * @param {{
 *   onStart(stream: MediaStream, devices: { id: string, name: string, current: boolean }[]): void,
 *   onStop(): void,
 *   onDevices(devices: { id: string, name: string, current: boolean }[]): void,
 *   onHidden(): void,
 *   onTrouble(error: Error): void,
 * }} listener `onHidden`: it was switched off because nobody sees the page
 */
export function createCamera({ onStart, onStop, onDevices, onHidden, onTrouble }) {
  let stream = null;
  /** Counts starts and stops: a permission that is granted after the user turned away again is not used. */
  let wish = 0;

  function stop() {
    wish += 1;
    if (!stream) return;
    end(stream);
    stream = null;
    onStop();
  }

  /** @param {string} [device] the id of one of the devices; any camera without it */
  async function start(device) {
    const mine = (wish += 1);
    try {
      if (!navigator.mediaDevices) throw new DOMException('no access to cameras here', 'NotSupportedError');
      // First, because many devices open one camera at a time.
      if (stream) end(stream);
      const opened = await navigator.mediaDevices.getUserMedia({
        video: { width: { ideal: 1280 }, ...(device ? { deviceId: { exact: device } } : { facingMode: 'environment' }) },
        audio: false,
      });
      const devices = mine === wish ? await list(opened) : [];
      if (mine !== wish) {
        end(opened);
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
      onStart(stream, devices);
    } catch (error) {
      if (mine !== wish) return;
      stop();
      onTrouble(error);
    }
  }

  navigator.mediaDevices?.addEventListener?.('devicechange', async () => {
    const opened = stream;
    if (!opened) return;
    const devices = await list(opened);
    if (stream === opened) onDevices(devices);
  });

  document.addEventListener('visibilitychange', () => {
    if (!document.hidden || !stream) return;
    stop();
    onHidden();
  });

  return { start, stop, toggle: () => (stream ? stop() : start()) };
}

/** The cameras; browsers tell their names only while one is open. */
async function list(stream) {
  const current = stream.getVideoTracks()[0]?.getSettings().deviceId;
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices
    .filter(({ kind }) => kind === 'videoinput')
    .map(({ deviceId, label }, place) => ({ id: deviceId, name: label || `Camera ${place + 1}`, current: deviceId === current }));
}

function end(stream) {
  for (const track of stream.getTracks()) track.stop();
}
