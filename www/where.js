/** What the map of a word says to somebody who does not see it. */

/**
 * Rows: at the top, in the middle, at the bottom, at no one height; columns likewise, from the left. A place is said only if
 * it is one: what is seen in two corners is not in the middle between them.
 */
const PLACES = [
  ['mostly top left', 'mostly at the top', 'mostly top right', 'mostly at the top'],
  ['mostly on the left', 'mostly in the middle', 'mostly on the right', 'across the middle'],
  ['mostly bottom left', 'mostly at the bottom', 'mostly bottom right', 'mostly at the bottom'],
  ['mostly on the left', 'down the middle', 'mostly on the right', null],
];

/** A map whose weakest cell comes so near to its strongest one, as a share of that, has no place. */
const FLAT = 0.25;
/** Of the strongest cells, how many have to lie in a third of the picture, and how many may lie in the third opposite. */
const MOST = 0.5;
const LITTLE = 0.25;

/**
 * Where in a picture its strongest cells lie: those in the upper third of the map's range.
 *
 * @param {number[]} cells 0 to 1, a square grid, row by row from the top left
 * @returns {string} such as "mostly top left"
 */
export function whereOf(cells) {
  const side = Math.sqrt(cells.length);
  const strongest = Math.max(...cells);
  const range = strongest - Math.min(...cells);
  if (range <= FLAT * strongest) return 'all over';
  const strong = [...cells.keys()].filter((place) => cells[place] >= strongest - range / 3);
  const row = third(strong.map((place) => Math.floor(place / side)), side);
  const column = third(strong.map((place) => place % side), side);
  return PLACES.at(row).at(column) ?? (strong.length > cells.length / 3 ? 'all over' : 'in several places');
}

/** The third of the grid, 0 to 2, that most of these lines lie in; -1 if there is no such third. */
function third(lines, side) {
  const shares = [0, 1, 2].map((third) => {
    // A grid of eight has no third that ends where a cell does.
    const within = (line) => Math.max(0, Math.min(line + 1, ((third + 1) * side) / 3) - Math.max(line, (third * side) / 3));
    return lines.reduce((sum, line) => sum + within(line), 0) / lines.length;
  });
  return shares.findIndex((share, third) => share >= MOST && (third === 1 || shares[2 - third] <= LITTLE));
}
