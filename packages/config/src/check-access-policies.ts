import { type AuthenticationMethod, authenticationMethods } from './access-keys.ts';
import type { Configuration } from './configuration.ts';
import { isLoopback, type Listener } from './listener.ts';
import type { Problem } from './problem.ts';

/** Key that a method needs and that is missing; null: none. */
const needs: Readonly<Record<AuthenticationMethod, (configuration: Configuration) => string | null>> = {
  'client-certificate': () => null,
  jwt: ({ jwt }) =>
    jwt.keyFile === '' && jwt.secretFile === '' && jwt.jwksUrl === ''
      ? 'jwt needs jwt.keyFile, jwt.secretFile or jwt.jwksUrl'
      : null,
  'redis-token': ({ deviceTokens, store }) =>
    deviceTokens.redisUrl === '' && store.kind !== 'redis'
      ? 'redis-token needs deviceTokens.redisUrl, or a store in Redis'
      : null,
  'password-file': ({ authentication }) =>
    authentication.passwordFile === '' ? 'password-file needs authentication.passwordFile' : null,
  http: ({ httpAuth }) => (httpAuth.signInUrl === '' ? 'http needs httpAuth.signInUrl' : null),
};

/** Methods that are used where they are configured; the others only where they are named. */
const usedUnnamed: readonly AuthenticationMethod[] = ['jwt', 'password-file', 'http'];

/**
 * Settles the access policy of each listener: its methods of authentication, and whether anonymous clients are
 * accepted.
 */
export function settleAccessPolicies(configuration: Configuration, origins: ReadonlyMap<string, string>): void {
  const { authentication, listeners } = configuration;
  if (!origins.has('authentication.methods')) {
    authentication.methods = authenticationMethods.filter(
      (method) => usedUnnamed.includes(method) && needs[method](configuration) === null,
    );
  }
  for (const listener of listeners) {
    listener.methods = listener.authentication ?? authentication.methods;
    // Where a method of authentication is configured, anonymous clients are refused unless they are allowed explicitly.
    const isOpen = isLoopback(listener.address) && listener.authentication === undefined;
    listener.allowAnonymous ??= isOpen && authentication.methods.length === 0 && !origins.has('authentication.methods');
  }
}

/** Closed by default: an address that other machines reach needs authentication, or `allowAnonymous: true`. */
export function checkAccessPolicies(configuration: Configuration, origins: ReadonlyMap<string, string>): Problem[] {
  const problems: Problem[] = [];
  const { listeners, authentication } = configuration;
  const whereOf = (index: number): string =>
    origins.get(`listeners[${index}]`) ?? origins.get('listeners') ?? 'listeners';
  for (const method of authentication.methods) {
    const lack = needs[method](configuration);
    const where = origins.get('authentication.methods') ?? 'authentication.methods';
    if (lack !== null) problems.push({ where, message: `authentication.methods: ${lack}`, suggestion: '' });
  }
  for (const [index, listener] of listeners.entries()) {
    for (const method of listener.authentication ?? []) {
      const lack = needs[method](configuration);
      if (lack === null) continue;
      problems.push({ where: whereOf(index), message: `listeners[${index}].authentication: ${lack}`, suggestion: '' });
    }
    if (listener.methods.length > 0 || listener.allowAnonymous) continue;
    problems.push({ where: whereOf(index), ...unusableListener(listener) });
  }
  return problems;
}

function unusableListener({ url, address, authentication }: Listener): Pick<Problem, 'message' | 'suggestion'> {
  if (isLoopback(address)) {
    const isSaid = authentication === undefined;
    return {
      message: `listener ${url} admits nobody: ${isSaid ? 'allowAnonymous is false and no other authentication is configured' : 'its authentication is an empty list'}`,
      suggestion: isSaid ? 'remove allowAnonymous: false, or the listener' : 'name a method, or remove the listener',
    };
  }
  return {
    message: `listener ${url} could be reached by other machines without a password`,
    suggestion:
      'give --password-file FILE (dunlin passwd -c FILE USER writes one), listen on 127.0.0.1, or add ' +
      'allowAnonymous: true to this listener (in the short form: ?allowAnonymous=true) if that is meant',
  };
}
