/**
 * The address of the weights file, for `Captioner.load({ weights })`: beside this module, wherever a bundler puts it; in Node a
 * `file:` address. A string, relative to the page, in classic scripts, where the module does not know its own address.
 */
declare const weights: URL | string;
export default weights;
