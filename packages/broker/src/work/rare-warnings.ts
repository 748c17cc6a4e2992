/** Warnings that name a client: one a minute for each, so that one client's fault does not fill the log. */
import type { Clock } from '../ports/clock.ts';
import type { LogEvent, LogFields, Logger } from '../ports/logger.ts';

const quietMilliseconds = 60_000;
/** Clients remembered at once; above, warnings are left out until the minute is over. */
const clientsMax = 1000;

export class RareWarnings {
  private readonly clock: Clock;
  private readonly logger: Logger;
  /** Times until which each is quiet, by what is logged and of whom; in the order of these times. */
  private readonly quietUntil = new Map<string, number>();

  constructor(clock: Clock, logger: Logger) {
    this.clock = clock;
    this.logger = logger;
  }

  warn<Field extends string>(
    event: LogEvent<'warn', Field | 'client'>,
    clientId: string,
    fields: Omit<LogFields<NoInfer<Field>>, 'client'>,
  ): void {
    const key = `${event.name}\n${clientId}`;
    const now = this.clock.now();
    for (const [known, until] of this.quietUntil) {
      if (until > now) break;
      this.quietUntil.delete(known);
    }
    if (this.quietUntil.has(key) || this.quietUntil.size >= clientsMax) return;
    this.quietUntil.set(key, now + quietMilliseconds);
    this.logger.warn(event as LogEvent<'warn'>, { client: clientId, ...fields });
  }
}
