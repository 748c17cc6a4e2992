import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { AuthenticationExchange, AuthenticationResult, Credentials } from '@dunlin/broker';
import { type ClientFirst, readClientFinal, readClientFirst } from './scram-messages.ts';
import { hmac, keyBytes, type ScramVerifier, sha256 } from './scram-verifier.ts';

const notAuthorized = 0x87;
const nonceBytes = 18;

/** Finds what is kept of a user's password; for a user who is not there, something that looks the same and that no proof fits. */
export interface ScramUsers {
  find(userName: string): { readonly verifier: ScramVerifier; readonly isKnown: boolean };
}

/**
 * One conversation of SCRAM-SHA-256 (RFC 5802, RFC 7677) in AUTH packets of MQTT 5:
 *
 * ```
 *   CONNECT, or AUTH 0x19    n,,n=NAME,r=NONCE               ──>
 *                                                            <──  AUTH 0x18   r=NONCE+OURS,s=SALT,i=ITERATIONS
 *   AUTH 0x18                c=biws,r=NONCE+OURS,p=PROOF     ──>
 *                                                            <──  CONNACK, or AUTH 0   v=SIGNATURE
 * ```
 *
 * The password never travels, and the server proves that it knew the verifier. Nothing tells a wrong proof from an unknown user.
 */
export class ScramExchange implements AuthenticationExchange {
  readonly #users: ScramUsers;
  readonly #credentials: Credentials;
  readonly #ownNonce: string;
  #first: ClientFirst | null = null;
  #serverFirst = '';
  #user: ReturnType<ScramUsers['find']> | null = null;

  /** `ownNonce`: characters from 0x21 to 0x7e without a comma; random unless a test gives it. */
  constructor(users: ScramUsers, credentials: Credentials, ownNonce = randomBytes(nonceBytes).toString('base64')) {
    this.#users = users;
    this.#credentials = credentials;
    this.#ownNonce = ownNonce;
  }

  get claimedName(): string | null {
    return this.#first?.userName ?? null;
  }

  async step(data: Buffer): Promise<AuthenticationResult> {
    return this.#user === null ? this.#begin(data) : this.#end(data, this.#user);
  }

  #begin(data: Buffer): AuthenticationResult {
    const first = readClientFirst(data);
    if (typeof first === 'string') return this.#refuse(first);
    const { userName } = this.#credentials;
    if (userName !== null && userName !== first.userName)
      return this.#refuse('the name in SCRAM is not the user name of the connection');
    this.#first = first;
    this.#user = this.#users.find(first.userName);
    const { salt, iterations } = this.#user.verifier;
    this.#serverFirst = `r=${first.nonce}${this.#ownNonce},s=${salt.toString('base64')},i=${iterations}`;
    return { kind: 'continue', data: Buffer.from(this.#serverFirst) };
  }

  #end(data: Buffer, { verifier, isKnown }: ReturnType<ScramUsers['find']>): AuthenticationResult {
    const { header, userName, nonce, bare } = this.#first as ClientFirst;
    const final = readClientFinal(data);
    if (typeof final === 'string') return this.#refuse(final);
    if (final.nonce !== `${nonce}${this.#ownNonce}`) return this.#refuse('the nonce is not that of this exchange');
    if (final.channelBinding !== Buffer.from(header).toString('base64'))
      return this.#refuse('the channel binding is not that of the first message');
    const authMessage = `${bare},${this.#serverFirst},${final.withoutProof}`;
    const isRight = fits(final.proof, authMessage, verifier);
    if (!isRight || !isKnown) return this.#refuse(isKnown ? 'wrong proof' : 'no such user');
    const signature = hmac(verifier.serverKey, authMessage).toString('base64');
    return { kind: 'accept', userName, data: Buffer.from(`v=${signature}`) };
  }

  /** The log gets a reason that the client is not told. */
  #refuse(reason: string): AuthenticationResult {
    const user = this.#first?.userName ?? this.#credentials.userName ?? '';
    const told = { user, method: 'SCRAM-SHA-256', reason };
    return { kind: 'refuse', reasonCode: notAuthorized, reason: 'not authorized', told };
  }
}

/** A proof is the client's key, hidden by a signature that only the stored key can make. */
function fits(proof: Buffer, authMessage: string, { storedKey }: ScramVerifier): boolean {
  if (proof.length !== keyBytes) return false;
  const signature = hmac(storedKey, authMessage);
  const clientKey = proof.map((byte, index) => byte ^ signature[index]);
  return timingSafeEqual(sha256(Buffer.from(clientKey)), storedKey);
}
