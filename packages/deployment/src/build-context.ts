import { readdirSync } from 'node:fs';
import { join, matchesGlob } from 'node:path';

/**
 * True when the patterns of a `.dockerignore` let a file into the build, by the rules of Docker: the last pattern that matches the file or a folder
 * above it decides, and one with `!` lets it in.
 * @param path relative, with `/`
 */
export function isInContext(path: string, patterns: readonly string[]): boolean {
  const names = path.split('/');
  const prefixes = names.map((_, index) => names.slice(0, index + 1).join('/'));
  let isIn = true;
  for (const pattern of patterns) {
    const lets = pattern.startsWith('!');
    const glob = lets ? pattern.slice(1) : pattern;
    if (prefixes.some((prefix) => matchesGlob(prefix, glob))) isIn = lets;
  }
  return isIn;
}

/** The patterns of a `.dockerignore`. */
export function ignorePatterns(source: string): string[] {
  return source
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

/** Folders that no pattern ever lets in and that are too large to walk for nothing. */
const neverWalked = new Set(['node_modules', '.git', '.cache', '.turbo']);

/** The files below `root` that take part in a build, relative, with `/`. */
export function contextFiles(root: string, patterns: readonly string[], below = ''): string[] {
  return readdirSync(join(root, below), { withFileTypes: true }).flatMap((entry) => {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) return neverWalked.has(entry.name) ? [] : contextFiles(root, patterns, path);
    return isInContext(path, patterns) ? [path] : [];
  });
}
