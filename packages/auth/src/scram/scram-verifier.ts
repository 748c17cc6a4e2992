/**
 * Verifier of a password for SCRAM (RFC 5802, section 3): enough to check a client's proof, not enough to make one.
 * In a password file it stands as in PostgreSQL:
 *
 *     SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY
 */
import { createHash, createHmac, pbkdf2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';

/** RFC 7677, section 4, asks for no fewer. */
const iterationsMin = 4096;
const iterationsMax = 10_000_000;
/** Iterations of new verifiers. The client computes them: no more than a tenth of a second of a small device. */
const iterationsUsual = 15_000;
const saltBytes = 16;
export const keyBytes = 32;

const pattern = /^SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/]+={0,2})\$([A-Za-z0-9+/]{43}=):([A-Za-z0-9+/]{43}=)$/;

const pbkdf2Async = promisify(pbkdf2);

export interface ScramVerifier {
  readonly iterations: number;
  readonly salt: Buffer;
  /** SHA-256 of the client's key: what a proof is checked against. */
  readonly storedKey: Buffer;
  /** Key with which the server proves itself. */
  readonly serverKey: Buffer;
}

/** Null: the line holds another kind of hash. A text says what is wrong with it. */
export function parseScramVerifier(text: string): ScramVerifier | string | null {
  if (!text.startsWith('SCRAM-SHA-256$')) return null;
  const match = pattern.exec(text);
  if (match === null) return 'a SCRAM verifier is SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY';
  const iterations = Number(match[1]);
  if (iterations < iterationsMin || iterations > iterationsMax)
    return `${iterations} iterations, allowed are ${iterationsMin} to ${iterationsMax}`;
  const [salt, storedKey, serverKey] = match.slice(2).map((part) => Buffer.from(part, 'base64'));
  return { iterations, salt, storedKey, serverKey };
}

/** A line of a password file for a new password. */
export async function makeScramVerifier(password: string): Promise<string> {
  const salt = randomBytes(saltBytes);
  const { storedKey, serverKey } = await scramKeys(await prepared(Buffer.from(password)), salt, iterationsUsual);
  const text = (bytes: Buffer) => bytes.toString('base64');
  return `SCRAM-SHA-256$${iterationsUsual}:${text(salt)}$${text(storedKey)}:${text(serverKey)}`;
}

/** The keys of RFC 5802, section 3; the password is prepared already. Takes the thread pool. */
export async function scramKeys(
  password: Buffer,
  salt: Buffer,
  iterations: number,
): Promise<{ clientKey: Buffer; storedKey: Buffer; serverKey: Buffer }> {
  const salted = await pbkdf2Async(password, salt, iterations, keyBytes, 'sha256');
  const clientKey = hmac(salted, 'Client Key');
  return { clientKey, storedKey: sha256(clientKey), serverKey: hmac(salted, 'Server Key') };
}

/** A password as SASLprep (RFC 4013) makes it; as it is where it is no text, or has characters that are not allowed there, as PostgreSQL does. */
export async function prepared(password: Buffer): Promise<Buffer> {
  if (password.every((byte) => byte < 0x80)) return password;
  const text = password.toString('utf8');
  if (Buffer.compare(Buffer.from(text), password) !== 0) return password;
  const { saslprep } = await import('@mongodb-js/saslprep');
  try {
    return Buffer.from(saslprep(text));
  } catch {
    return password;
  }
}

export function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

export function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}
