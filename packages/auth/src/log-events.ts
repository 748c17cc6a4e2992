import { logEvents } from '@dunlin/broker/ports';

/** Log lines of this package; log-meanings.ts says what they mean. */
export const events = logEvents({
  'http-service.failed': {
    level: 'warn',
    message:
      'the HTTP service for sign-in or rights does not answer; it is asked again every 5 s, and until then nobody is let in by it',
    fields: ['url', 'error', 'errorCode?'],
  },
  'http-service.recovered': {
    level: 'info',
    message: 'the HTTP service for sign-in or rights answers again',
    fields: ['url'],
  },
  'jwks.fetch-failed': {
    level: 'warn',
    message: 'the keys for tokens (JWKS) cannot be fetched; the keys that are known stay in use',
    fields: ['url', 'error', 'errorCode?', 'cause'],
  },
  'jwks.fetched-again': {
    level: 'info',
    message: 'the keys for tokens (JWKS) can be fetched again',
    fields: ['url'],
  },
  'revocations.read-failed': {
    level: 'warn',
    message: 'the revoked tokens cannot be read from Redis; connected clients stay until they can be read',
    fields: ['error', 'errorCode?'],
  },
});
