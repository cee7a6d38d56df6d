/**
 * Reads elements as the platform has them. A form answers with its fields before its own properties (`form.matches` is the
 * field of that name, if there is one), so whatever may be a form is asked through its prototype.
 */

/** A property of an element's own, such as `parentElement`. */
export function get(element, name) {
  return Reflect.get(Object.getPrototypeOf(element), name, element);
}

/** What a method of an element's own gives, such as `matches`. */
export function call(element, name, ...given) {
  return get(element, name).apply(element, given);
}
