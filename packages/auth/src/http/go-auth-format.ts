/**
 * The three posts of mosquitto-go-auth's backend `http` (iegomez/mosquitto-go-auth, backends/http.go), as forms or, as `http_params_mode` has it, as JSON:
 *
 * | asked | fields |
 * | --- | --- |
 * | who it is | `username`, `password`, `clientid` |
 * | may it do everything | `username` |
 * | may it do this | `username`, `clientid`, `topic`, `acc`: 1 read, 2 write, 4 subscribe |
 *
 * A status from 200 to 299 is yes, anything else below 500 no; with `answers: json` the body also has to say `{"ok": true}`, with `answers: text` to be `ok`.
 *
 * Mosquitto asks with `acc` 1 for each message that is delivered, Dunlin for none: a subscription therefore needs a yes to 4 and to 1.
 */
import type { Credentials } from '@dunlin/broker';
import type { HttpFormat, RightsQuestion, SignInAnswer } from './http-format.ts';
import { type BodyFormat, type HttpService, HttpServiceError } from './http-service.ts';

/** `http_response_mode` of mosquitto-go-auth. */
export type GoAuthAnswers = 'status' | 'json' | 'text';

const access = { read: 1, write: 2, subscribe: 4 } as const;

export interface GoAuthUrls {
  readonly signIn: string;
  /** Empty: nobody may do everything. */
  readonly superuser: string;
  readonly rights: string;
}

export class GoAuthFormat implements HttpFormat {
  readonly #service: HttpService;
  readonly #urls: GoAuthUrls;
  readonly #parameters: BodyFormat;
  readonly #answers: GoAuthAnswers;

  constructor(service: HttpService, urls: GoAuthUrls, parameters: BodyFormat, answers: GoAuthAnswers) {
    this.#service = service;
    this.#urls = urls;
    this.#parameters = parameters;
    this.#answers = answers;
  }

  async signIn({ clientId, userName, password }: Credentials): Promise<SignInAnswer> {
    const username = userName ?? '';
    const fields = { username, password: password?.toString('utf8') ?? '', clientid: clientId };
    if (!(await this.#isYes(this.#urls.signIn, fields))) return { kind: 'deny', reason: 'the service says no' };
    const isSuperuser = this.#urls.superuser !== '' && (await this.#isYes(this.#urls.superuser, { username }));
    return { kind: 'allow', isSuperuser, expiresAt: null, rules: null };
  }

  async rights({ clientId, userName, action, topic }: RightsQuestion): Promise<boolean> {
    const fields = { username: userName ?? '', clientid: clientId, topic };
    const may = (acc: number) => this.#isYes(this.#urls.rights, { ...fields, acc });
    if (action === 'publish') return may(access.write);
    return (await may(access.subscribe)) && may(access.read);
  }

  async #isYes(url: string, fields: Readonly<Record<string, string | number>>): Promise<boolean> {
    const { status, body } = await this.#service.ask(url, this.#parameters, fields);
    if (status < 200 || status >= 300) return false;
    if (this.#answers === 'status') return true;
    if (this.#answers === 'text') return body === 'ok';
    let answer: unknown;
    try {
      answer = JSON.parse(body);
    } catch (error) {
      throw new HttpServiceError('the answer is not JSON', error);
    }
    return typeof answer === 'object' && answer !== null && 'ok' in answer && answer.ok === true;
  }
}
