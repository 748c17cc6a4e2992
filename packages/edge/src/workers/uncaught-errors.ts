import type { LogEvent, Logger, Metrics } from '@dunlin/broker';
import { events } from '../log-events.ts';

/** Errors within `periodMilliseconds`; with more the thread ends, and the supervisor starts another. */
const errorsMax = 20;
const periodMilliseconds = 10_000;

/**
 * Handler of uncaught errors of this thread: an exception of a timer, a rejection without a handler, also of a library.
 * By default Node ends the thread for either, and the connections of thousands of clients with it. Sockets catch their
 * own errors (listeners/socket-transport.ts), and the broker changes its state within one synchronous step or under the
 * checks of the store. So continuing is the smaller harm: the error is logged with its stack and counted.
 */
export function surviveUncaughtErrors(logger: Logger, metrics: Pick<Metrics, 'errorsEscaped'>): void {
  let begun = 0;
  let count = 0;
  const survive = (event: LogEvent<'error', 'error'>) => (error: unknown) => {
    if (isToldElsewhere(error)) return;
    metrics.errorsEscaped++;
    logger.error(event, { error });
    const now = performance.now();
    if (now - begun > periodMilliseconds) {
      begun = now;
      count = 0;
    }
    count++;
    if (count > errorsMax) process.exit(1);
  };
  process.on('uncaughtException', survive(events['exception.uncaught']));
  process.on('unhandledRejection', survive(events['rejection.unhandled']));
}

/**
 * True for a rejection that the store gets too. When a commit fails, lmdb 3.5.6 rejects a promise that it gave to no
 * caller, beside the one that the store awaits (store-lmdb/src/batch.ts): with the same error, known by this property.
 */
function isToldElsewhere(error: unknown): boolean {
  return error instanceof Error && 'commitError' in error;
}
