import type { Authorizer, ClientIdentity, Clock } from '@dunlin/broker';
import type { RulesAuthorizer } from '../rules-authorizer.ts';
import type { HttpFormat, RightsQuestion } from './http-format.ts';
import { HttpServiceError } from './http-service.ts';

/** Answers kept for one client; then all are forgotten. */
const answersMax = 256;
/** Characters of their topics; longer topics than this are asked for each time. */
const answersLengthMax = 16 * 1024;

interface KnownAnswer {
  readonly isAllowed: boolean;
  readonly until: number;
}

/** Answers kept for one client. */
class KnownAnswers {
  readonly byQuestion = new Map<string, KnownAnswer>();
  #length = 0;

  set(question: string, answer: KnownAnswer): void {
    if (question.length > answersLengthMax) return;
    if (!this.byQuestion.has(question)) {
      if (this.byQuestion.size >= answersMax || this.#length + question.length > answersLengthMax) {
        this.byQuestion.clear();
        this.#length = 0;
      }
      this.#length += question.length;
    }
    this.byQuestion.set(question, answer);
  }
}

/**
 * The authorizer that asks an HTTP service where no rule decides: rules that came with the client, then those of the file, then the service. Its answers are kept for a
 * while; no answer means no, and is not kept.
 */
export class HttpAuthorizer implements Authorizer {
  readonly answersExpire = true;
  readonly #rules: RulesAuthorizer;
  readonly #format: HttpFormat;
  readonly #clock: Clock;
  readonly #keptMilliseconds: number;
  readonly #answers = new WeakMap<ClientIdentity, KnownAnswers>();

  constructor(rules: RulesAuthorizer, format: HttpFormat, clock: Clock, keptSeconds: number) {
    this.#rules = rules;
    this.#format = format;
    this.#clock = clock;
    this.#keptMilliseconds = keptSeconds * 1000;
  }

  /** The service says who may connect when the client signs in; here the rules do. */
  mayConnect(client: ClientIdentity): boolean {
    return this.#rules.mayConnect(client);
  }

  authorize(
    client: ClientIdentity,
    action: 'publish' | 'subscribe',
    topic: string,
    qos: 0 | 1 | 2,
    retain: boolean,
    group?: string,
  ): boolean | Promise<boolean> {
    const decided = this.#rules.decide(client, action, topic, qos, retain, group);
    if (decided !== null) return decided;
    const key = `${action}${qos}${retain}${topic}`;
    const known = this.#answers.get(client)?.byQuestion.get(key);
    if (known !== undefined && known.until > this.#clock.now()) return known.isAllowed;
    const { clientId, userName, remoteAddress } = client;
    return this.#ask(client, key, { clientId, userName, remoteAddress, action, topic, qos, retain });
  }

  async #ask(client: ClientIdentity, key: string, question: RightsQuestion): Promise<boolean> {
    let isAllowed: boolean;
    try {
      isAllowed = (await this.#format.rights(question)) ?? false;
    } catch (error) {
      if (error instanceof HttpServiceError) return false;
      throw error;
    }
    if (this.#keptMilliseconds > 0) this.#keep(client, key, isAllowed);
    return isAllowed;
  }

  #keep(client: ClientIdentity, key: string, isAllowed: boolean): void {
    let answers = this.#answers.get(client);
    if (answers === undefined) {
      answers = new KnownAnswers();
      this.#answers.set(client, answers);
    }
    answers.set(key, { isAllowed, until: this.#clock.now() + this.#keptMilliseconds });
  }
}
