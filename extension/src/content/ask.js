/** What a page asks the rest of the extension: with an end, so that one question that is lost does not stop all that follow. */
import { outside } from '../../../pkg/outside.js';
import { RemoteError, ask as send } from '../shared/api.js';

/**
 * How long an answer may take, in milliseconds. A caption waits for the captioner to be loaded, and for one picture of each other
 * tab.
 */
const TIMEOUT = { caption: 120_000, others: 30_000 };

/** Sends a message to another context of the extension and gives its answer; rejects with `no-answer` or `late` if none comes. */
export function ask(to, type, rest = {}) {
  return outside(() => send(to, type, rest), {
    timeout: TIMEOUT[type] ?? TIMEOUT.others,
    late: () => new RemoteError({ code: 'late', message: `${to} ${type} was not answered in time` }),
  });
}
