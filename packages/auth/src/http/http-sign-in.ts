import { createHmac, randomBytes } from 'node:crypto';
import type { Clock, Credentials } from '@dunlin/broker';
import { ExpiringMap } from '../expiring-map.ts';
import type { Turns } from '../fair/turns.ts';
import { cannotTell, type Decision, type Method, notMine, refuse } from '../method.ts';
import { addressOf } from '../rule.ts';
import { type HttpFormat, type SignInAnswer, superuserRules } from './http-format.ts';
import { HttpServiceError } from './http-service.ts';

/** Answers kept at the same time; the oldest goes first. */
const answersMax = 10_000;

/** The method `http`: a service is asked who a client is. A yes is kept for a while, so that a client that comes again does not wait for it. */
export class HttpSignIn implements Method {
  readonly name = 'http';
  readonly #format: HttpFormat;
  readonly #clock: Clock;
  readonly #keptMilliseconds: number;
  /** Key of this process alone: what is kept is worth nothing elsewhere. */
  readonly #key = randomBytes(32);
  readonly #answers: ExpiringMap<Decision>;
  readonly #turns: Turns;

  constructor(format: HttpFormat, turns: Turns, clock: Clock, keptSeconds: number) {
    this.#turns = turns;
    this.#format = format;
    this.#clock = clock;
    this.#keptMilliseconds = keptSeconds * 1000;
    this.#answers = new ExpiringMap(clock, answersMax);
  }

  async authenticate(credentials: Credentials): Promise<Decision> {
    const { userName, password } = credentials;
    if (userName === null && password === null) return notMine;
    const mark = this.#mark(credentials);
    const known = this.#answers.get(mark);
    if (known !== undefined) return known;
    return this.#turns.run(credentials, () => this.#ask(credentials, mark));
  }

  async #ask(credentials: Credentials, mark: string): Promise<Decision> {
    const known = this.#answers.get(mark);
    if (known !== undefined) return known;
    let answer: SignInAnswer;
    try {
      answer = await this.#format.signIn(credentials);
    } catch (error) {
      if (error instanceof HttpServiceError) return cannotTell(`the HTTP service: ${error.message}`);
      throw error;
    }
    return this.#decide(answer, credentials.userName, mark);
  }

  #decide(answer: SignInAnswer, userName: string | null, mark: string): Decision {
    if (answer.kind === 'ignore') return notMine;
    if (answer.kind === 'deny') return refuse(answer.reason);
    const { expiresAt, isSuperuser } = answer;
    if (expiresAt !== null && expiresAt <= this.#clock.now()) return refuse('what the service allows has expired');
    const rules = isSuperuser ? superuserRules : answer.rules;
    const decision: Decision = {
      kind: 'accept',
      userName: userName === '' ? null : userName,
      ...(expiresAt === null ? {} : { expiresAt }),
      ...(rules === null ? {} : { rules }),
    };
    const until = Math.min(expiresAt ?? Number.POSITIVE_INFINITY, this.#clock.now() + this.#keptMilliseconds);
    if (this.#keptMilliseconds > 0) this.#answers.set(mark, decision, until);
    return decision;
  }

  /** Stands for all that the service is told. */
  #mark({ clientId, userName, password, remoteAddress }: Credentials): string {
    const fields = [clientId, userName ?? '', addressOf(remoteAddress)];
    const hmac = createHmac('sha256', this.#key);
    for (const field of fields) hmac.update(`${Buffer.byteLength(field)} ${field}`);
    return hmac.update(password ?? '').digest('base64');
  }
}
