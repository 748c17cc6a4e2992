import { parse } from 'yaml';
import { checkListeners, type Fault } from './check-listeners.ts';
import { checkWhole, fillIn } from './check-whole.ts';
import type { Configuration } from './configuration.ts';
import { readEnvironmentLayer } from './environment-layer.ts';
import { type FileLayer, readFileLayer } from './file-layer.ts';
import { type Flag, readFlagLayer } from './flag-layer.ts';
import { configFileVariable, type Key, keys, keysByPath } from './keys.ts';
import type { Setting } from './layer.ts';
import type { Listener } from './listener.ts';
import { ConfigurationError, type Problem, showValue } from './problem.ts';
import { followRenames } from './renamed-keys.ts';
import { hasReusePort } from './schema.ts';
import { withoutSecrets } from './secret.ts';
import { didYouMean } from './suggestion.ts';

export interface ConfigurationSources {
  /** A YAML file that must be there; absent: the file that `DUNLIN_CONFIG` names, or none. */
  file?: string;
  environment?: NodeJS.ProcessEnv;
  flags?: readonly Flag[];
  platform?: NodeJS.Platform;
}

export interface LoadedConfiguration {
  configuration: Configuration;
  /** Source of each key that was set. */
  origins: ReadonlyMap<string, string>;
  /** Settings that work and should be written otherwise. */
  warnings: readonly Problem[];
}

/**
 * Reads the configuration: flags before environment before file before defaults.
 * @throws ConfigurationError with everything that is wrong in all of them, also in values that another source overrides.
 */
export function loadConfiguration(sources: ConfigurationSources = {}): LoadedConfiguration {
  const environment = sources.environment ?? {};
  const file = sources.file ?? environment[configFileVariable];
  const problems: Problem[] = [];
  const values = new Map<string, unknown>();
  const origins = new Map<string, string>();
  const layers: FileLayer[] = [readEnvironmentLayer(environment), readFlagLayer(sources.flags ?? [])];
  if (file !== undefined) {
    try {
      layers.unshift(readFileLayer(file));
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      problems.push(...error.problems);
    }
  }
  for (const layer of layers) problems.push(...layer.problems);
  const renamed = followRenames(layers.flatMap((layer) => layer.settings));
  problems.push(...renamed.problems);
  for (const setting of renamed.settings) apply(setting, values, origins, problems);
  const configuration = assemble(values);
  fillIn(configuration, origins);
  problems.push(...checkWhole(configuration, origins));
  if (configuration.workers > 1 && !hasReusePort(sources.platform)) {
    const where = origins.get('workers') ?? 'workers';
    const message = `workers: given ${configuration.workers}, allowed on this system: 1 (a port cannot be shared between sockets)`;
    problems.push({ where, message, suggestion: '' });
  }
  if (problems.length > 0) throw new ConfigurationError(problems);
  return { configuration, origins, warnings: renamed.warnings };
}

function apply(
  setting: Setting,
  values: Map<string, unknown>,
  origins: Map<string, string>,
  problems: Problem[],
): void {
  const key = keysByPath.get(setting.path);
  if (key === undefined) {
    problems.push(unknownKey(setting));
    return;
  }
  const given = setting.isText ? readText(key, setting.value as string | readonly string[]) : setting.value;
  const checked = check(key, given);
  for (const fault of checked.faults) {
    problems.push({ where: setting.locate(fault.inner), message: fault.message, suggestion: fault.suggestion });
  }
  if (checked.faults.length > 0) return;
  values.set(key.path, checked.value);
  origins.set(key.path, setting.locate([]));
  if (key.path === 'listeners') locateListeners(setting, checked.value as Listener[], origins);
}

/** Records the place of each listener, for faults that other keys cause. */
function locateListeners(setting: Setting, listeners: readonly Listener[], origins: Map<string, string>): void {
  for (const index of listeners.keys()) origins.set(`listeners[${index}]`, setting.locate([index]));
}

/**
 * Suggests the nearest whole path, or the path whose last word is nearest (`receiveMaximum` for
 * `limits.receiveMaximum`).
 */
function unknownKey(setting: Setting): Problem {
  const last = setting.path.slice(setting.path.lastIndexOf('.') + 1);
  const sameWord = keys.find((key) => key.path.endsWith(`.${last}`));
  const suggestion =
    sameWord === undefined ? didYouMean(setting.path, keysByPath.keys()) : `did you mean "${sameWord.path}"?`;
  return { where: setting.locate(['']), message: `unknown key ${setting.path}`, suggestion };
}

/**
 * Text as the key's kind would be written in the file; what cannot be read so stays text and is refused by the check.
 */
function readText(key: Key, value: string | readonly string[]): unknown {
  if (typeof value !== 'string') return value;
  if (key.kind === 'number' && /^-?\d+(\.\d+)?$/.test(value.trim())) return Number(value);
  if (key.kind === 'boolean' && (value === 'true' || value === 'false')) return value === 'true';
  if (key.kind !== 'list') return value;
  if (!value.trimStart().startsWith('[')) return value.split(',').map((part) => part.trim());
  try {
    return parse(value);
  } catch {
    // Not a list in YAML: the text itself is what the message shows.
    return value;
  }
}

function check(key: Key, value: unknown): { value: unknown; faults: Fault[] } {
  if (key.path === 'listeners') {
    const { listeners, faults } = checkListeners(value);
    return { value: listeners, faults };
  }
  const parsed = value === null ? null : key.type.safeParse(value);
  if (parsed?.success) return { value: parsed.data, faults: [] };
  const choices = key.allowed.includes(', ') ? key.allowed.split(', ') : [];
  const shown = showValue(key.isSecret && typeof value === 'string' ? withoutSecrets(value) : value);
  let suggestion = typeof value === 'string' ? didYouMean(value, choices) : '';
  if (key.kind === 'text' && typeof value === 'number') suggestion = `write it as text: "${value}"`;
  return {
    value: null,
    faults: [{ inner: [], message: `${key.path}: given ${shown}, allowed: ${key.allowed}`, suggestion }],
  };
}

function assemble(values: ReadonlyMap<string, unknown>): Configuration {
  const root: Record<string, unknown> = {};
  for (const key of keys) {
    let section = root;
    const steps = key.path.split('.');
    for (const step of steps.slice(0, -1)) {
      section[step] ??= {};
      section = section[step] as Record<string, unknown>;
    }
    const fallback = () =>
      key.path === 'listeners' ? checkListeners(key.type.parse(undefined)).listeners : key.type.parse(undefined);
    section[steps.at(-1) as string] = values.has(key.path) ? values.get(key.path) : fallback();
  }
  return root as unknown as Configuration;
}
