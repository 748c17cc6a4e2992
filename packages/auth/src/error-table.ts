// For docs/errors.md alone: nothing that runs imports it.
import type { ErrorTable } from '@dunlin/broker';
import type { JwksError } from './jwks.ts';
import type { AccessFileError } from './source-text.ts';

export const errorTable = {
  AccessFileError: {
    'access-file': {
      says: 'FILE:LINE:COLUMN: what stands there, and what is allowed',
      thrownWhen:
        'a file of passwords, keys or rules cannot be read, cannot be written, or holds something else; or the rules in a token cannot be used',
      remedy: 'Mend the file at the place that the message names.',
      surfaces:
        'at start and in `dunlin config check`: as a fault of the configuration, exit code 2. At SIGHUP: log line; what was read before stays in use. `dunlin passwd`: exit code 1. In a token: the client is refused, and the reason is logged',
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
} satisfies ErrorTable<{ AccessFileError: AccessFileError; JwksError: JwksError }>;
