/** AUTH (MQTT 5 sections 3.15 and 4.12): enhanced authentication and re-authentication. */

import { decodeAuth, ProtocolError, ReasonCode } from '@dunlin/protocol';
import type { Connection } from '../connection/connection.ts';
import type { PacketHandler } from '../connection/packet-handlers.ts';
import { ConnectionState } from '../output/connection-state.ts';
import type { Authenticator } from '../ports/authenticator.ts';
import { events } from '../ports/log-events.ts';
import type { Logger } from '../ports/logger.ts';
import type { Session } from '../session/session.ts';

export interface AuthHandlerParts {
  logger: Logger;
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
      connection.disconnect(
        ReasonCode.badAuthenticationMethod,
        'this authentication method is not known here any more',
      );
      return;
    }
    let data: Buffer | null = first;
    while (data !== null) {
      const result = await exchange.step(data);
      if (result.kind === 'gone') return;
      if (result.kind === 'refuse') {
        connection.disconnect(result.reasonCode, result.reason);
        return;
      }
      const goesOn = result.kind === 'continue';
      connection.outlet.send({
        type: 'auth',
        reasonCode: goesOn ? ReasonCode.continueAuthentication : ReasonCode.success,
        properties: { authenticationMethod: method, authenticationData: result.data },
      });
      if (!goesOn) {
        if (!connection.admit(result)) connection.disconnect(ReasonCode.notAuthorized);
        return;
      }
      data = await connection.signIn.nextData();
    }
  }
}
