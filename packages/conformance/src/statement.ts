/** Side that a numbered statement binds: the server, the client, or whichever of the two plays the part. */
export type Binds = 'server' | 'client' | 'both';

/** Numbered normative statement of a version of the MQTT text. */
export interface Statement {
  /** Number as the text prints it, without brackets: `MQTT-3.1.2-24`. */
  readonly number: string;
  readonly binds: Binds;
  /** Demand of the statement, in our words. */
  readonly says: string;
  /**
   * Reason why no conversation with a broker can show the statement kept or broken. Without it a server statement needs
   * a test.
   */
  readonly unobservable?: string;
}

/** The protocol level of CONNECT: 4 is MQTT 3.1.1, 5 is MQTT 5.0. */
export type Level = 4 | 5;

/** The name of a protocol level, as titles and documents write it. */
export const levelNames: Readonly<Record<Level, string>> = { 4: 'MQTT 3.1.1', 5: 'MQTT 5.0' };

/** A statement on what a server does. */
export function server(number: string, says: string, unobservable?: string): Statement {
  return { number: `MQTT-${number}`, binds: 'server', says, unobservable };
}

/** A statement on what a client does. */
export function client(number: string, says: string): Statement {
  return { number: `MQTT-${number}`, binds: 'client', says };
}

/** A statement on either side. */
export function both(number: string, says: string, unobservable?: string): Statement {
  return { number: `MQTT-${number}`, binds: 'both', says, unobservable };
}
