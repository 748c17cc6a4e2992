/** Compiles mqload and limit into the cache folder, when they are missing or older than their sources. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { BENCH_DIRECTORY, CACHE_DIRECTORY } from './checkout.ts';

const NATIVE_DIRECTORY = join(BENCH_DIRECTORY, 'native');

function sourcesOf(program: 'mqload' | 'limit'): string[] {
  if (program === 'limit') return [join(NATIVE_DIRECTORY, 'limit.c')];
  const directory = join(NATIVE_DIRECTORY, 'mqload');
  return readdirSync(directory).map((file) => join(directory, file));
}

function modifiedMs(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** Returns the path of the program. Throws what `cc` (or the one named by CC) says when it cannot compile. */
export function nativeProgram(program: 'mqload' | 'limit'): string {
  const path = join(CACHE_DIRECTORY, program);
  const sources = sourcesOf(program);
  if (sources.every((source) => modifiedMs(source) < modifiedMs(path))) return path;
  mkdirSync(CACHE_DIRECTORY, { recursive: true });
  const compiled = sources.filter((source) => source.endsWith('.c'));
  const command = ['-O2', '-Wall', '-Wextra', ...(hasOpenssl() ? ['-DWITH_TLS'] : []), '-o', path, ...compiled];
  execFileSync(compiler, [...command, ...(hasOpenssl() ? ['-lssl', '-lcrypto'] : [])], { stdio: 'inherit' });
  return path;
}

const compiler = process.env.CC ?? 'cc';

/** True when the headers of OpenSSL are there (Debian: libssl-dev). Without them mqload is built without TLS. */
function hasOpenssl(): boolean {
  try {
    execFileSync(compiler, ['-E', '-xc', '-'], {
      input: '#include <openssl/ssl.h>',
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    return true;
  } catch {
    return false;
  }
}
