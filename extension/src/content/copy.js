/** Puts a text on the clipboard. On plain http there is no clipboard object, so the old way stays as a way out. */
export async function copy(text, root) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement('textarea');
    field.value = text;
    root.append(field);
    const before = root.activeElement;
    field.select();
    const done = document.execCommand('copy');
    field.remove();
    before?.focus();
    return done;
  }
}
