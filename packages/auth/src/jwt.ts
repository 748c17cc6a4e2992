/** JSON Web Tokens, as the password or as the user name of CONNECT. */
import type { Clock, Credentials } from '@dunlin/broker';
import { decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from 'jose';
import type { Attempts } from './fair/attempts.ts';
import { Turns } from './fair/turns.ts';
import type { Jwks } from './jwks.ts';
import type { VerificationKey } from './jwt-keys.ts';
import { rulesOfClaim } from './jwt-rules.ts';
import { cannotTell, type Decision, type Method, notMine, refuse } from './method.ts';
import { AccessFileError } from './source-text.ts';

/** Longer ones are refused unread: a CONNECT has room for more, a token needs none of it. */
const tokenBytesMax = 16 * 1024;
/** Signatures checked at the same time: the threads that do it also read files and look up names. */
const checksMax = 4;
/** Keys that are tried for one token: a token that names its key needs one. */
const triesMax = 8;
const tokenPattern = /^[\w-]+\.[\w-]+\.[\w-]*$/;

export interface JwtOptions {
  readonly field: 'password' | 'user-name';
  /** Empty: any. */
  readonly issuer: string;
  readonly audience: string;
  readonly leewaySeconds: number;
  /** Longest time until the token ends; 0: any. */
  readonly lifetimeMaxSeconds: number;
  /** The claim with the name that the client is known by. */
  readonly userNameClaim: string;
  /** The claim with the rules for the client; empty: none. */
  readonly rulesClaim: string;
  /** Required values of claims, by name; `%c` and `%u` stand for the client identifier and the user name of CONNECT. */
  readonly claims: ReadonlyMap<string, string>;
}

export class Jwt implements Method {
  readonly name = 'jwt';
  readonly #options: JwtOptions;
  readonly #clock: Clock;
  readonly #jwks: Jwks | null;
  readonly #turns: Turns;
  #keys: readonly VerificationKey[];

  /** `keys`: from files. */
  constructor(
    options: JwtOptions,
    keys: readonly VerificationKey[],
    jwks: Jwks | null,
    attempts: Attempts,
    clock: Clock,
  ) {
    this.#turns = new Turns(checksMax, attempts);
    this.#options = options;
    this.#keys = keys;
    this.#jwks = jwks;
    this.#clock = clock;
  }

  /** Replaces the keys, from the next CONNECT on. */
  replace(keys: readonly VerificationKey[]): void {
    this.#keys = keys;
  }

  async authenticate(credentials: Credentials): Promise<Decision> {
    const token =
      this.#options.field === 'password' ? (credentials.password?.toString('latin1') ?? '') : credentials.userName;
    if (token === null || !tokenPattern.test(token)) return notMine;
    if (token.length > tokenBytesMax) return refuse('the token is too long');
    const header = readHeader(token);
    if (header === null) return notMine;
    const fits = fitting(header);
    let keys: readonly VerificationKey[] = this.#keys.filter(fits);
    if (keys.length === 0 && this.#jwks !== null) {
      const fetched = await this.#jwks.keys((known) => known.some(fits));
      if (fetched === null) return cannotTell('the keys for tokens cannot be fetched');
      keys = fetched.filter(fits);
    }
    if (keys.length === 0) return refuse(`no key for a token of ${header.alg}, kid ${header.kid ?? 'none'}`);
    return this.#turns.run(credentials, () => this.#verify(token, header.alg, keys, credentials));
  }

  async #verify(
    token: string,
    algorithm: string,
    keys: readonly VerificationKey[],
    credentials: Credentials,
  ): Promise<Decision> {
    const { issuer, audience, leewaySeconds } = this.#options;
    let reason = '';
    for (const { key } of keys.slice(0, triesMax)) {
      try {
        const { payload } = await jwtVerify(token, key, {
          algorithms: [algorithm],
          clockTolerance: leewaySeconds,
          currentDate: new Date(this.#clock.now()),
          requiredClaims: ['exp'],
          ...(issuer === '' ? {} : { issuer }),
          ...(audience === '' ? {} : { audience }),
        });
        return this.#accept(payload, credentials);
      } catch (error) {
        if (!(error instanceof errors.JOSEError)) throw error;
        reason = error.message;
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) break;
      }
    }
    return refuse(reason);
  }

  #accept(payload: JWTPayload, { clientId, userName }: Credentials): Decision {
    const { claims, userNameClaim, rulesClaim, leewaySeconds, lifetimeMaxSeconds } = this.#options;
    const left = (payload.exp as number) - Math.floor(this.#clock.now() / 1000);
    if (lifetimeMaxSeconds > 0 && left > lifetimeMaxSeconds + leewaySeconds)
      return refuse(`the token ends in ${left} s; jwt.lifetimeMaxSeconds allows ${lifetimeMaxSeconds}`);
    for (const [name, template] of claims) {
      const wanted = template.replace(/%[cu]/g, (mark) => (mark === '%c' ? clientId : (userName ?? '')));
      if (wanted === '' || payload[name] !== wanted) return refuse(`the claim ${name} is not "${wanted}"`);
    }
    const name = payload[userNameClaim];
    if (typeof name !== 'string' || name === '') return refuse(`the token has no claim ${userNameClaim}`);
    const expiresAt = ((payload.exp as number) + leewaySeconds) * 1000;
    const claim = rulesClaim === '' ? undefined : payload[rulesClaim];
    if (claim === undefined) return { kind: 'accept', userName: name, expiresAt };
    try {
      return { kind: 'accept', userName: name, expiresAt, rules: rulesOfClaim(claim) };
    } catch (error) {
      if (error instanceof AccessFileError) return refuse(`the claim ${rulesClaim}: ${error.message}`);
      throw error;
    }
  }
}

interface Header {
  alg: string;
  kid: string | undefined;
}

/** Null: it only looks like a token. */
function readHeader(token: string): Header | null {
  try {
    const { alg, kid } = decodeProtectedHeader(token);
    return typeof alg === 'string' ? { alg, kid } : null;
  } catch {
    // Three words with dots between them, perhaps a password.
    return null;
  }
}

function fitting({ alg, kid }: Header): (key: VerificationKey) => boolean {
  return ({ id, algorithms }) => algorithms.includes(alg) && (kid === undefined || id === null || id === kid);
}
