/**
 * An error that soli itself reports. `code` is stable and meant for programs, `message` is meant for people.
 * An aborted call does not give a SoliError: as everywhere on the platform it rejects with `signal.reason`.
 */
export class SoliError extends Error {
  /**
   * @param {string} code one of the codes listed in index.d.ts
   * @param {string} message what went wrong, where, and what to do
   * @param {ErrorOptions} [options] the cause, if there is one
   */
  constructor(code, message, options) {
    super(message, options);
    this.name = 'SoliError';
    this.code = code;
  }
}

/** The text of anything that may have been thrown. */
export function describe(thrown) {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
