/** Ends of connections whose client is banned. Whether it is, is asked in guards/ban-list.ts. */
import { ReasonCode } from '@dunlin/protocol';
import { type BanList, describeBan, tellBan } from '../guards/ban-list.ts';
import type { BanTable } from '../guards/ban-table.ts';
import { ConnectionState } from '../output/connection-state.ts';
import type { Ban } from '../ports/ban-store.ts';
import type { Clock } from '../ports/clock.ts';
import { events } from '../ports/log-events.ts';
import { hex } from './client-log.ts';
import type { Connection } from './connection.ts';
import { sendRefusal } from './send-refusal.ts';

/** Connections that are compared with new bans in one turn of the event loop: some hundred microseconds. */
const checkedAtOnce = 1000;

/** Refuses the CONNECT of a banned client with 0x8A, which MQTT 3 hears as 5. False: it is not banned. */
export function refuseBanned(connection: Connection, bans: BanList, userName: string | null): boolean {
  if (bans.size === 0) return false;
  const { clientId, remoteAddress } = connection;
  const ban = bans.of({ clientId, userName, remoteAddress });
  if (ban !== null) refuse(connection, ban);
  return ban !== null;
}

function refuse(connection: Connection, ban: Ban): void {
  const code = hex(ReasonCode.banned);
  connection.parts.clientLog.banned(connection, events['connection.refused'], { reason: describeBan(ban), code });
  sendRefusal(connection, ReasonCode.banned, tellBan(ban), 'banned');
}

/** Ends connections that new bans hit, some in each turn of the event loop. */
export function endBanned(connections: Iterable<Connection>, bans: BanTable, clock: Clock): void {
  const left = [...connections];
  const next = (): void => {
    for (const connection of left.splice(-checkedAtOnce)) endIfBanned(connection, bans, clock.now());
    if (left.length > 0) clock.nextTurn(next);
  };
  next();
}

function endIfBanned(connection: Connection, bans: BanTable, now: number): void {
  const { state, clientId, remoteAddress, signIn } = connection;
  if (state === ConnectionState.closed) return;
  const ban = bans.of({ clientId, userName: signIn.userName, remoteAddress }, now);
  if (ban === null) return;
  if (state !== ConnectionState.connected) {
    refuse(connection, ban);
    return;
  }
  end(connection, ban);
}

/** Ends the connection of a client that has signed in again under another name, where that is banned. False: it is not. */
export function endIfBannedAs(connection: Connection, bans: BanList, userName: string | null): boolean {
  const { clientId, remoteAddress } = connection;
  const ban = bans.of({ clientId, userName, remoteAddress });
  if (ban !== null) end(connection, ban);
  return ban !== null;
}

function end(connection: Connection, ban: Ban): void {
  connection.parts.clientLog.banned(connection, events['client.banned'], { reason: describeBan(ban) });
  // 0x8A is for CONNACK alone (MQTT 5 section 3.14.2.1).
  connection.disconnect(ReasonCode.administrativeAction, tellBan(ban), '', 'banned');
}
