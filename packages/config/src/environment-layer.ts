import { configFileVariable, keysByVariable, variablePrefix } from './keys.ts';
import type { Setting } from './layer.ts';
import type { Problem } from './problem.ts';
import { didYouMean } from './suggestion.ts';

/** Variables that begin with `DUNLIN_`: each is a key, names the file, or is an error. */
export function readEnvironmentLayer(environment: NodeJS.ProcessEnv): { settings: Setting[]; problems: Problem[] } {
  const settings: Setting[] = [];
  const problems: Problem[] = [];
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith(variablePrefix) || name === configFileVariable || value === undefined) continue;
    const key = keysByVariable.get(name);
    const where = `environment ${name}`;
    if (key === undefined) {
      const known = [...keysByVariable.keys(), configFileVariable];
      problems.push({ where, message: 'no key has this variable', suggestion: didYouMean(name, known) });
      continue;
    }
    settings.push({ path: key.path, spelling: name, isText: true, value, locate: () => where });
  }
  return { settings, problems };
}
