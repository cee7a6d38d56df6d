/** Finds the programs that the tests start. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** What the variable names, or the first of these programs on PATH. */
export function program(variable, ...names) {
  const given = process.env[variable];
  if (given) return given;
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    for (const name of names) {
      try {
        accessSync(join(folder, name), constants.X_OK);
        return join(folder, name);
      } catch {
        // not in this folder
      }
    }
  }
  throw new Error(`no ${names[0]} on PATH: install it, or name it in ${variable}`);
}
