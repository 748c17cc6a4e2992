import { configFileVariable, keysByVariable, variableName, variablePrefix } from './keys.ts';
import type { Setting } from './layer.ts';
import type { Problem } from './problem.ts';
import { renamedKeys } from './renamed-keys.ts';
import { didYouMean } from './suggestion.ts';

const pathsByVariable: ReadonlyMap<string, string> = new Map([
  ...[...keysByVariable].map(([variable, key]) => [variable, key.path] as const),
  ...[...renamedKeys.keys()].map((path) => [variableName(path), path] as const),
]);

/** Variables that begin with `DUNLIN_`: each is a key, names the file, or is an error. */
export function readEnvironmentLayer(environment: NodeJS.ProcessEnv): { settings: Setting[]; problems: Problem[] } {
  const settings: Setting[] = [];
  const problems: Problem[] = [];
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith(variablePrefix) || name === configFileVariable || value === undefined) continue;
    const path = pathsByVariable.get(name);
    const where = `environment ${name}`;
    if (path === undefined) {
      const known = [...keysByVariable.keys(), configFileVariable];
      problems.push({ where, message: 'no key has this variable', suggestion: didYouMean(name, known) });
      continue;
    }
    settings.push({ path, spelling: name, isText: true, value, locate: () => where });
  }
  return { settings, problems };
}
