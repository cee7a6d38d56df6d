/** Runs in the page: what the DOM says, shadow trees and frames included, without soli's own panel. */

/** The whole document as text. */
export function wholeDom() {
  const serialise = (node) => {
    if (node instanceof Element && node.hasAttribute('data-soli-panel')) return '';
    if (!(node instanceof Element)) return node.nodeType === Node.TEXT_NODE ? node.data : '';
    const attributes = [...node.attributes].map(({ name, value }) => ` ${name}=${JSON.stringify(value)}`).sort();
    const shadow = node.shadowRoot ? `#shadow[${[...node.shadowRoot.childNodes].map(serialise).join('')}]` : '';
    const frame = node.localName === 'iframe' && node.contentDocument ? `#frame[${node.contentDocument.documentElement.innerHTML}]` : '';
    return `<${node.localName}${attributes.join('')}>${shadow}${frame}${[...node.childNodes].map(serialise).join('')}</${node.localName}>`;
  };
  return serialise(document.documentElement);
}

/** Every picture of the fixture: what is expected, and the attributes that could have been touched. */
export function pictures() {
  const roots = [document, document.getElementById('shadow-host')?.shadowRoot, document.getElementById('frame')?.contentDocument];
  return Object.fromEntries(
    roots
      .filter(Boolean)
      .flatMap((root) => [...root.querySelectorAll('[data-expect], #shadow')])
      .map((element) => [
        element.id,
        {
          expect: element.dataset.expect ?? 'write',
          alt: element.getAttribute('alt'),
          label: element.getAttribute('aria-label'),
          mark: element.getAttribute('data-soli'),
          lang: element.getAttribute('lang'),
        },
      ]),
  );
}
