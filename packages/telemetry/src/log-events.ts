import { logEvents } from '@dunlin/broker/ports';

/** Log lines of this package; log-meanings.ts says what they mean. */
export const events = logEvents({
  'store.recovered': {
    level: 'info',
    message: 'the store is back',
    fields: ['kindsOfFailures', 'furtherFailures'],
  },
  'traces.send-failed': {
    level: 'warn',
    message: 'traces cannot be sent',
    fields: ['to', 'error'],
  },
});
