import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../repository-root.ts';

/** Entry of one package in package-lock.json. */
export interface LockedPackage {
  readonly version: string;
  readonly license?: string;
  readonly link?: boolean;
  readonly resolved?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

type Lock = Readonly<Record<string, LockedPackage>>;

/** Packages that run in production, from the `dunlin` command down. */
export interface ProductionPackages {
  /** Dependencies of our own packages, by name, with the exact version. */
  readonly direct: Readonly<Record<string, string>>;
  /** Every package from outside, by its place in node_modules, in order. */
  readonly locked: Readonly<Record<string, LockedPackage>>;
}

/** Place where Node would find `name` from a package at `place`: the nearest node_modules. */
function placeOf(lock: Lock, name: string, place: string): string | null {
  for (let directory = place; ; ) {
    const candidate = directory === '' ? `node_modules/${name}` : `${directory}/node_modules/${name}`;
    if (candidate in lock) return candidate;
    if (directory === '') return null;
    const above = directory.lastIndexOf('/node_modules/');
    directory = above === -1 ? '' : directory.slice(0, above);
  }
}

/**
 * Walks package-lock.json from the command. npm's own `--omit dev` leaves out what production and development both use (npm 11.19).
 * @throws Error on a lock that lacks something
 */
export function productionPackages(): ProductionPackages {
  const lock: Lock = JSON.parse(readFileSync(join(repositoryRoot, 'package-lock.json'), 'utf8')).packages;
  const direct: Record<string, string> = {};
  const locked = new Map<string, LockedPackage>();
  const seen = new Set<string>();
  const visit = (place: string, isOurs: boolean): void => {
    if (seen.has(place)) return;
    seen.add(place);
    const entry = lock[place];
    if (entry.link === true && entry.resolved !== undefined) {
      visit(entry.resolved, true);
      return;
    }
    if (!isOurs) locked.set(place, entry);
    const names = { ...entry.optionalDependencies, ...entry.dependencies };
    for (const name of Object.keys(names)) {
      const next = placeOf(lock, name, place);
      // Builds for other systems need not be in the lock.
      if (next === null && name in (entry.optionalDependencies ?? {})) continue;
      if (next === null) throw new Error(`package-lock.json has no ${name}, which ${place} asks for`);
      if (isOurs && lock[next].link !== true) direct[name] = lock[next].version;
      visit(next, false);
    }
  };
  visit('packages/cli', true);
  return { direct, locked: Object.fromEntries([...locked].sort(([one], [other]) => (one < other ? -1 : 1))) };
}
