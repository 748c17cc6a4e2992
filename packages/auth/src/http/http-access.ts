import type { Authorizer, Clock, Logger } from '@dunlin/broker';
import { newHttpFigures } from '@dunlin/broker/ports';
import type { Attempts } from '../fair/attempts.ts';
import { Turns } from '../fair/turns.ts';
import type { RulesAuthorizer } from '../rules-authorizer.ts';
import { EmqxFormat } from './emqx-format.ts';
import { type GoAuthAnswers, GoAuthFormat } from './go-auth-format.ts';
import { HttpAuthorizer } from './http-authorizer.ts';
import type { HttpFormat } from './http-format.ts';
import { type BodyFormat, HttpService, type HttpServiceOptions, type HttpTexts } from './http-service.ts';
import { HttpSignIn } from './http-sign-in.ts';

/** Settings under `httpAuth`; an empty URL: the service is not asked that. */
export interface HttpAccessOptions extends HttpServiceOptions {
  readonly format: 'emqx' | 'go-auth';
  readonly signInUrl: string;
  readonly rightsUrl: string;
  readonly superuserUrl: string;
  readonly parameters: BodyFormat;
  readonly answers: GoAuthAnswers;
  readonly cacheSeconds: number;
}

/** Answers of an HTTP service about clients, for one worker: who they are, and what they may do. */
export class HttpAccess {
  readonly method: HttpSignIn;
  /** Null: rights are the rules' alone. */
  readonly authorizer: Authorizer | null;
  readonly #services: readonly HttpService[];

  constructor(
    options: HttpAccessOptions,
    texts: HttpTexts,
    rules: RulesAuthorizer,
    attempts: Attempts,
    clock: Clock,
    logger: Logger,
    figures = newHttpFigures(),
  ) {
    // A service each: a sign-in must not wait behind questions about rights, nor their failures close it.
    const signIn = new HttpService(options, texts, clock, logger, figures['sign-in']);
    const rights = new HttpService(options, texts, clock, logger, figures.rights);
    this.#services = [signIn, rights];
    this.method = new HttpSignIn(
      formatOf(options, signIn),
      new Turns(options.concurrentMax, attempts),
      clock,
      options.cacheSeconds,
    );
    this.authorizer =
      options.rightsUrl === ''
        ? null
        : new HttpAuthorizer(rules, formatOf(options, rights), clock, options.cacheSeconds);
  }

  /** Takes over files that have changed. */
  replace(texts: HttpTexts): void {
    for (const service of this.#services) service.replace(texts);
  }

  close(): void {
    for (const service of this.#services) service.close();
  }
}

function formatOf(options: HttpAccessOptions, service: HttpService): HttpFormat {
  const { format, signInUrl: signIn, rightsUrl: rights, superuserUrl: superuser } = options;
  const { parameters, answers } = options;
  return format === 'emqx'
    ? new EmqxFormat(service, { signIn, rights })
    : new GoAuthFormat(service, { signIn, superuser, rights }, parameters, answers);
}
