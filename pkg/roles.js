import { call } from './dom.js';

/** WAI-ARIA 1.3's roles that an author may give; those of DPUB-ARIA and Graphics-ARIA have a prefix. */
const ROLES = new Set(
  `alert alertdialog application article banner blockquote button caption cell checkbox code columnheader combobox comment
  complementary contentinfo definition deletion dialog directory document emphasis feed figure form generic grid gridcell
  group heading image img insertion link list listbox listitem log main mark marquee math menu menubar menuitem
  menuitemcheckbox menuitemradio meter navigation none note option paragraph presentation progressbar radio radiogroup
  region row rowgroup rowheader scrollbar search searchbox separator slider spinbutton status strong subscript suggestion
  superscript switch tab table tablist tabpanel term textbox time timer toolbar tooltip tree treegrid treeitem`.split(/\s+/),
);

/**
 * The role that an element's `role` attribute gives it: the first of its words that is one, in lower case, as browsers
 * read it; '' where there is none.
 */
export function roleOf(element) {
  const words = call(element, 'getAttribute', 'role')?.toLowerCase().split(/\s+/) ?? [];
  return words.find((word) => ROLES.has(word) || /^(doc|graphics)-[a-z]+$/.test(word)) ?? '';
}
