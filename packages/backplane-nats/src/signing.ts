/**
 * Signatures of messages between endpoints. NATS lets everybody publish who may connect to it, under any name; with a
 * secret that all nodes share, a message counts only if it has this trailer:
 *
 *     sequence u64 │ HMAC-SHA-256 of everything before it, its first 16 bytes
 *
 * The key is derived from the secret for one subject (HKDF-SHA-256), so that a message of one subject is none on
 * another. The sequence grows with every message of an endpoint; the name of the endpoint, with its incarnation, is in
 * what is signed (senders.ts says what keeps old messages from being heard again).
 *
 * Measured with bench/frames.ts on a busy machine, CPU more per frame and side: 3.2 µs at 100 bytes, 7.5 at 4 KiB (a
 * frame of some forty messages: 0.2 a message), 60 at 64 KiB; of that the HMAC itself is 1.8, 4.7 and 47. A digest as
 * latin1 text is 0.9 µs cheaper than one as a buffer.
 */
import { createHmac, hkdfSync } from 'node:crypto';
import { CodedError } from '@dunlin/broker';
import { signedSubjectsMax } from './bounds.ts';

/** Bytes of a signature: half of HMAC-SHA-256, which leaves 128 bits to guess (RFC 2104, section 5). */
const signatureBytes = 16;
const sequenceBytes = 8;
export const trailerBytes = sequenceBytes + signatureBytes;

/** Secrets at most: the one that signs, and one more while it is changed. */
const secretsMax = 2;
const secretCharactersMin = 32;
const secretCharactersMax = 1024;

/** Secrets that cannot be used. */
export class ClusterSecretError extends CodedError<'cluster-secret'> {
  constructor(message: string) {
    super('cluster-secret', message);
  }
}

/**
 * Secrets of a file, one a line: the first signs, each is accepted.
 * @throws ClusterSecretError
 */
export function parseSecrets(text: string): string[] {
  const secrets = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const form = `allowed: one secret, or two in two lines, each of ${secretCharactersMin} to ${secretCharactersMax} characters`;
  if (secrets.length === 0) throw new ClusterSecretError(`there is no secret; ${form}`);
  if (secrets.length > secretsMax) throw new ClusterSecretError(`there are ${secrets.length} secrets; ${form}`);
  for (const [index, { length }] of secrets.entries())
    if (length < secretCharactersMin || length > secretCharactersMax)
      throw new ClusterSecretError(`the secret in line ${index + 1} has ${length} characters; ${form}`);
  return secrets;
}

/** Keys of one endpoint, one for each secret and subject. */
export class Signing {
  #secrets: readonly string[];
  readonly #keys = new Map<string, Buffer[]>();
  #sequence = 0;

  constructor(secrets: readonly string[]) {
    this.#secrets = secrets;
  }

  /** Takes other secrets from now on. Returns whether they are others. */
  replace(secrets: readonly string[]): boolean {
    if (secrets.join('\n') === this.#secrets.join('\n')) return false;
    this.#secrets = secrets;
    this.#keys.clear();
    return true;
  }

  /** Writes the trailer into the last bytes of a message, which were left free for it. */
  sign(subject: string, message: Buffer): void {
    const end = message.length - signatureBytes;
    const sequence = ++this.#sequence;
    message.writeUInt32BE(Math.floor(sequence / 0x1_0000_0000), end - sequenceBytes);
    message.writeUInt32BE(sequence >>> 0, end - sequenceBytes + 4);
    message.write(signature(this.#keysOf(subject)[0], message, end), end, signatureBytes, 'latin1');
  }

  /** True when the trailer is that of a holder of one of the secrets, for this subject. */
  isValid(subject: string, message: Buffer): boolean {
    const end = message.length - signatureBytes;
    if (end < sequenceBytes) return false;
    for (const key of this.#keysOf(subject)) if (isSame(signature(key, message, end), message, end)) return true;
    return false;
  }

  #keysOf(subject: string): readonly Buffer[] {
    let keys = this.#keys.get(subject);
    if (keys !== undefined) return keys;
    if (this.#keys.size >= signedSubjectsMax) this.#keys.clear();
    const purpose = `dunlin message on ${subject}`;
    keys = this.#secrets.map((secret) => Buffer.from(hkdfSync('sha256', secret, '', purpose, 32)));
    this.#keys.set(subject, keys);
    return keys;
  }
}

function signature(key: Buffer, message: Buffer, end: number): string {
  return createHmac('sha256', key).update(message.subarray(0, end)).digest('latin1');
}

/** Compares in a time that says nothing about where the two differ. */
function isSame(expected: string, message: Buffer, at: number): boolean {
  let difference = 0;
  for (let i = 0; i < signatureBytes; i++) difference |= expected.charCodeAt(i) ^ message[at + i];
  return difference === 0;
}

/** Sequence of a signed message. */
export function sequenceOf(message: Buffer): number {
  const at = message.length - trailerBytes;
  return message.readUInt32BE(at) * 0x1_0000_0000 + message.readUInt32BE(at + 4);
}
