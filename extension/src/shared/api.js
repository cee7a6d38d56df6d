/**
 * The extension API: both browsers' namespaces answer with promises. Only what is the global object's own counts: an element
 * of the page whose id is "browser" would be found as well.
 */
export const api = Object.hasOwn(globalThis, 'browser') ? globalThis.browser : globalThis.chrome;

/**
 * Answers messages that are addressed to `to` with what `handlers[type]` returns or promises.
 *
 * Every context of the extension hears every message; the address keeps them apart. A failure travels as
 * `{ error: { code, message } }`, because an Error does not survive the way.
 */
export function listen(to, handlers) {
  api.runtime.onMessage.addListener((message, sender, respond) => {
    if (message?.to !== to || !Object.hasOwn(handlers, message.type)) return false;
    // `return true` and not a promise: that is what both browsers understand. The open answer also keeps Firefox's
    // event page alive while a caption is made.
    Promise.resolve()
      .then(() => handlers[message.type](message, sender))
      .then(
        (value) => respond({ value: value ?? null }),
        (error) => respond({ error: { code: error?.code ?? error?.name ?? 'internal', message: String(error?.message ?? error) } }),
      );
    return true;
  });
}

/** An error with a code that travels between contexts. */
export class RemoteError extends Error {
  constructor({ code, message }) {
    super(message);
    this.name = 'RemoteError';
    this.code = code;
  }
}

/**
 * Sends a message to another context of the extension and gives its answer. Rejects with `no-answer` where nobody is: the
 * background is still starting, or the extension was updated or switched off under a page that has its content script.
 */
export async function ask(to, type, rest = {}) {
  let answer;
  try {
    answer = await api.runtime.sendMessage({ to, type, ...rest });
  } catch (error) {
    throw new RemoteError({ code: 'no-answer', message: `${to} ${type}: ${error?.message ?? error}` });
  }
  if (!answer) throw new RemoteError({ code: 'no-answer', message: `nobody answered ${to} ${type}` });
  if (answer.error) throw new RemoteError(answer.error);
  return answer.value;
}
