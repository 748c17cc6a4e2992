import { z } from 'zod';
import { fileKey } from './store-keys.ts';

/** Methods of authentication, in the order in which they are tried unless another is configured. */
export const authenticationMethods = ['client-certificate', 'jwt', 'redis-token', 'password-file', 'http'] as const;
export type AuthenticationMethod = (typeof authenticationMethods)[number];

/** Value of `authentication.methods`, also within a listener's `authentication`. */
export const methodList = z.array(z.enum(authenticationMethods)).max(authenticationMethods.length);
const claimPattern = /^[^=\s]+=.+$/s;
const jwksUrlPattern = /^(https?:\/\/\S+)?$/;
const isUrlOrNone = (text: string): boolean => text === '' || URL.canParse(text);

/** Keys under `authentication`. */
export const authenticationShape = {
  methods: methodList.default([]).meta({
    description:
      'Authentication methods of every listener, tried in this order; a listener may have its own list. `client-certificate` and `redis-token` are used only where they are named.',
    allowed: `a list of ${authenticationMethods.join(', ')}`,
    defaultText: '`jwt`, `password-file` and `http`, those of them that are configured',
  }),
  passwordFile: fileKey(
    'Users and the hashes of their passwords, as `dunlin passwd` and Mosquitto write them. Read again at SIGHUP, and when the file changes.',
  ),
  clientId: z.enum(['any', 'user', 'prefix']).default('any').meta({
    description:
      'Client identifiers that a client may have: `any`; `user`: its user name (Mosquitto: `use_username_as_clientid`); `prefix`: its user name, `authentication.clientIdSeparator` and more (Mosquitto: `clientid_prefixes`). Others get 0x85, and so do clients without a name. Identifiers that the server assigns are made like this.',
  }),
  clientIdSeparator: z.string().min(1).max(8).default(':').meta({
    description: 'What stands behind the user name with `authentication.clientId: prefix`.',
    allowed: 'text of 1 to 8 characters',
  }),
  certificateName: z.enum(['common-name', 'alternative-name']).default('common-name').meta({
    description:
      'What names the client in a client certificate: its common name, or the first of its alternative names.',
  }),
};

/** Keys under `jwt`. */
export const jwtShape = {
  keyFile: fileKey(
    'Public keys that tokens are checked with: PEM, a JWK or a JWK set (RSA, P-256, P-384, P-521, Ed25519). Read again at SIGHUP, and when the file changes.',
  ),
  secretFile: fileKey(
    'The secret of tokens signed with HMAC, at least 32 bytes. Read again at SIGHUP, and when the file changes.',
  ),
  jwksUrl: z.string().regex(jwksUrlPattern).refine(isUrlOrNone).default('').meta({
    description:
      'Where a JWK set is fetched: at the start, when a token names a key that is not known (at most twice a minute), and every ten minutes. The last good one is kept.',
    allowed: 'an https or http URL',
    defaultText: 'none',
    isSecret: true,
  }),
  field: z.enum(['password', 'user-name']).default('password').meta({
    description: 'Where in CONNECT the token is.',
  }),
  issuer: textKey('What the claim `iss` must be.', 'anyone'),
  audience: textKey('What the claim `aud` must be or contain.', 'any, also tokens issued for other services'),
  leewaySeconds: z.int().min(0).max(300).default(5).meta({
    description: 'Allowed difference between the clocks of the broker and of the issuer of tokens.',
  }),
  lifetimeMaxSeconds: z.int().min(0).max(3_155_760_000).default(0).meta({
    description:
      'How far away the claim `exp` of a token may be when its client signs in; a token that is valid for longer is refused. 0: any time.',
  }),
  userNameClaim: z.string().min(1).default('sub').meta({
    description: 'The claim with the name that the client is known by.',
    allowed: 'text',
  }),
  rulesClaim: z.string().default('acl').meta({
    description: 'The claim with rules for the client (docs/security.md); empty: tokens carry none.',
    allowed: 'text',
  }),
  claims: z.array(z.string().regex(claimPattern)).max(32).default([]).meta({
    description:
      'What further claims must be; `%c` stands for the client identifier of CONNECT, `%u` for its user name.',
    allowed: 'a list of NAME=VALUE, such as sub=%u or client=%c',
    defaultText: 'none',
  }),
};

