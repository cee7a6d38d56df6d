/** Whether this is a moment for work that nobody waits for. */

/** Below this share of its charge a battery is kept for the user. */
export const LOW_BATTERY = 0.2;

/** @param {{ charging: boolean, level: number } | null} battery null where the browser does not tell (Firefox) */
export function isSaving(battery) {
  return battery !== null && !battery.charging && battery.level <= LOW_BATTERY;
}

export async function readBattery() {
  try {
    return (await navigator.getBattery?.()) ?? null;
  } catch {
    return null;
  }
}
