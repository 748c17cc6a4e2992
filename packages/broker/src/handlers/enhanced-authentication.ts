/**
 * Enhanced authentication at CONNECT (MQTT 5 section 4.12): AUTH packets to and fro, before CONNACK. A name that the
 * client gives in them counts as one in CONNECT does: a ban of it, and a wait after failures under it, come before the
 * proof.
 */
import { ReasonCode } from '@dunlin/protocol';
import { refuseBanned } from '../connection/banned.ts';
import type { Connection } from '../connection/connection.ts';
import type { FailedSignIns } from '../connection/failed-sign-ins.ts';
import type { BanList } from '../guards/ban-list.ts';
import { ConnectionState } from '../output/connection-state.ts';
import type { AuthenticationExchange, AuthenticationResult } from '../ports/authenticator.ts';

export interface ConverseParts {
  bans: BanList;
  failedSignIns: FailedSignIns;
}

/** Result of the exchange. Null: the connection has ended, or is refused. */
export async function converse(
  parts: ConverseParts,
  connection: Connection,
  method: string,
  exchange: AuthenticationExchange,
  first: Buffer,
): Promise<Exclude<AuthenticationResult, { kind: 'continue' }> | null> {
  const { signIn } = connection;
  let data: Buffer | null = first;
  while (data !== null) {
    const result = await exchange.step(data);
    const name = exchange.claimedName ?? signIn.claimedName;
    const isNew = name !== signIn.claimedName;
    signIn.claimedName = name;
    if (result.kind !== 'continue') return result;
    if (isNew && !(await mayGoOn(parts, connection, name))) return null;
    connection.outlet.send({
      type: 'auth',
      reasonCode: ReasonCode.continueAuthentication,
      properties: { authenticationMethod: method, authenticationData: result.data },
    }); // [MQTT-4.12.0-2]
    data = await signIn.nextData();
  }
  return null;
}

/** False: the name that the client has given now is banned, or the connection has ended while it waited. */
async function mayGoOn(
  { bans, failedSignIns }: ConverseParts,
  connection: Connection,
  name: string | null,
): Promise<boolean> {
  if (refuseBanned(connection, bans, name)) return false;
  const turn = failedSignIns.turnOf(connection, name);
  if (turn !== null) await turn;
  return connection.state !== ConnectionState.closed;
}
