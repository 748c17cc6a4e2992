/** Time that a test waits for something that ought to happen at once, before it fails with what did happen. */
export const defaultDeadlineMilliseconds = 5_000;

/** Error of an event that did not come in time, or cannot come any more. The message shows what did happen. */
export class DeadlineError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'DeadlineError';
  }
}

/**
 * The value of `promise`, or a DeadlineError after `milliseconds` whose message is what `describe` says at that moment.
 */
export async function withDeadline<T>(
  promise: Promise<T>,
  describe: () => string,
  milliseconds: number = defaultDeadlineMilliseconds,
): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new DeadlineError(`after ${milliseconds} ms: ${describe()}`)), milliseconds);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
