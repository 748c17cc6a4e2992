import type { Setting } from './layer.ts';
import type { Problem } from './problem.ts';

/** Renamed keys: the old path and the new one. The old name goes on working, with a warning that says the new one. */
export const renamedKeys: ReadonlyMap<string, string> = new Map([
  ['limits.outboxBytesMax', 'limits.outputBufferBytesMax'],
]);

/**
 * The settings of all sources under the names of today; a warning for each old key; a problem where a key is given
 * under both names.
 */
export function followRenames(given: readonly Setting[]): {
  settings: Setting[];
  warnings: Problem[];
  problems: Problem[];
} {
  const warnings = new Map<string, Problem>();
  const problems: Problem[] = [];
  const settings = given.map((setting) => {
    const path = renamedKeys.get(setting.path);
    if (path === undefined) return setting;
    const where = setting.locate(['']);
    const today = given.find((other) => other.path === path);
    if (today === undefined) {
      const message = `${setting.path} is now called ${path}`;
      if (!warnings.has(path)) warnings.set(path, { where, message, suggestion: 'the old name still works' });
    } else {
      const message = `${setting.path} is the old name of ${path}, which is given too (${today.locate([''])})`;
      problems.push({ where, message, suggestion: `keep ${path} alone` });
    }
    return { ...setting, path };
  });
  return { settings, warnings: [...warnings.values()], problems };
}
