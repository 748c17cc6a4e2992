/**
 * An operator, an account and a user for a nats-server that trusts signed claims: what its `nsc` tool makes, in memory, for tests.
 * Keys are Ed25519. A key is written as prefix byte, 32 bytes and a CRC-16 in base32; claims are JSON Web Tokens of type `ed25519-nkey`.
 */
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

/** First bytes of the written form, chosen by NATS so that the first letter tells the kind: O, A, U, and SU for a user's seed. */
const prefixes = { operator: 14 << 3, account: 0, user: 20 << 3, seed: 18 << 3 } as const;

const base32Letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

function base32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xffff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += base32Letters[(value >>> bits) & 31];
    }
  }
  return bits > 0 ? text + base32Letters[(value << (5 - bits)) & 31] : text;
}

/** CRC-16/XMODEM: polynomial 0x1021, start value 0. */
function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = ((crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021) & 0xffff;
  }
  return crc;
}

function written(prefix: readonly number[], key: Uint8Array): string {
  const bytes = Buffer.concat([Buffer.from(prefix), key]);
  const crc = Buffer.alloc(2);
  crc.writeUInt16LE(crc16(bytes));
  return base32(Buffer.concat([bytes, crc]));
}

class Identity {
  readonly name: string;
  readonly publicKey: string;
  readonly #kind: 'operator' | 'account' | 'user';
  readonly #privateKey: KeyObject;

  constructor(kind: 'operator' | 'account' | 'user') {
    const pair = generateKeyPairSync('ed25519');
    this.name = `test-${kind}`;
    this.#kind = kind;
    this.#privateKey = pair.privateKey;
    this.publicKey = written(
      [prefixes[kind]],
      Buffer.from(pair.publicKey.export({ format: 'jwk' }).x ?? '', 'base64url'),
    );
  }

  get seed(): string {
    const prefix = prefixes[this.#kind];
    const seed = Buffer.from(this.#privateKey.export({ format: 'jwk' }).d ?? '', 'base64url');
    return written([prefixes.seed | (prefix >> 5), (prefix & 31) << 3], seed);
  }

  /** Claims about `subject`, signed by this identity. */
  signed(subject: Identity): string {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = {
      iat: Math.floor(Date.now() / 1000),
      iss: this.publicKey,
      name: subject.name,
      sub: subject.publicKey,
      nats: { type: subject.#kind, version: 2, ...details[subject.#kind] },
    };
    const id = createHash('sha256').update(JSON.stringify(claims)).digest();
    const text = `${part({ typ: 'JWT', alg: 'ed25519-nkey' })}.${part({ ...claims, jti: base32(id) })}`;
    return `${text}.${sign(null, Buffer.from(text), this.#privateKey).toString('base64url')}`;
  }
}

/** Limits without which 0 would count: nothing allowed. */
const details = {
  operator: {},
  account: {
    limits: { subs: -1, data: -1, payload: -1, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 },
  },
  user: { subs: -1, data: -1, payload: -1, pub: {}, sub: {} },
} as const;

/** The text of a credentials file, and the lines with which a server takes it and nothing else. */
export function makeNatsCredentials(): { credentials: string; configuration: string[] } {
  const [operator, account, user] = [new Identity('operator'), new Identity('account'), new Identity('user')];
  const block = (title: string, text: string) => `-----BEGIN ${title}-----\n${text}\n------END ${title}------\n\n`;
  return {
    credentials: block('NATS USER JWT', account.signed(user)) + block('USER NKEY SEED', user.seed),
    configuration: [
      `operator: ${operator.signed(operator)}`,
      'resolver: MEMORY',
      `resolver_preload: { ${account.publicKey}: ${operator.signed(account)} }`,
    ],
  };
}
