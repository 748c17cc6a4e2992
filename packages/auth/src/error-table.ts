// For docs/errors.md alone: nothing that runs imports it.
import type { ErrorTable } from '@dunlin/broker';
import type { HttpServiceError } from './http/http-service.ts';
import type { JwksError } from './jwks.ts';
import type { AccessFileError } from './source-text.ts';

export const errorTable = {
  AccessFileError: {
    'access-file': {
      says: 'FILE:LINE:COLUMN: what stands there, and what is allowed',
      thrownWhen:
        'a file of passwords, keys or rules cannot be read, cannot be written, or holds something else; or the rules in a token cannot be used',
      remedy: 'Correct the file at the place that the message names.',
      surfaces:
        'at start and in `dunlin config check`: as a fault of the configuration, exit code 2. At SIGHUP: log line; what was read before stays in use. `dunlin passwd`: exit code 1. In a token: the client is refused, and the reason is logged',
    },
  },
  HttpServiceError: {
    'http-service': {
      says: 'no answer within N ms; the service answered with status N; the service did not answer just now, and is not asked for 5 s; N questions are under way already; or what is wrong with the answer',
      thrownWhen:
        'the service in `httpAuth.signInUrl` or `httpAuth.rightsUrl` does not answer in time, or answers with what cannot be used',
      remedy: 'See to the address and its service, and compare its answers with the formats in docs/security.md.',
      surfaces:
        'log: the reason for which a client was refused, and `http-service.failed`. The client: 0x88 at CONNECT; a publish or subscription is not allowed',
    },
  },
  JwksError: {
    jwks: {
      says: 'the server answered with status N instead of 200; the answer has more than N bytes; or: no key that can be used',
      thrownWhen: 'the address in `jwt.jwksUrl` answers with something else than a set of keys',
      remedy: 'See to the address and its server. The keys that are known stay in use.',
      surfaces: 'log: field `error`. Clients with a token of an unknown key are refused',
    },
  },
} satisfies ErrorTable<{
  AccessFileError: AccessFileError;
  HttpServiceError: HttpServiceError;
  JwksError: JwksError;
}>;
