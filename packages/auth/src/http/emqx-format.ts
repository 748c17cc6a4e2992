/**
 * The JSON of EMQX's HTTP authenticator and authorizer (EMQX 5.8 and later, "Use HTTP Service"):
 *
 * | asked | answer, status 200 |
 * | --- | --- |
 * | `clientid`, `username`, `password`, `peerhost` | `{"result": "allow" \| "deny" \| "ignore", "is_superuser": …, "expire_at": seconds since 1970, "acl": […]}` |
 * | `clientid`, `username`, `peerhost`, `action`, `topic`, `qos`, `retain` | `{"result": "allow" \| "deny" \| "ignore"}` |
 *
 * Status 204 is `allow`; 400 to 499 is `ignore`, as there. What EMQX takes for `ignore` as well, a service that is broken, is no answer here.
 *
 * Rules in `acl` have `permission`, `action`, `topic` or `topics`, and perhaps `qos`, `retain` and `ipaddr`; `${clientid}` and `${username}` are filled in. A rule with another placeholder
 * or another condition (`clientid_re`, `username_re`, `zone`, `listener` …) makes the answer unusable: a rule that is not understood must not be left out. Of `client_attrs` and other fields of
 * the answer nothing is used.
 */
import type { Credentials } from '@dunlin/broker';
import { addressOf, type Rule } from '../rule.ts';
import { readRules } from '../rules/read-rules.ts';
import type { HttpFormat, RightsQuestion, SignInAnswer } from './http-format.ts';
import { type HttpService, HttpServiceError } from './http-service.ts';

const results = ['allow', 'deny', 'ignore'] as const;
type Result = (typeof results)[number];

const ruleKeys = ['permission', 'action', 'topic', 'topics', 'qos', 'retain', 'ipaddr'];
/** Short names of actions that are taken there as well. */
const actionAliases: Readonly<Record<string, string>> = { pub: 'publish', sub: 'subscribe' };
/** The year 3000: what is later is no number of seconds but of milliseconds, which would never be over. */
const secondsMax = 32_503_680_000;
/** Prefix of a topic that is a filter to the letter, not a pattern. */
const exactPrefix = 'eq ';

export interface EmqxUrls {
  readonly signIn: string;
  readonly rights: string;
}

export class EmqxFormat implements HttpFormat {
  readonly #service: HttpService;
  readonly #urls: EmqxUrls;

  constructor(service: HttpService, urls: EmqxUrls) {
    this.#service = service;
    this.#urls = urls;
  }

  async signIn({ clientId, userName, password, remoteAddress }: Credentials): Promise<SignInAnswer> {
    const answer = await this.#ask(this.#urls.signIn, {
      clientid: clientId,
      username: userName ?? '',
      password: password?.toString('utf8') ?? '',
      peerhost: addressOf(remoteAddress),
    });
    if (answer.result === 'ignore') return { kind: 'ignore' };
    if (answer.result === 'deny') return { kind: 'deny', reason: 'the service says deny' };
    const { is_superuser: isSuperuser, expire_at: expireAt, acl } = answer;
    if (expireAt !== undefined && (!Number.isSafeInteger(expireAt) || (expireAt as number) > secondsMax))
      throw new HttpServiceError(`expire_at: given ${JSON.stringify(expireAt)}, allowed: seconds since 1970`);
    return {
      kind: 'allow',
      isSuperuser: isSuperuser === true,
      expiresAt: expireAt === undefined ? null : (expireAt as number) * 1000,
      rules: acl === undefined ? null : emqxRules(acl),
    };
  }

  async rights(question: RightsQuestion): Promise<boolean | null> {
    const { clientId, userName, remoteAddress, action, topic, qos, retain } = question;
    const { result } = await this.#ask(this.#urls.rights, {
      clientid: clientId,
      username: userName ?? '',
      peerhost: addressOf(remoteAddress),
      ...{ action, topic, qos, retain },
    });
    return result === 'ignore' ? null : result === 'allow';
  }

  async #ask(
    url: string,
    fields: Readonly<Record<string, string | number | boolean>>,
  ): Promise<{ result: Result; [key: string]: unknown }> {
    const { status, body } = await this.#service.ask(url, 'json', fields);
    if (status === 204) return { result: 'allow' };
    if (status !== 200) return { result: 'ignore' };
    let answer: unknown;
    try {
      answer = JSON.parse(body);
    } catch (error) {
      throw new HttpServiceError('the answer is not JSON', error);
    }
    const result = typeof answer === 'object' && answer !== null && 'result' in answer ? answer.result : undefined;
    const known = results.find((candidate) => candidate === result);
    if (known === undefined) throw new HttpServiceError(`the answer has no result of ${results.join(', ')}`);
    return { ...(answer as object), result: known };
  }
}

/** @throws HttpServiceError */
export function emqxRules(acl: unknown): Rule[] {
  if (!Array.isArray(acl)) throw new HttpServiceError('acl is not a list of rules');
  return acl.flatMap((item, index) => emqxRule(item, `acl[${index}]`));
}

/** Topics that are filters to the letter are a rule of their own. */
function emqxRule(item: unknown, where: string): Rule[] {
  const fail = (what: string): never => {
    throw new HttpServiceError(`${where}: ${what}`);
  };
  if (typeof item !== 'object' || item === null) return fail('a rule is an object');
  const unknown = Object.keys(item).find((key) => !ruleKeys.includes(key));
  if (unknown !== undefined) fail(`${unknown} is not supported; there are ${ruleKeys.join(', ')}`);
  const { permission, action, topic, topics = [topic], qos, retain, ipaddr } = item as Record<string, unknown>;
  if (permission !== 'allow' && permission !== 'deny') return fail('permission is allow or deny');
  if (!Array.isArray(topics) || topics.some((one) => typeof one !== 'string')) return fail('topic is a text');
  const rule = {
    [permission]: actionAliases[String(action)] ?? action,
    anonymous: permission === 'allow',
    ...(qos === undefined ? {} : { qos }),
    // There it says something of publishing alone, and may stand beside `subscribe`.
    ...(retain === undefined || retain === 'all' || action === 'subscribe' || action === 'sub' ? {} : { retain }),
    ...(ipaddr === undefined ? {} : { address: ipaddr }),
  };
  const read = (given: readonly string[]): Rule[] =>
    given.length === 0
      ? []
      : readRules([{ ...rule, topics: given.map((one) => withMarks(one, fail)) }], (path, what) =>
          fail(`${path.slice(1).join('.')}: ${what}`),
        );
  const exact = topics.filter((one) => one.startsWith(exactPrefix)).map((one) => one.slice(exactPrefix.length));
  return [
    ...read(topics.filter((one) => !one.startsWith(exactPrefix))),
    ...read(exact).map((one) => ({ ...one, isExact: true })),
  ];
}

/** A name as it stands in a topic there. */
function placeholder(name: string): string {
  return `\${${name}}`;
}

/** A topic with EMQX's placeholders for the client identifier and the user name as `%c` and `%u`. */
function withMarks(topic: string, fail: (what: string) => never): string {
  if (/%[cu]/.test(topic)) return fail('a topic with %c or %u to the letter is not supported');
  const marked = topic.replaceAll(placeholder('clientid'), '%c').replaceAll(placeholder('username'), '%u');
  if (!marked.includes(placeholder('').slice(0, 2))) return marked;
  return fail(`of placeholders there are ${placeholder('clientid')} and ${placeholder('username')}`);
}