/** Keys under `deviceTokens`. */
export const deviceTokensShape = {
  redisUrl: z
    .string()
    .regex(/^(rediss?(\+(sentinel|cluster))?:\/\/\S+)?$/)
    .default('')
    .meta({
      description: 'Where the tokens of the method `redis-token` are.',
      allowed: 'as `store.url`',
      defaultText: 'the Redis of the store, with its passwords and certificates',
      isSecret: true,
    }),
  passwordFile: fileKey(
    'A file with the password for that Redis, instead of one in `deviceTokens.redisUrl`. Read again at every connection.',
  ),
};

/** Forms in which an HTTP service can be asked; auth has the same. */
export const httpFormats = ['emqx', 'go-auth'] as const;

/** Keys under `httpAuth`. */
export const httpAuthShape = {
  format: z.enum(httpFormats).default('emqx').meta({
    description:
      'How the service is asked and answers: `emqx`: JSON as of EMQX 5.8 or later; `go-auth`: the form posts of mosquitto-go-auth (docs/security.md).',
  }),
  signInUrl: httpUrlKey('Asked who a client is: makes the method `http` available.'),
  rightsUrl: httpUrlKey('Asked what a client may publish and subscribe to, where no rule decides.'),
  superuserUrl: httpUrlKey('With `go-auth`: asked at CONNECT whether the client may do everything.'),
  parameters: z.enum(['form', 'json']).default('form').meta({
    description:
      'With `go-auth`: how the fields of a question are sent, as `http_params_mode` there, whose default is `json`.',
  }),
  answers: z.enum(['status', 'json', 'text']).default('status').meta({
    description:
      'With `go-auth`: what says yes, as `http_response_mode` there; `json` and `text` also look at the body.',
  }),
  headersFile: fileKey(
    'Headers sent with each question, lines of `NAME: VALUE`, such as `authorization`. Read again at SIGHUP, and when the file changes.',
  ),
  tlsCaFile: fileKey(
    "Authorities that the service's certificate is checked against, PEM; the system's without it. Read again at SIGHUP, and when the file changes.",
  ),
  timeoutMilliseconds: z.int().min(10).max(60_000).default(2000).meta({
    description: 'How long an answer may take, the wait for a connection included. No answer means no.',
  }),
  concurrentMax: z.int().min(1).max(1000).default(32).meta({
    description: 'Questions of one worker that are under way at the same time. Fifteen times as many may wait.',
  }),
  cacheSeconds: z.int().min(0).max(86_400).default(30).meta({
    description:
      'How long a worker keeps an answer: a yes of `httpAuth.signInUrl` for the same credentials, any answer of `httpAuth.rightsUrl` for the same client, topic and QoS. 0: not at all.',
  }),
};

/** Keys under `sessions`. */
export const sessionsShape = {
  owner: z.enum(['user', 'anybody']).default('user').meta({
    description:
      'Who may connect with a client identifier whose connection or session belongs to a user: `user`: that user alone, others get 0x87; `anybody`: whoever connects, and owns it from then on. Clients without an authenticated name own nothing.',
  }),
};

/** Keys under `authorization`. */
export const authorizationShape = {
  rulesFile: fileKey(
    'Who may publish and subscribe to what (docs/security.md); without it, every accepted client may do everything. Read again at SIGHUP, and when the file changes.',
  ),
  deniedPublish: z.enum(['drop', 'disconnect']).default('drop').meta({
    description:
      'What happens to a publish that is not allowed where the protocol has no answer for it (QoS 0, MQTT 3). MQTT 5 clients receive 0x87 in PUBACK and PUBREC.',
  }),
  deniedWill: z.enum(['drop', 'refuse']).default('refuse').meta({
    description:
      'What a will that is not allowed does to its CONNECT: the client is refused, or accepted without it, as by other brokers. A dropped will is logged.',
  }),
};

function textKey(description: string, defaultText: string) {
  return z.string().default('').meta({ description, allowed: 'text', defaultText });
}

function httpUrlKey(description: string) {
  return z.string().regex(jwksUrlPattern).refine(isUrlOrNone).default('').meta({
    description,
    allowed: 'an https or http URL',
    defaultText: 'none',
    isSecret: true,
  });
}
