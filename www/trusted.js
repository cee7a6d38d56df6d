/**
 * One of the page's own addresses in the form in which a host with `require-trusted-types-for 'script'` wants the addresses
 * of scripts; elsewhere, and where the host allows no policy of this name, the address as it is.
 *
 * @param {URL} address
 */
export function trustedScript(address) {
  try {
    const policy = globalThis.trustedTypes?.createPolicy('soli-page', {
      createScriptURL(given) {
        if (new URL(given).origin !== new URL(import.meta.url).origin) throw new TypeError(`${given} is no script of this page`);
        return given;
      },
    });
    return policy ? policy.createScriptURL(address.href) : address;
  } catch {
    return address;
  }
}
