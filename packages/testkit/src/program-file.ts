import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** A program is not installed; the message says how to get it. */
export class MissingProgramError extends Error {
  constructor(name: string, howToGet: string) {
    super(`${name} is not installed: ${howToGet}`);
    this.name = 'MissingProgramError';
  }
}

export interface ProgramSearch {
  /** Variable of the environment that names the file; where it is set, nothing else is looked at. */
  readonly variable?: string;
  /** Directories that are looked at before those of the PATH. */
  readonly before?: readonly string[];
  /** Directories that are looked at after those of the PATH. */
  readonly after?: readonly string[];
  readonly environment?: NodeJS.ProcessEnv;
}

/** Path of a program; undefined: there is none of that name. */
export function findProgramFile(name: string, search: ProgramSearch = {}): string | undefined {
  const { variable, before = [], after = [], environment = process.env } = search;
  const named = variable === undefined ? undefined : environment[variable];
  const directories = [...before, ...(environment.PATH ?? '').split(delimiter), ...after];
  const candidates = named === undefined ? directories.map((directory) => join(directory, name)) : [named];
  return candidates.find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false; // absent, or not ours to run: both mean "not here"
  }
}
