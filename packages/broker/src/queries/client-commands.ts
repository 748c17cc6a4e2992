/** Commands of operators to clients and sessions. */
import { ReasonCode } from '@dunlin/protocol';
import type { DurableFilters } from '../logs/durable-filters.ts';
import type { SessionStore } from '../ports/session-store.ts';
import type { Session } from '../session/session.ts';

export interface ClientCommandsParts {
  store: { readonly sessions: Pick<SessionStore, 'delete'> };
  sessions: { get(clientId: string): Session | undefined };
  durableFilters: Pick<DurableFilters, 'markStale'>;
}

export class ClientCommands {
  private readonly parts: ClientCommandsParts;

  constructor(parts: ClientCommandsParts) {
    this.parts = parts;
  }

  /** Ends the connection of a client, whose session goes on. False: it is not connected here. */
  kick(clientId: string, reason: string): boolean {
    const session = this.parts.sessions.get(clientId);
    session?.connection.disconnect(ReasonCode.administrativeAction, reason);
    return session !== undefined;
  }

  /** Ends the connection of a client, and its session with it. False: it is not connected here. */
  endSession(clientId: string): boolean {
    const session = this.parts.sessions.get(clientId);
    if (session === undefined) return false;
    session.expirySeconds = 0;
    session.connection.disconnect(ReasonCode.administrativeAction, 'the session was ended by an operator');
    return true;
  }

  /** Removes the stored session of a client that is not connected anywhere. */
  async forgetSession(clientId: string): Promise<void> {
    await this.parts.store.sessions.delete(clientId);
    this.parts.durableFilters.markStale(); // groups and filters may have ended with it
  }
}
