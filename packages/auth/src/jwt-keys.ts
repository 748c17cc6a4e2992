/**
 * Keys for verifying tokens, and the algorithms of each. The key decides on the algorithm, never the token: `none` is
 * no algorithm of any key, and a public key is never used as the secret of an HMAC.
 */
import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { AccessFileError, type SourceText } from './source-text.ts';

export interface VerificationKey {
  /** Null: good for tokens that name any key. */
  readonly id: string | null;
  readonly algorithms: readonly string[];
  readonly key: KeyObject;
}

/** Algorithms by kind of key. */
const algorithmsOf: Readonly<Record<string, readonly string[]>> = {
  rsa: ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  'rsa-pss': ['PS256', 'PS384', 'PS512'],
  'ec prime256v1': ['ES256'],
  'ec secp384r1': ['ES384'],
  'ec secp521r1': ['ES512'],
  ed25519: ['EdDSA', 'Ed25519'],
};
const secretAlgorithms = ['HS256', 'HS384', 'HS512'];

/** Length of the hash that the secret is used with (RFC 7518, section 3.2). */
const secretBytesMin = 32;
const rsaBitsMin = 2048;
/** Keys of one set: signers that rotate have two or three. */
const keysMax = 100;

/** A public key, or the reason why it cannot be used. */
function publicKey(key: KeyObject, id: string | null, onlyAlgorithm: string | null): VerificationKey | string {
  const details = key.asymmetricKeyDetails;
  const kind = key.asymmetricKeyType === 'ec' ? `ec ${details?.namedCurve}` : (key.asymmetricKeyType ?? '');
  const known = algorithmsOf[kind];
  if (known === undefined) return `a key of a kind that is not used for tokens (${kind})`;
  if (kind.startsWith('rsa') && (details?.modulusLength ?? 0) < rsaBitsMin)
    return `an RSA key of less than ${rsaBitsMin} bits`;
  const algorithms = onlyAlgorithm === null ? known : known.filter((algorithm) => algorithm === onlyAlgorithm);
  if (algorithms.length === 0) return `a key for the algorithm ${onlyAlgorithm}, which is none of its kind`;
  return { id, algorithms, key };
}

/**
 * Keys of a JWK or a JWK set. Keys for encryption are left out, and so are symmetric ones: everybody who can read a
 * secret could sign.
 * @returns the keys, and why others were left out
 */
export function readJwks(value: unknown): { keys: VerificationKey[]; leftOut: string[] } {
  const list = (value as { keys?: unknown } | null)?.keys ?? [value];
  const keys: VerificationKey[] = [];
  const leftOut: string[] = [];
  if (!Array.isArray(list)) return { keys, leftOut: ['"keys" is not a list'] };
  for (const jwk of list.slice(0, keysMax) as Record<string, unknown>[]) {
    const read = readJwk(jwk);
    if (typeof read === 'string') leftOut.push(read);
    else keys.push(read);
  }
  return { keys, leftOut };
}

function readJwk(jwk: Record<string, unknown> | null): VerificationKey | string {
  if (typeof jwk !== 'object' || jwk === null || typeof jwk.kty !== 'string') return 'no JWK';
  if (jwk.kty === 'oct') return 'a secret among public keys';
  if (jwk.use !== undefined && jwk.use !== 'sig') return 'a key that is not for signatures';
  const id = typeof jwk.kid === 'string' ? jwk.kid : null;
  try {
    const { d: _private, ...open } = jwk;
    const key = createPublicKey({ key: open as never, format: 'jwk' });
    return publicKey(key, id, typeof jwk.alg === 'string' ? jwk.alg : null);
  } catch (error) {
    return `a JWK that cannot be read: ${(error as Error).message}`;
  }
}

const pemPattern = /-----BEGIN ([A-Z ]+)-----[\s\S]+?-----END \1-----/g;

/** @throws AccessFileError */
export function parseKeyFile({ name, text }: SourceText): VerificationKey[] {
  const fail = (what: string): never => {
    throw new AccessFileError(`${name}:1:1: ${what}; allowed are public keys as PEM, a JWK or a JWK set`);
  };
  const blocks = [...text.matchAll(pemPattern)];
  if (blocks.length > 0) {
    return blocks.slice(0, keysMax).map(([pem, label]) => {
      if (label.includes('PRIVATE')) return fail('a private key, which belongs to who signs');
      const key = publicKey(readPem(pem, fail), null, null);
      return typeof key === 'string' ? fail(key) : key;
    });
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    return fail(`neither PEM nor JSON (${(cause as Error).message})`);
  }
  const { keys, leftOut } = readJwks(json);
  if (leftOut.length > 0) return fail(leftOut[0]);
  return keys.length === 0 ? fail('no key') : keys;
}

function readPem(pem: string, fail: (what: string) => never): KeyObject {
  try {
    return createPublicKey(pem);
  } catch (cause) {
    return fail(`a PEM block that holds no public key (${(cause as Error).message})`);
  }
}

/** @throws AccessFileError */
export function parseSecretFile({ name, text }: SourceText): VerificationKey {
  const secret = Buffer.from(text.replace(/\r?\n$/, ''));
  if (secret.length < secretBytesMin)
    throw new AccessFileError(`${name}:1:1: a secret of ${secret.length} bytes; at least ${secretBytesMin} are needed`);
  return { id: null, algorithms: secretAlgorithms, key: createSecretKey(secret) };
}
