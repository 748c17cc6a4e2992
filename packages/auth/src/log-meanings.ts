// For docs/log.md alone: nothing that runs in a node imports it.
import type { LogMeanings } from '@dunlin/broker';
import { events } from './log-events.ts';

export { events };

export const meanings: LogMeanings<typeof events> = {
  'http-service.failed': {
    meaning:
      'Five questions in a row had no answer, or one that cannot be used. New clients that this service has to decide on get 0x88 (MQTT 3: code 3), and what no rule allows is refused. Clients that are connected stay, and answers that are known hold for `httpAuth.cacheSeconds`.',
    action: 'Look at `error`: does the service run, and is its address reached from this node?',
  },
  'http-service.recovered': {
    meaning: 'The service has answered a question after an outage.',
    action: '',
  },
  'jwks.fetch-failed': {
    meaning:
      'The address of the keys did not answer with a key set that can be used. Clients with a token of a known key sign in as before; a token of a new key is refused.',
    action:
      'Look at `error` and `cause`: is the address right, does its server answer from this node? The line is written once until it works again.',
  },
  'jwks.fetched-again': {
    meaning: 'The key set was read after a failure.',
    action: '',
  },
  'revocations.read-failed': {
    meaning:
      'Redis did not answer when the node looked for tokens that were revoked. Nothing is skipped: what was revoked meanwhile is found when Redis answers.',
    action: 'See to Redis. Until then a client whose token was revoked stays connected.',
  },
};
