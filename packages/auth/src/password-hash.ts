/**
 * Hashes of passwords, as they stand in a password file:
 *
 *     $scrypt$ln=15,r=8,p=1$SALT$HASH              PHC; what `dunlin passwd` writes
 *     $argon2id$v=19$m=65536,t=3,p=4$SALT$HASH     PHC; also Mosquitto 2.1
 *     SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY     PostgreSQL; what `dunlin passwd --scram` writes, for SCRAM and plain passwords
 *     $7$ITERATIONS$SALT$HASH                      Mosquitto: PBKDF2 with SHA-512
 *     $6$SALT$HASH                                 Mosquitto before 2.0: one round of SHA-512, for reading old files
 *
 * All work is done by the thread pool, never on the event loop.
 */
import { argon2, pbkdf2, randomBytes, scrypt, subtle, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { parseScramVerifier, prepared, scramKeys } from './scram/scram-verifier.ts';

/** Memory and rounds that one check may take: a line of the file must not stop the broker. */
const memoryBytesMax = 256 * 1024 * 1024;
const passesMax = 100;
const laneMax = 16;
const iterationsMax = 10_000_000;
const hashBytesMin = 16;
const hashBytesMax = 128;

/** Parameters of new hashes: 32 MiB and some 60 ms of one core. */
const newHash = { log2: 15, blocks: 8, lanes: 1, saltBytes: 16, hashBytes: 32 };

export interface PasswordHash {
  readonly text: string;
  readonly expected: Buffer;
  /** Approximate milliseconds of a core that one check takes: good for comparing two kinds. */
  readonly costMilliseconds: number;
  derive(password: Buffer): Promise<Buffer>;
}

type Derivation = (password: Buffer, length: number) => Promise<Buffer>;

interface Scheme {
  readonly pattern: RegExp;
  /** Null: a number is out of bounds. */
  read(
    match: RegExpExecArray,
  ): { salt: string; hash: string; costMilliseconds: number; derive: (salt: Buffer) => Derivation } | null;
}

const base64 = '([A-Za-z0-9+/]+={0,2})';
const scryptAsync = promisify<Buffer, Buffer, number, object, Buffer>(scrypt);
const pbkdf2Async = promisify(pbkdf2);

/** A table of schemes. */
const schemes: readonly Scheme[] = [
  {
    pattern: new RegExp(`^\\$scrypt\\$ln=(\\d+),r=(\\d+),p=(\\d+)\\$${base64}\\$${base64}$`),
    read([, ln, r, p, salt, hash]) {
      const N = 2 ** Number(ln);
      const maxmem = 128 * N * Number(r) * 2;
      if (Number(ln) < 10 || !isWithin(Number(r), 1, 32) || !isWithin(Number(p), 1, laneMax)) return null;
      if (maxmem > 2 * memoryBytesMax) return null;
      const options = { N, r: Number(r), p: Number(p), maxmem };
      const costMilliseconds = N * options.r * options.p * 0.0002;
      return {
        ...{ salt, hash, costMilliseconds },
        derive: (nonce) => (password, length) => scryptAsync(password, nonce, length, options),
      };
    },
  },
  {
    pattern: new RegExp(`^\\$argon2id\\$v=19\\$m=(\\d+),t=(\\d+),p=(\\d+)\\$${base64}\\$${base64}$`),
    read([, m, t, p, salt, hash]) {
      const [memory, passes, parallelism] = [Number(m), Number(t), Number(p)];
      if (!isWithin(memory, 8 * parallelism, memoryBytesMax / 1024)) return null;
      if (!isWithin(passes, 1, passesMax) || !isWithin(parallelism, 1, laneMax)) return null;
      const costMilliseconds = memory * passes * 0.0006;
      return { salt, hash, costMilliseconds, derive: (nonce) => argon2id({ nonce, memory, passes, parallelism }) };
    },
  },
  {
    pattern: new RegExp(`^SCRAM-SHA-256\\$(\\d+):${base64}\\$${base64}:${base64}$`),
    read(match) {
      const verifier = parseScramVerifier(match[0]);
      if (verifier === null || typeof verifier === 'string') return null;
      const { iterations } = verifier;
      return {
        salt: match[2],
        hash: match[3],
        costMilliseconds: iterations * 0.0005,
        derive: (salt) => async (password) => {
          const { storedKey } = await scramKeys(await prepared(password), salt, iterations);
          return storedKey;
        },
      };
    },
  },
  {
    pattern: new RegExp(`^\\$7\\$(\\d+)\\$${base64}\\$${base64}$`),
    read([, iterations, salt, hash]) {
      const rounds = Number(iterations);
      if (!isWithin(rounds, 1, iterationsMax)) return null;
      return {
        salt,
        hash,
        costMilliseconds: rounds * 0.001,
        derive: (nonce) => (password, length) => pbkdf2Async(password, nonce, rounds, length, 'sha512'),
      };
    },
  },
  {
    pattern: new RegExp(`^\\$6\\$${base64}\\$${base64}$`),
    read: ([, salt, hash]) => ({
      salt,
      hash,
      costMilliseconds: 0,
      derive: (nonce) => (password) => sha512(Buffer.concat([password, nonce])),
    }),
  },
];

async function sha512(bytes: Uint8Array<ArrayBuffer>): Promise<Buffer> {
  return Buffer.from(await subtle.digest('SHA-512', bytes));
}

function argon2id(parameters: { nonce: Buffer; memory: number; passes: number; parallelism: number }): Derivation {
  return (message, tagLength) =>
    new Promise((resolve, reject) => {
      argon2('argon2id', { message, tagLength, ...parameters }, (error, tag) =>
        error === null ? resolve(tag) : reject(error),
      );
    });
}

function isWithin(value: number, minimum: number, maximum: number): boolean {
  return value >= minimum && value <= maximum;
}

/** A hash, or the reason why it is invalid. */
export function parsePasswordHash(text: string): PasswordHash | string {
  for (const { pattern, read } of schemes) {
    const match = pattern.exec(text);
    if (match === null) continue;
    const found = read(match);
    if (found === null) return 'a hash whose numbers are out of bounds';
    const expected = Buffer.from(found.hash, 'base64');
    if (!isWithin(expected.length, hashBytesMin, hashBytesMax)) return 'a hash that is too short or too long';
    const derive = found.derive(Buffer.from(found.salt, 'base64'));
    const { costMilliseconds } = found;
    return { text, expected, costMilliseconds, derive: (password) => derive(password, expected.length) };
  }
  return 'no hash of a known kind ($scrypt$, $argon2id$, SCRAM-SHA-256$, $7$, $6$)';
}

export async function verifyPassword(hash: PasswordHash, password: Buffer): Promise<boolean> {
  const derived = await hash.derive(password);
  return derived.length === hash.expected.length && timingSafeEqual(derived, hash.expected);
}

/** A hash for a password file. */
export async function makePasswordHash(password: string): Promise<string> {
  const { log2, blocks, lanes, saltBytes, hashBytes } = newHash;
  const salt = randomBytes(saltBytes);
  const N = 2 ** log2;
  const options = { N, r: blocks, p: lanes, maxmem: 128 * N * blocks * 2 };
  const hash = await scryptAsync(Buffer.from(password), salt, hashBytes, options);
  return `$scrypt$ln=${log2},r=${blocks},p=${lanes}$${unpadded(salt)}$${unpadded(hash)}`;
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}
