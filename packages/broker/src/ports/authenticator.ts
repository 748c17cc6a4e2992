import type { ClientCertificate } from './transport.ts';

/** Port: who may connect. */
export interface Credentials {
  clientId: string;
  userName: string | null;
  password: Buffer | null;
  remoteAddress: string;
  listener: string;
  clientCertificate: ClientCertificate | null;
  version: 3 | 4 | 5;
}

/** `accept`: in, under this name. `refuse`: a reason code of CONNACK (0x86, 0x87, …). `continue`: enhanced authentication wants another AUTH from the client. */
export type AuthenticationResult =
  | { kind: 'accept'; userName: string | null; data?: Buffer }
  | { kind: 'refuse'; reasonCode: number; reason: string }
  | { kind: 'continue'; data: Buffer };

/** One conversation of enhanced authentication (MQTT 5, section 4.12). */
export interface AuthenticationExchange {
  step(data: Buffer): Promise<AuthenticationResult>;
}

export interface Authenticator {
  authenticate(credentials: Credentials): AuthenticationResult | Promise<AuthenticationResult>;
  /** Begins enhanced authentication; null: the method is not known here (0x8C). */
  exchange(method: string, credentials: Credentials): AuthenticationExchange | null;
}
