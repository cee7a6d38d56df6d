/** What can go wrong while the page brings its own files; wording.js has a sentence for each. */
export class LoadError extends Error {
  /**
   * @param {'unreachable' | 'refused' | 'wrong-answer' | 'broke-off' | 'stalled' | 'damaged'} kind `wrong-answer`: something
   *   else than the file came, with success
   * @param {string} message for developers; users read the sentence
   * @param {ErrorOptions} [options]
   */
  constructor(kind, message, options) {
    super(message, options);
    this.name = 'LoadError';
    this.kind = kind;
  }
}
