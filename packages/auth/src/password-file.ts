/** A password file: lines of `user:hash`; empty lines and those that begin with `#` say nothing. */
import type { Clock, Credentials } from '@dunlin/broker';
import { cannotTell, type Decision, type Method, notMine, refuse } from './method.ts';
import { PasswordCheck } from './password-check.ts';
import { type PasswordHash, parsePasswordHash } from './password-hash.ts';
import { AccessFileError, type SourceText } from './source-text.ts';

/** @throws AccessFileError with the line and the column of what is wrong first */
export function parsePasswordFile({ name, text }: SourceText): Map<string, PasswordHash> {
  const users = new Map<string, PasswordHash>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const fail = (column: number, what: string): never => {
      throw new AccessFileError(`${name}:${index + 1}:${column}: ${what}`);
    };
    const colon = line.indexOf(':');
    if (colon < 1) fail(1, 'a line is USER:HASH');
    const userName = line.slice(0, colon);
    const hash = parsePasswordHash(line.slice(colon + 1).trimEnd());
    if (typeof hash === 'string') fail(colon + 2, hash);
    else if (users.has(userName)) fail(1, `the user "${userName}" is there twice`);
    else users.set(userName, hash);
  }
  return users;
}

/** For users that are not in the file: checked in vain, so that they cost as much as those that are. Nobody knows its password. */
const nobody = parsePasswordHash(
  '$scrypt$ln=15,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
) as PasswordHash;

export class PasswordFile implements Method {
  readonly name = 'password-file';
  readonly #check: PasswordCheck;
  #users: Map<string, PasswordHash>;
  #decoy: PasswordHash;

  constructor(users: Map<string, PasswordHash>, clock: Clock, hashesAtOnce: number) {
    this.#users = users;
    this.#decoy = decoyOf(users);
    this.#check = new PasswordCheck(clock, hashesAtOnce);
  }

  /** From the next CONNECT on. */
  replace(users: Map<string, PasswordHash>): void {
    this.#users = users;
    this.#decoy = decoyOf(users);
  }

  async authenticate({ userName, password }: Credentials): Promise<Decision> {
    if (userName === null || password === null || password.length === 0) return notMine;
    const hash = this.#users.get(userName);
    const isRight = await this.#check.check(userName, hash ?? this.#decoy, password);
    if (isRight === null) return cannotTell('too many passwords wait to be checked');
    if (hash === undefined) return notMine;
    return isRight ? { kind: 'accept', userName } : refuse('wrong password');
  }
}

/** The first user's scheme and cost with another expected result: usually all users of a file have the same. */
function decoyOf(users: Map<string, PasswordHash>): PasswordHash {
  const first = users.values().next().value;
  if (first === undefined) return nobody;
  return { text: '', expected: Buffer.alloc(first.expected.length + 1), derive: first.derive };
}
