/**
 * Process that the command was started through, and whether it still runs.
 *
 * `npm start` and `npx dunlin` pass SIGTERM to the shell between them and this process, which ends and passes nothing
 * on (npm 11.19): the broker would keep its port and its data, and nobody would know its pid. The same happens below a
 * Node that only starts a newer one (bin/dunlin.js), when that is killed.
 */

/** Interval of the checks whether npm still runs: one call of the system each. */
const lookMilliseconds = 250;

/**
 * Resolves when the npm or the older Node that started this process has ended; never where it was started in another
 * way, so that `nohup` works as usual.
 */
export function starterGone(): Promise<void> {
  return new Promise((resolve) => {
    if (process.channel !== undefined) {
      process.channel?.unref();
      process.once('disconnect', () => resolve());
    }
    if (process.env.npm_command === undefined) return;
    const starter = process.ppid;
    const look = setInterval(() => {
      if (process.ppid === starter) return;
      clearInterval(look);
      resolve();
    }, lookMilliseconds);
    look.unref();
  });
}
