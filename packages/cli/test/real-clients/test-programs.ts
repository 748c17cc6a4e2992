import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { findProgramFile, MissingProgramError } from '@dunlin/testkit';

const howToGet = 'run .ci/install-test-programs';

/** The interpreter that has Paho, in the checkout above this file. */
export function pythonPath(): string {
  for (let directory = import.meta.dirname; directory !== dirname(directory); directory = dirname(directory)) {
    const path = join(directory, '.cache/python/bin/python');
    if (existsSync(path)) return path;
  }
  throw new MissingProgramError('Paho for Python (.cache/python)', howToGet);
}

/** A program of the system, found on the PATH. */
export function systemProgram(name: string): string {
  const found = findProgramFile(name);
  if (found === undefined) throw new MissingProgramError(name, howToGet);
  return found;
}

/** Compiles the C program of this directory against Debian's Paho library and returns its path. */
export async function compilePahoC(): Promise<string> {
  if (!existsSync('/usr/include/MQTTClient.h'))
    throw new MissingProgramError('libpaho-mqtt-dev (MQTTClient.h)', howToGet);
  const directory = await mkdtemp(join(tmpdir(), 'paho-c-'));
  const program = join(directory, 'paho-client');
  const source = join(import.meta.dirname, 'paho-client.c');
  await promisify(execFile)(systemProgram('cc'), ['-Wall', '-O1', '-o', program, source, '-lpaho-mqtt3c']);
  return program;
}
