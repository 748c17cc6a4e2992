/**
 * Changes a password file: a new one is written beside it and takes its place, so that a broker never reads half of
 * one.
 */
import {
  chownSync,
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { makePasswordHash } from './password-hash.ts';
import { makeScramVerifier } from './scram/scram-verifier.ts';
import { AccessFileError } from './source-text.ts';

export interface PasswordChange {
  file: string;
  userName: string;
  /** Null: the user is removed. */
  password: string | null;
  /** A new file; one that is there is replaced. */
  create: boolean;
  /** `scram`: kept as a verifier, so that the client can use SCRAM-SHA-256 as well. */
  scheme?: 'scrypt' | 'scram';
}

/** Returns the fault of a user name; null: none. */
export function userNameFault(userName: string): string | null {
  if (userName === '') return 'a user name is not empty';
  if (userName.startsWith('#')) return 'a user name does not begin with #';
  return /[:\r\n\0]/.test(userName)
    ? `user: given ${JSON.stringify(userName)}, allowed: a name without colon and line break`
    : null;
}

/** @throws AccessFileError when the file cannot be read or written, or has no such user to remove */
export async function changePassword({ file, userName, password, create, scheme }: PasswordChange): Promise<void> {
  const lines = create ? [] : readLines(file);
  const at = lines.findIndex((line) => line.startsWith(`${userName}:`));
  if (password === null) {
    if (at === -1) throw new AccessFileError(`${file} has no user "${userName}"`);
    lines.splice(at, 1);
  } else {
    const line = `${userName}:${await (scheme === 'scram' ? makeScramVerifier(password) : makePasswordHash(password))}`;
    if (at === -1) lines.push(line);
    else lines[at] = line;
  }
  try {
    replaceFile(file, lines.map((line) => `${line}\n`).join(''));
  } catch (cause) {
    throw new AccessFileError(`${file} cannot be written: ${(cause as Error).message}`, cause);
  }
}

function readLines(file: string): string[] {
  try {
    const lines = readFileSync(file, 'utf8').split(/\r?\n/);
    if (lines.at(-1) === '') lines.pop();
    return lines;
  } catch (cause) {
    const isMissing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    const why = isMissing ? 'there is no such file; -c makes one' : (cause as Error).message;
    throw new AccessFileError(`${file} cannot be read: ${why}`, cause);
  }
}

/** Replaces a file that only its owner may read; the owner stays the same where that is allowed. */
function replaceFile(file: string, text: string): void {
  const beside = join(dirname(file), `.${basename(file)}.${process.pid}`);
  const handle = openSync(beside, 'wx', 0o600);
  try {
    writeSync(handle, text);
    fsyncSync(handle);
    closeSync(handle);
    keepOwner(file, beside);
    renameSync(beside, file);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
}

function keepOwner(file: string, beside: string): void {
  const known = statSync(file, { throwIfNoEntry: false });
  if (known === undefined || known.uid === process.getuid?.()) return;
  chownSync(beside, known.uid, known.gid);
}
