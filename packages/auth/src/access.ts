/**
 * Authentication and authorization of one worker, put together from the configuration and replaced in place when files
 * change.
 */
import type { Authenticator, Authorizer, Clock, Logger } from '@dunlin/broker';
import type { SignInMemory } from '@dunlin/broker/guards';
import type { HttpFigures } from '@dunlin/broker/ports';
import { type AccessPolicy, Chain } from './chain.ts';
import { type CertificateName, ClientCertificateName } from './client-certificate.ts';
import { Attempts } from './fair/attempts.ts';
import { HttpAccess, type HttpAccessOptions } from './http/http-access.ts';
import { type HttpTexts, parseHeadersFile } from './http/http-service.ts';
import { Jwks } from './jwks.ts';
import { Jwt, type JwtOptions } from './jwt.ts';
import { parseKeyFile, parseSecretFile, type VerificationKey } from './jwt-keys.ts';
import type { Method, MethodName } from './method.ts';
import { PasswordFile, parsePasswordFile, type Users } from './password-file.ts';
import type { RedisCalls } from './redis-calls.ts';
import { RedisToken } from './redis-token.ts';
import { type RuleList, readRuleList, ruleSetInTurns, ruleSetOf } from './rules/rule-list.ts';
import { RulesAuthorizer } from './rules-authorizer.ts';
import { readSource, type SourceText } from './source-text.ts';
import { TokenRecords } from './token-records.ts';

/** Paths of the files; an empty one means that there is no such file. */
export interface AccessPaths {
  readonly passwords: string;
  readonly rules: string;
  readonly jwtKeys: string;
  readonly jwtSecret: string;
  readonly httpHeaders: string;
  readonly httpAuthorities: string;
}

/** Texts of the files, and the rules as they were read already. */
export interface AccessTexts extends Readonly<Record<Exclude<keyof AccessPaths, 'rules'>, SourceText | null>> {
  readonly rules: RuleList | null;
}

interface Parsed {
  users: Users;
  keys: VerificationKey[];
  http: HttpTexts;
}

/**
 * Reads the files and checks them whole. Rejects with AccessFileError.
 */
export async function readAccessTexts(paths: AccessPaths): Promise<AccessTexts> {
  const read = (path: string): SourceText | null => (path === '' ? null : readSource(path));
  const rules = read(paths.rules);
  const texts = {
    passwords: read(paths.passwords),
    rules: rules === null ? null : await readRuleList(rules),
    jwtKeys: read(paths.jwtKeys),
    jwtSecret: read(paths.jwtSecret),
    httpHeaders: read(paths.httpHeaders),
    httpAuthorities: read(paths.httpAuthorities),
  };
  parse(texts, false);
  return texts;
}

/** `isChecked`: what takes long was checked before. */
function parse(texts: AccessTexts, isChecked: boolean): Parsed {
  const { passwords, jwtKeys, jwtSecret, httpHeaders, httpAuthorities } = texts;
  return {
    users: passwords === null ? new Map() : parsePasswordFile(passwords, isChecked),
    keys: [
      ...(jwtSecret === null ? [] : [parseSecretFile(jwtSecret)]),
      ...(jwtKeys === null ? [] : parseKeyFile(jwtKeys)),
    ],
    http: {
      headers: httpHeaders === null ? {} : parseHeadersFile(httpHeaders),
      authorities: httpAuthorities?.text ?? null,
    },
  };
}

export interface AccessOptions {
  /** Rules of entry by the name of the listener. */
  readonly listeners: ReadonlyMap<string, { methods: readonly MethodName[]; allowAnonymous: boolean }>;
  readonly hashesAtOnce: number;
  /** Absent: this worker is alone. */
  readonly attempts?: SignInMemory;
  readonly certificateName: CertificateName;
  readonly jwt: JwtOptions & { readonly jwksUrl: string };
  /** Null: device tokens are not used. */
  readonly tokens: { readonly redis: RedisCalls; readonly prefix: string } | null;
  /** Null: no HTTP service is asked. */
  readonly http: HttpAccessOptions | null;
  /** Absent: its questions are counted for nobody. */
  readonly httpFigures?: HttpFigures;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class Access {
  readonly authenticator: Authenticator;
  /** Null: nothing restricts what clients may do. */
  readonly authorizer: Authorizer | null;
  readonly #passwords: PasswordFile;
  readonly #jwt: Jwt;
  readonly #jwks: Jwks | null;
  readonly #tokens: RedisToken | null;
  readonly #http: HttpAccess | null;
  readonly #rules: RulesAuthorizer;
  #replacements = 0;

  /** @throws AccessFileError */
  constructor(options: AccessOptions, texts: AccessTexts) {
    const { clock, logger, jwt, tokens } = options;
    const { users, keys, http } = parse(texts, true);
    const rules = texts.rules === null ? null : ruleSetOf(texts.rules);
    const attempts = new Attempts(clock, options.attempts);
    this.#passwords = new PasswordFile(users, clock, options.hashesAtOnce, attempts);
    this.#jwks = jwt.jwksUrl === '' ? null : new Jwks(jwt.jwksUrl, clock, logger);
    this.#jwt = new Jwt(jwt, keys, this.#jwks, attempts, clock);
    this.#tokens =
      tokens === null ? null : new RedisToken(new TokenRecords(tokens.redis, tokens.prefix), attempts, clock, logger);
    this.#rules = new RulesAuthorizer(rules);
    const names = new Set([...options.listeners.values()].flatMap(({ methods }) => methods));
    this.#http =
      options.http === null
        ? null
        : new HttpAccess(options.http, http, this.#rules, attempts, clock, logger, options.httpFigures);
    const clientsBringRules =
      (names.has('jwt') && jwt.rulesClaim !== '') || names.has('http') || names.has('redis-token');
    const own = rules === null && !clientsBringRules ? null : this.#rules;
    this.authorizer = this.#http?.authorizer ?? own;
    this.authenticator = new Chain(this.#policies(options), attempts);
  }

  #policies({ listeners, certificateName }: AccessOptions): Map<string, AccessPolicy> {
    const methods: Partial<Record<MethodName, Method>> = {
      'client-certificate': new ClientCertificateName(certificateName),
      jwt: this.#jwt,
      'password-file': this.#passwords,
      ...(this.#tokens === null ? {} : { 'redis-token': this.#tokens }),
      ...(this.#http === null ? {} : { http: this.#http.method }),
    };
    return new Map(
      [...listeners].map(([name, { methods: names, allowAnonymous }]) => {
        const chosen = names.map((method) => methods[method] as Method);
        return [name, { methods: chosen, allowAnonymous }];
      }),
    );
  }

  /** Begins to look after what lives elsewhere: revoked tokens, keys at an address. */
  start(): void {
    this.#tokens?.start();
    void this.#jwks?.refresh();
  }

  stop(): void {
    this.#tokens?.stop();
    this.#http?.close();
  }

  /**
   * Takes over files that have changed, all at once, after some turns of the event loop where there are many rules. The broker must be told: `Broker.rulesChanged`.
   * Rejects with AccessFileError, and then everything stays as it was.
   * @returns false: newer ones came meanwhile, and count
   */
  async replace(texts: AccessTexts): Promise<boolean> {
    const turn = ++this.#replacements;
    const rules = texts.rules === null ? null : await ruleSetInTurns(texts.rules);
    if (turn !== this.#replacements) return false;
    const { users, keys, http } = parse(texts, true);
    this.#passwords.replace(users);
    this.#jwt.replace(keys);
    this.#rules.replace(rules);
    this.#http?.replace(http);
    return true;
  }
}
