import { logEvents } from '@dunlin/broker';

/** Log lines of this package; log-meanings.ts says what they mean. */
export const events = logEvents({
  'jwks.fetch-failed': {
    level: 'warn',
    message: 'the keys for tokens (JWKS) cannot be fetched; the keys that are known stay in use',
    fields: ['url', 'error', 'cause'],
  },
  'jwks.fetched-again': {
    level: 'info',
    message: 'the keys for tokens (JWKS) can be fetched again',
    fields: ['url'],
  },
  'revocations.read-failed': {
    level: 'warn',
    message: 'the revoked tokens cannot be read from Redis; connected clients stay until they can be read',
    fields: ['error'],
  },
});
