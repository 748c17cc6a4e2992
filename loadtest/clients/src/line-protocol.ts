/** A message as drivers take and show it. */
export interface Message {
  readonly topic: string;
  readonly payload: string;
  readonly qos: number;
  readonly retain: boolean;
}

/** The versions of the protocol that the story is told in. */
export type ProtocolLevel = 4 | 5;

/** Address that a driver connects to, and its identity. */
export interface Connecting {
  readonly transport: 'tcp' | 'ws';
  /** Port on 127.0.0.1; over WebSocket the path is `/mqtt`. */
  readonly port: number;
  readonly level: ProtocolLevel;
  readonly clientId: string;
  /** False: the session outlives the connection, in MQTT 5 for an hour. */
  readonly isClean: boolean;
  readonly will?: Message;
}

/** Feature that a library has not, by the steps of the story that need it. */
export type Lack = 'qos0' | 'qos1' | 'qos2' | 'will' | 'retained' | 'durable' | 'takeover' | 'lost';

/** The first line of a driver. */
export interface Features {
  readonly event: 'features';
  readonly levels: readonly ProtocolLevel[];
  readonly transports: readonly ('tcp' | 'ws')[];
  readonly lacks?: readonly Lack[];
}

/** Output of a driver, one object a line. `null`: the library does not tell. */
export type DriverEvent =
  | Features
  | { readonly event: 'connected'; readonly session: boolean | null }
  | { readonly event: 'refused'; readonly reason: string }
  | { readonly event: 'subscribed'; readonly granted: number | null }
  | { readonly event: 'published' }
  | { readonly event: 'failed'; readonly reason: string }
  | { readonly event: 'disconnected' }
  | { readonly event: 'lost' }
  | ({ readonly event: 'message' } & Message);

export type DriverEventOf<Kind extends DriverEvent['event']> = Extract<DriverEvent, { event: Kind }>;

/** The words of the command `connect`. */
export function connectCommand({ transport, port, level, clientId, isClean, will }: Connecting): (string | number)[] {
  const words = ['connect', transport, port, level, clientId, Number(isClean)];
  if (will === undefined) return words;
  return [...words, will.topic, will.qos, Number(will.retain), will.payload];
}

/** The event on a line; null for what else a library prints. */
export function readEvent(line: string): DriverEvent | null {
  if (!line.startsWith('{"event":')) return null;
  return JSON.parse(line);
}
