import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

/** A program that these tests need is not there. */
export class MissingProgramError extends Error {
  constructor(what: string) {
    super(`${what} is missing: run .ci/install-test-programs`);
    this.name = 'MissingProgramError';
  }
}

/** The interpreter that has Paho, in the checkout above this file. */
export function pythonPath(): string {
  for (let directory = import.meta.dirname; directory !== dirname(directory); directory = dirname(directory)) {
    const path = join(directory, '.cache/python/bin/python');
    if (existsSync(path)) return path;
  }
  throw new MissingProgramError('Paho for Python (.cache/python)');
}

/** A program of the system, found on the PATH. */
export function systemProgram(name: string): string {
  for (const directory of (process.env.PATH ?? '').split(':')) {
    const path = join(directory, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this directory; the next may have it.
    }
  }
  throw new MissingProgramError(name);
}

/** Compiles the C program of this directory against Debian's Paho library and returns its path. */
export async function compilePahoC(): Promise<string> {
  if (!existsSync('/usr/include/MQTTClient.h')) throw new MissingProgramError('libpaho-mqtt-dev (MQTTClient.h)');
  const directory = await mkdtemp(join(tmpdir(), 'paho-c-'));
  const program = join(directory, 'paho-client');
  const source = join(import.meta.dirname, 'paho-client.c');
  await promisify(execFile)(systemProgram('cc'), ['-Wall', '-O1', '-o', program, source, '-lpaho-mqtt3c']);
  return program;
}
