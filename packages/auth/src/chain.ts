/**
 * The methods of a listener, asked in their order.
 *
 * ```
 *   CONNECT ──> method 1 ── not mine ──> method 2 ── not mine ──> … ──> anonymous, if allowed and no credentials were given
 *                  ├── accept       in, under the name that was proved
 *                  ├── refuse       0x87, MQTT 3: 5
 *                  ├── cannot tell  0x88, MQTT 3: 3; no later method is asked
 *                  └── overloaded   0x89 or 0x9F, MQTT 3: 3
 * ```
 */
import type { AuthenticationExchange, AuthenticationResult, Authenticator, Credentials } from '@dunlin/broker';
import type { Attempts } from './fair/attempts.ts';
import { type Decision, type Method, tooMany } from './method.ts';

type Overloaded = Extract<Decision, { kind: 'overloaded' }>;

const notAuthorized = 0x87;
const serverUnavailable = 0x88;

/** Authentication of one listener: its methods, and whether anonymous clients may connect. */
export interface AccessPolicy {
  readonly methods: readonly Method[];
  /** Clients without credentials are accepted, without a user name. */
  readonly allowAnonymous: boolean;
}

export class Chain implements Authenticator {
  readonly #policies: ReadonlyMap<string, AccessPolicy>;
  readonly #attempts: Attempts;

  /** `policies`: by the name of the listener. */
  constructor(policies: ReadonlyMap<string, AccessPolicy>, attempts: Attempts) {
    this.#policies = policies;
    this.#attempts = attempts;
  }

  authenticate(credentials: Credentials): AuthenticationResult | Promise<AuthenticationResult> {
    const policy = this.#policies.get(credentials.listener);
    if (policy === undefined) return refused(credentials, 'none', 'the listener has no authentication');
    // An unverified user name is ignored: rules would rely on it.
    if (policy.methods.length === 0 && policy.allowAnonymous) return { kind: 'accept', userName: null };
    return this.#ask(policy, credentials);
  }

  async #ask(policy: AccessPolicy, credentials: Credentials): Promise<AuthenticationResult> {
    for (const method of policy.methods) {
      const decision = await method.authenticate(credentials);
      if (decision.kind === 'accept') {
        this.#attempts.wasRight(credentials);
        return { ...decision, method: method.name };
      }
      if (decision.kind === 'gone') return decision;
      if (decision.kind === 'refuse') {
        this.#attempts.wasWrong(credentials);
        return refused(credentials, method.name, decision.reason);
      }
      if (decision.kind === 'cannot-tell') return untold(credentials, method.name, decision.reason);
      if (decision.kind === 'overloaded') return overloaded(credentials, method.name, decision);
    }
    const isSilent = credentials.userName === null && credentials.password === null;
    if (isSilent && policy.allowAnonymous) return { kind: 'accept', userName: null };
    if (!isSilent) this.#attempts.wasWrong(credentials);
    return refused(credentials, 'all', isSilent ? 'no credentials' : 'no method knows such a client');
  }

  exchange(mechanism: string, credentials: Credentials): AuthenticationExchange | null {
    for (const method of this.#policies.get(credentials.listener)?.methods ?? []) {
      const exchange = method.exchange?.(mechanism, credentials) ?? null;
      if (exchange !== null) return this.#counted(mechanism, exchange, credentials);
    }
    return null;
  }

  /** The same exchange, whose end counts as that of any attempt does: for the name that is given in it. */
  #counted(mechanism: string, exchange: AuthenticationExchange, credentials: Credentials): AuthenticationExchange {
    const attempts = this.#attempts;
    const named = (): Credentials => ({ ...credentials, userName: exchange.claimedName ?? credentials.userName });
    return {
      get claimedName() {
        return exchange.claimedName ?? null;
      },
      step: async (data) => {
        const before = named();
        if (!attempts.mayTry(before, attempts.standingOf(before))) return overloaded(before, 'exchange', tooMany);
        const result = await exchange.step(data);
        if (result.kind === 'refuse') attempts.wasWrong(named());
        if (result.kind !== 'accept') return result;
        attempts.wasRight({ ...credentials, userName: result.userName });
        return { ...result, method: mechanism };
      },
    };
  }
}

/** The log gets a reason that the client is not told: the client might be an attacker. */
function refused({ userName }: Credentials, method: string, reason: string): AuthenticationResult {
  const told = { user: nameForLog(userName), method, reason };
  return { kind: 'refuse', reasonCode: notAuthorized, reason: 'not authorized', told };
}

function untold({ userName }: Credentials, method: string, reason: string): AuthenticationResult {
  const told = { user: nameForLog(userName), method, reason };
  return { kind: 'refuse', reasonCode: serverUnavailable, reason: 'who you are cannot be checked now', told };
}

/** This the client is told: it should try again later. */
function overloaded(
  { userName }: Credentials,
  method: string,
  { reasonCode, reason }: Overloaded,
): AuthenticationResult {
  return { kind: 'refuse', reasonCode, reason, told: { user: nameForLog(userName), method, reason } };
}

/**
 * Shape of a signed token, alone or behind another word; with `jwt.field: user-name` it stands where a user name does.
 */
const tokenPattern = /^[\w-]{8,}\.[\w-]{8,}\.[\w-]*$|eyJ[\w-]{5,}\.[\w-]{2,}/;

/** Never credentials: a token that is refused now, since keys cannot be fetched, may be valid a moment later. */
function nameForLog(userName: string | null): string {
  return userName !== null && tokenPattern.test(userName) ? '(a token)' : (userName ?? '');
}
