import { codeOf } from '@dunlin/broker/ports';
import { type Configuration, ConfigurationError } from '@dunlin/config';
import { EdgeNode, type NodeOptions } from './edge-node.ts';
import { giveBackFreedMemory } from './freed-memory.ts';
import { events } from './log-events.ts';
import { surviveUncaughtErrors } from './workers/uncaught-errors.ts';

/** A stop takes no longer than this; supervisors of processes commonly wait 5 or 10 s before they kill. */
export const stopTimeoutMilliseconds = 4000;

export interface ServeOptions extends NodeOptions {
  /** Reads the configuration again, for SIGHUP. Throws when it is wrong; then nothing changes. */
  reload(): Configuration;
  /** Faults of the configuration that work and should be written otherwise: logged at the start. */
  warnings: readonly string[];
  /** Resolves when that is gone through which the process was started, and which can pass no signal on any more: counts as SIGTERM. */
  starterGone: Promise<void>;
}

/**
 * Runs a node as a process: SIGTERM drains and stops it, SIGINT stops it at once, as a second signal does while it drains; SIGHUP reloads. Resolves with the
 * exit code: 0 when it stopped as asked, 1 when it had to give up.
 * @throws when it cannot start
 */
export async function serve(configuration: Configuration, options: ServeOptions): Promise<number> {
  const { promise: asked, resolve: ask } = Promise.withResolvers<NodeJS.Signals>();
  const { promise: askedAgain, resolve: askAgain } = Promise.withResolvers<boolean>();
  let signals = 0;
  // Before the start: a signal that comes while the node starts, or waits for its servers, must stop it, not kill it half open.
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => (++signals === 1 ? ask(signal) : askAgain(false)));
  void options.starterGone.then(() => ask('SIGTERM'));
  const node = new EdgeNode(configuration, options);
  surviveUncaughtErrors(node.logger, { errorsEscaped: 0 });
  for (const warning of options.warnings) node.logger.warn(events['configuration.key-renamed'], { warning });
  giveBackFreedMemory(configuration.workers, node.logger);
  const started = node.start();
  // Before it says that it is ready: one that comes a moment later must not kill it. One that comes during the start is done after it.
  process.on('SIGHUP', () => void started.then(() => reload(node, options)).catch(() => undefined));
  const isUp = await Promise.race([asked.then(() => false), started.then(() => true)]);
  if (!isUp) {
    started.catch(() => undefined); // Given up on demand.
    return (await stopInTime(node)) ? 0 : 1;
  }
  const broken = node.failure.catch(() => true);
  const drained = asked.then((signal) => (signal === 'SIGTERM' ? node.drain() : undefined)).then(() => false);
  const failed = await Promise.race([drained, askedAgain, broken]);
  const stopped = await stopInTime(node);
  return failed || !stopped ? 1 : 0;
}

function reload(node: EdgeNode, options: ServeOptions): void {
  try {
    node.reload(options.reload());
  } catch (error) {
    // What an operator wrote needs no stack.
    const isExplained = error instanceof ConfigurationError;
    node.logger.error(events['configuration.reload-failed'], {
      error: isExplained ? error.message : error,
      errorCode: codeOf(error),
    });
  }
}

async function stopInTime(node: EdgeNode): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<false>();
  const timer = setTimeout(() => resolve(false), stopTimeoutMilliseconds);
  const inTime = await Promise.race([node.stop().then(() => true), late]);
  clearTimeout(timer);
  if (!inTime)
    node.logger.error(events['node.stop-timed-out'], {
      after: `${stopTimeoutMilliseconds} ms`,
      hung: node.describeStop(),
    });
  return inTime;
}
