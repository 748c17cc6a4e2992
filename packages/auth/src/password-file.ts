/** Password file: lines of `user:hash`; empty lines and those that begin with `#` are comments. */
import type { AuthenticationExchange, Clock, Credentials, Permit } from '@dunlin/broker';
import { Decoys } from './decoys.ts';
import type { Attempts } from './fair/attempts.ts';
import { type Decision, type Method, notMine, refuse } from './method.ts';
import { PasswordCheck } from './password-check.ts';
import { parsePasswordHash } from './password-hash.ts';
import { Permits } from './permits.ts';
import { ScramExchange, type ScramUsers } from './scram/scram-exchange.ts';
import { scramUsersOf } from './scram/scram-users.ts';
import { AccessFileError, type SourceText } from './source-text.ts';

/**
 * The text of each user's hash: read when it is needed, since a file may have 100,000 of them and a worker must not
 * stand still.
 */
export type Users = Map<string, string>;

/**
 * @param isChecked the hashes were read before, by the supervisor
 * @throws AccessFileError with the line and the column of what is wrong first
 */
export function parsePasswordFile({ name, text }: SourceText, isChecked = false): Users {
  const users: Users = new Map();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const fail = (column: number, what: string): never => {
      throw new AccessFileError(`${name}:${index + 1}:${column}: ${what}`);
    };
    const colon = line.indexOf(':');
    if (colon < 1) fail(1, 'a line is USER:HASH');
    const userName = line.slice(0, colon);
    const hash = line.slice(colon + 1).trimEnd();
    const parsed = isChecked ? null : parsePasswordHash(hash);
    if (typeof parsed === 'string') fail(colon + 2, parsed);
    if (users.has(userName)) fail(1, `the user "${userName}" is there twice`);
    users.set(userName, hash);
  }
  return users;
}

export class PasswordFile implements Method {
  readonly name = 'password-file';
  readonly #check: PasswordCheck;
  #users: Users;
  readonly #permits = new Permits('the user was removed or has another password');
  #decoys: Decoys;
  /** Null: no line of the file can be used for SCRAM. */
  #scram: ScramUsers | null;

  constructor(users: Users, clock: Clock, hashesAtOnce: number, attempts: Attempts) {
    this.#users = users;
    this.#decoys = new Decoys(users);
    this.#scram = scramUsersOf(users);
    this.#check = new PasswordCheck(clock, hashesAtOnce, attempts);
  }

  /** Replaces the users; connections of those that are removed, or have another line, end. */
  replace(users: Users): void {
    this.#users = users;
    for (const userName of [...this.#permits.keys()]) this.#permits.compare(userName, users.get(userName));
    this.#decoys = new Decoys(users);
    this.#scram = scramUsersOf(users);
  }

  exchange(mechanism: string, credentials: Credentials): AuthenticationExchange | null {
    if (mechanism !== 'SCRAM-SHA-256' || this.#scram === null) return null;
    const exchange = new ScramExchange(this.#scram, credentials);
    return {
      step: async (data) => {
        const result = await exchange.step(data);
        return result.kind === 'accept' && result.userName !== null
          ? { ...result, ...this.#permit(result.userName) }
          : result;
      },
    };
  }

  #permit(userName: string): { permit: Permit } {
    return { permit: this.#permits.give(userName, this.#users.get(userName) ?? '') };
  }

  async authenticate(credentials: Credentials): Promise<Decision> {
    const { userName, password } = credentials;
    if (userName === null || password === null || password.length === 0) return notMine;
    const text = this.#users.get(userName);
    const hash = text === undefined ? this.#decoys.hashFor(userName) : parsePasswordHash(text);
    if (typeof hash === 'string') return refuse(hash);
    return this.#check.check(credentials, hash, password, (isRight) => {
      if (text === undefined) return notMine;
      if (!isRight) return refuse('wrong password');
      if (this.#users.get(userName) !== text) return refuse('the user was removed or changed meanwhile');
      return { kind: 'accept', userName, ...this.#permit(userName) };
    });
  }
}
