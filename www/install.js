/**
 * Offers to install the page, where a page may ask for that (Chromium's family). Elsewhere the browser's own menu does it.
 *
 * @param {HTMLButtonElement} button hidden while there is nothing to offer
 */
export function offerInstalling(button) {
  let question = null;

  function offer(event) {
    // Without this some browsers put a bar of their own over the page.
    event?.preventDefault();
    question = event;
    const hadFocus = document.activeElement === button;
    button.hidden = !event;
    // Who works with the keyboard must not be thrown to the end of the page.
    if (hadFocus && !event) document.getElementById('file').focus({ preventScroll: true });
  }

  window.addEventListener('beforeinstallprompt', offer);
  window.addEventListener('appinstalled', () => offer(null));
  button.addEventListener('click', async () => {
    const asked = question;
    offer(null); // a question can be put once; the browser brings another one after a no
    await asked.prompt();
  });
}
