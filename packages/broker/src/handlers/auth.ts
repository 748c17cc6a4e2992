/** AUTH (MQTT 5 sections 3.15 and 4.12): enhanced authentication and re-authentication. */

import { decodeAuth, ProtocolError, ReasonCode } from '@dunlin/protocol';
import { endIfBannedAs } from '../connection/banned.ts';
import type { ClientLog } from '../connection/client-log.ts';
import type { Connection } from '../connection/connection.ts';
import type { PacketHandler } from '../connection/packet-handlers.ts';
import type { SubscriptionRights } from '../connection/subscription-rights.ts';
import type { BanList } from '../guards/ban-list.ts';
import { ConnectionState } from '../output/connection-state.ts';
import type { Acceptance, Authenticator } from '../ports/authenticator.ts';
import { events } from '../ports/log-events.ts';
import type { Logger } from '../ports/logger.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Session } from '../session/session.ts';

/** Fields of the log line. */
type SignInRefusal = { readonly reason: string; readonly user?: string; readonly method?: string };

export interface AuthHandlerParts {
  logger: Logger;
  metrics: Metrics;
  clientLog: ClientLog;
  bans: BanList;
  rights: SubscriptionRights;
  isOwnersOnly: boolean;
  authenticator: Authenticator;
}

export class AuthHandler implements PacketHandler {
  private readonly parts: AuthHandlerParts;

  constructor(parts: AuthHandlerParts) {
    this.parts = parts;
  }

  handle(connection: Connection, bytes: Buffer, bodyStart: number, end: number): void {
    if (!connection.version5)
      throw new ProtocolError(ReasonCode.malformedPacket, 'AUTH is not in this version of MQTT');
    const packet = decodeAuth(bytes, bodyStart, end, connection.version);
    const { session } = connection;
    const { method } = connection.signIn;
    if (method === null) {
      throw new ProtocolError(
        ReasonCode.protocolError,
        'AUTH without an authentication method in CONNECT',
        'MQTT-4.12.0-6',
      );
    }
    if (packet.properties.authenticationMethod !== method) {
      throw new ProtocolError(
        ReasonCode.protocolError,
        'the authentication method is not that of CONNECT',
        'MQTT-4.12.1-1',
      );
    }
    const data = packet.properties.authenticationData ?? Buffer.alloc(0);
    if (packet.reasonCode === ReasonCode.continueAuthentication) {
      // No exchange is in progress.
      if (!connection.signIn.dataCame(data))
        throw new ProtocolError(ReasonCode.protocolError, 'an AUTH that was not asked for');
    } else if (
      packet.reasonCode === ReasonCode.reAuthenticate &&
      session !== null &&
      connection.state === ConnectionState.connected
    ) {
      this.reAuthenticate(connection, session, method, data).catch((error: unknown) => {
        this.parts.logger.error(events['re-authentication.failed'], {
          client: session.clientId,
          error,
        });
        connection.disconnect(ReasonCode.notAuthorized, '');
      });
    } else {
      throw new ProtocolError(ReasonCode.protocolError, `AUTH with reason code ${packet.reasonCode}`, 'MQTT-3.15.2-1');
    }
  }

  /** The connection goes on meanwhile [MQTT-4.12.1-2]. */
  private async reAuthenticate(connection: Connection, session: Session, method: string, first: Buffer): Promise<void> {
    const { parts } = this;
    const exchange = parts.authenticator.exchange(method, {
      clientId: session.clientId,
      userName: connection.signIn.userName,
      password: null,
      remoteAddress: connection.transport.remoteAddress,
      listener: connection.transport.listener,
      clientCertificate: connection.transport.clientCertificate,
      version: connection.version,
    });
    if (exchange === null) {
      const reason = 'this authentication method is not known here any more';
      this.refuse(connection, ReasonCode.badAuthenticationMethod, reason, { reason });
      return;
    }
    let data: Buffer | null = first;
    while (data !== null) {
      const result = await exchange.step(data);
      if (result.kind === 'gone') return;
      if (result.kind === 'refuse') {
        this.refuse(connection, result.reasonCode, result.reason, result.told ?? { reason: result.reason });
        return;
      }
      if (result.kind === 'accept' && !this.isSameUser(session, result)) {
        const reason = 'a connection cannot go on as another user';
        this.refuse(connection, ReasonCode.notAuthorized, reason, { reason });
        result.permit?.release();
        return;
      }
      if (result.kind === 'accept' && this.isBanned(connection, result)) {
        result.permit?.release();
        return;
      }
      const goesOn = result.kind === 'continue';
      connection.outlet.send({
        type: 'auth',
        reasonCode: goesOn ? ReasonCode.continueAuthentication : ReasonCode.success,
        properties: { authenticationMethod: method, authenticationData: result.data },
      });
      if (!goesOn) {
        parts.metrics.authenticationsAccepted++;
        if (connection.admit(result)) this.admitted(connection, session);
        else connection.disconnect(ReasonCode.notAuthorized);
        return;
      }
      data = await connection.signIn.nextData();
    }
  }

  /** True if the connection stays that of its user, who owns the session. */
  private isSameUser({ user }: Session, { userName }: Acceptance): boolean {
    return !this.parts.isOwnersOnly || user === '' || user === userName;
  }

  /** A ban of the name that the connection has had was looked for when it was proved, and since then. */
  private isBanned(connection: Connection, { userName }: Acceptance): boolean {
    return userName !== connection.signIn.userName && endIfBannedAs(connection, this.parts.bans, userName);
  }

  /** Rules may have come with the sign-in. */
  private admitted(connection: Connection, session: Session): void {
    const { rights } = this.parts;
    connection.allowedMatch = null;
    if (!rights.checkNow(connection, session)) void rights.check(connection, session);
  }

  private refuse(connection: Connection, reasonCode: number, reason: string, told: SignInRefusal): void {
    const { metrics, clientLog } = this.parts;
    metrics.authenticationsRefused++;
    clientLog.refusedTo(connection, events['sign-in.refused'], told);
    connection.disconnect(reasonCode, reason);
  }
}
