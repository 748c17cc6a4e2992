/**
 * Answers to failed sign-ins: late where there are many, and followed by a ban where there are too many. How many that
 * is, is counted in guards/sign-in-guard.ts.
 */
import { ReasonCode } from '@dunlin/protocol';
import type { BanList } from '../guards/ban-list.ts';
import type { BannableClient } from '../guards/ban-table.ts';
import type { SignInGuard } from '../guards/sign-in-guard.ts';
import { ConnectionState } from '../output/connection-state.ts';
import type { Ban } from '../ports/ban-store.ts';
import type { Clock } from '../ports/clock.ts';
import type { Connection } from './connection.ts';
import { sendRefusal } from './send-refusal.ts';

/** Connections of a worker that wait for their answer, each with its socket and a timer; above, answers are not late. */
const waitingMax = 1000;

export interface FailedSignInsParts {
  clock: Clock;
  guard: SignInGuard;
  bans: BanList;
}

export class FailedSignIns {
  private readonly parts: FailedSignInsParts;
  private waiting = 0;

  constructor(parts: FailedSignInsParts) {
    this.parts = parts;
  }

  /** Null: the credentials may be looked at now; else it resolves when they may. */
  turnOf(connection: Connection, userName: string | null): Promise<void> | null {
    const { guard, clock } = this.parts;
    const wait = guard.waitBefore(clientOf(connection, userName), clock.now());
    if (wait === 0 || this.waiting >= waitingMax) return null;
    return new Promise((resolve) => this.after(wait, resolve));
  }

  /** Answers credentials that were refused. */
  refuse(connection: Connection, userName: string | null, reasonCode: number, reason: string): void {
    const isWrong = reasonCode === ReasonCode.notAuthorized || reasonCode === ReasonCode.badUserNameOrPassword;
    if (!isWrong) {
      sendRefusal(connection, reasonCode, reason); // [MQTT-4.12.0-4]
      return;
    }
    const { guard, clock } = this.parts;
    const { wait, ban } = guard.failed(clientOf(connection, userName), clock.now());
    this.ban(connection, ban);
    const answer = (): void => {
      if (connection.state !== ConnectionState.closed) sendRefusal(connection, reasonCode, reason);
    };
    if (wait === 0 || this.waiting >= waitingMax) answer();
    else this.after(wait, answer);
  }

  /** A client was let in, under this name; it may be banned now for coming too often. */
  accepted(connection: Connection, userName: string | null): void {
    const { guard, clock } = this.parts;
    this.ban(connection, guard.succeeded(clientOf(connection, userName), clock.now()));
  }

  private ban(connection: Connection, ban: Ban | null): void {
    if (ban === null || !this.parts.bans.add(ban)) return;
    connection.parts.clientLog.banMade(connection, ban);
  }

  private after(milliseconds: number, then: () => void): void {
    this.waiting++;
    const cancel = this.parts.clock.every(Math.max(1, Math.ceil(milliseconds)), () => {
      cancel();
      this.waiting--;
      then();
    });
  }
}

function clientOf({ clientId, remoteAddress }: Connection, userName: string | null): BannableClient {
  return { clientId, userName, remoteAddress };
}
