import type { Logger, Metrics } from '@dunlin/broker';

/** Errors within `periodMilliseconds`; more are no accident: the thread ends, and the supervisor starts another. */
const errorsMax = 20;
const periodMilliseconds = 10_000;

/**
 * Handler for what escapes everything else in this thread: an exception of a timer, a rejection that nobody waits for,
 * also of a library. By default Node ends the thread for either, and thousands of clients with it. Sockets catch their
 * own (listeners/socket-transport.ts), and what the broker changes it changes within one synchronous step or under the
 * store's own checks, so going on is the smaller harm: it is logged with its stack and counted.
 */
export function surviveEscapedErrors(logger: Logger, metrics: Pick<Metrics, 'errorsEscaped'>): void {
  let begun = 0;
  let count = 0;
  const survive = (message: string) => (error: unknown) => {
    if (isToldElsewhere(error)) return;
    metrics.errorsEscaped++;
    logger.error(message, { error });
    const now = performance.now();
    if (now - begun > periodMilliseconds) {
      begun = now;
      count = 0;
    }
    count++;
    if (count > errorsMax) process.exit(1);
  };
  process.on('uncaughtException', survive('an error was caught by nobody'));
  process.on('unhandledRejection', survive('a failure was awaited by nobody'));
}

/**
 * True for a rejection that the store hears too: of a commit that fails, lmdb 3.5.6 rejects a promise that it has given
 * to nobody, beside the one that the store waits for (store-lmdb/src/batch.ts): the same error, known by this property.
 */
function isToldElsewhere(error: unknown): boolean {
  return error instanceof Error && 'commitError' in error;
}
