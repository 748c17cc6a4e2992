import { type Configuration, type Key, keys, type Listener } from '@dunlin/config';

/** The keys whose values are not the same in both. */
export function changedKeys(before: Configuration, after: Configuration): Key[] {
  return keys.filter((key) => !isSame(key, before, after));
}

function isSame(key: Key, before: Configuration, after: Configuration): boolean {
  const read = (configuration: Configuration) =>
    key.path === 'listeners'
      ? configuration.listeners.map(withoutFiles)
      : key.path.split('.').reduce((value: unknown, step) => (value as Record<string, unknown>)[step], configuration);
  return JSON.stringify(read(before)) === JSON.stringify(read(after));
}

/** Part of a listener that takes effect at a start only: its certificates do at once. */
function withoutFiles(listener: Listener): unknown {
  const { tls } = listener;
  return { ...listener, tls: tls === null ? null : { ...tls, certificates: [], clientCa: '', clientCrl: '' } };
}
