import { createHash, createHmac } from 'node:crypto';
import { type PasswordHash, parsePasswordHash } from './password-hash.ts';

/** Kinds of hashes that decoys have: the most frequent ones of the file. */
const kindsMax = 16;

/**
 * Decoy where the file has no hash. Its password is unknown.
 */
const nobody = parsePasswordHash(
  '$scrypt$ln=15,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
) as PasswordHash;

/** Lines that are verifiers of SCRAM: their kind has the number of iterations behind the first sign. */
const scramPrefix = 'SCRAM-SHA-256$';

interface Kind {
  readonly name: string;
  /** Users of the file that have it. */
  readonly users: number;
  readonly decoy: PasswordHash;
}

/**
 * Hashes for user names that are not in a password file. They are verified in vain, so that a name takes as long as
 * that of a user. A file from elsewhere has hashes of several kinds, some cheaper than others: each unknown name has one
 * of them, always the same, and of many names each kind has its share. Otherwise names that take as long as no unknown
 * one ever does would be those of users.
 *
 * The choice is made with a key from the file: it is the same at each try, at each worker and at each node with the same
 * file. When users are added it changes for few names (rendezvous hashing).
 */
export class Decoys {
  readonly #kinds: readonly Kind[];
  readonly #key: Buffer;

  /** `users`: the text of each user's hash. */
  constructor(users: ReadonlyMap<string, string>) {
    this.#kinds = kindsOf(users);
    const [first = ''] = users.values();
    this.#key = createHash('sha256').update(`decoys of ${first}`).digest();
  }

  hashFor(userName: string): PasswordHash {
    const [first] = this.#kinds;
    if (first === undefined) return nobody;
    if (this.#kinds.length === 1) return first.decoy;
    let best = first;
    let bestScore = Number.POSITIVE_INFINITY;
    for (const kind of this.#kinds) {
      const score = this.#waitOf(kind, userName);
      if (score < bestScore) [best, bestScore] = [kind, score];
    }
    return best.decoy;
  }

  /** Time until the first event of a kind whose events are as frequent as its users: the least of them is of each kind as often as it has users. */
  #waitOf({ name, users }: Kind, userName: string): number {
    const digest = createHmac('sha256', this.#key).update(`${name} ${userName}`).digest();
    return -Math.log((digest.readUIntBE(0, 6) + 1) / 2 ** 48) / users;
  }
}

/** One line of each kind is read: there may be 100,000. */
function kindsOf(users: ReadonlyMap<string, string>): Kind[] {
  const found = new Map<string, { users: number; text: string }>();
  for (const text of users.values()) {
    const name = kindOf(text);
    const known = found.get(name);
    if (known === undefined) found.set(name, { users: 1, text });
    else known.users++;
  }
  const frequent = [...found].sort(([, a], [, b]) => b.users - a.users).slice(0, kindsMax);
  return frequent.flatMap(([name, { users, text }]) => {
    const hash = parsePasswordHash(text);
    if (typeof hash === 'string') return [];
    // With an expected result that nothing has.
    return [{ name, users, decoy: { ...hash, text: '', expected: Buffer.alloc(hash.expected.length + 1) } }];
  });
}

/** Part of a hash before salt and result: scheme and parameters. */
function kindOf(text: string): string {
  return text.startsWith(scramPrefix)
    ? text.slice(0, text.indexOf(':'))
    : text.slice(0, text.lastIndexOf('$', text.lastIndexOf('$') - 1));
}
