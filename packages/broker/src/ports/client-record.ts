/** Records of clients, sessions and messages: answers to operators, as they travel between nodes. */
import type { ExplainAwayQuery, ExplainQuery } from './explanation.ts';
import type { FatesQuery } from './fate-record.ts';

/** Connected client, as a list shows it. Times are milliseconds since 1970. */
export interface ClientRecord {
  clientId: string;
  /** Null: the client is anonymous. */
  userName: string | null;
  address: string;
  listener: string;
  /** `3.1`, `3.1.1` or `5.0`. */
  version: string;
  connectedAt: number;
  keepAliveSeconds: number;
  /** 0: the session ends with the connection. */
  sessionExpirySeconds: number;
  subscriptions: number;
  /** Messages of QoS 1 and 2 on their way to the client. */
  inFlight: number;
  /** Messages that wait for the client in memory; those in logs are not among them. */
  waiting: number;
  /** Bytes that the socket has not taken. */
  outputBytes: number;
}

export interface SubscriptionRecord {
  filter: string;
  qos: 0 | 1 | 2;
  noLocal: boolean;
  retainAsPublished: boolean;
  identifiers: number[];
  /** Messages that wait in the log of the filter; null: it has none. */
  logged: number | null;
}

export interface ClientDetail extends ClientRecord {
  isBridge: boolean;
  /** Messages of QoS 2 from the client that wait for PUBREL. */
  inFlightInbound: number;
  receiveMaximum: number | null;
  hasWill: boolean;
  /** The first subscriptions, at most a thousand; `subscriptions` is the number of all. */
  subscriptionList: SubscriptionRecord[];
}

/** End of a client's connection. */
export interface DisconnectRecord {
  /** Milliseconds since 1970. */
  at: number;
  /** Reason under which it was counted. */
  reason: string;
  /** Reason code of the DISCONNECT, from either side; 0: none, or a normal one. */
  code: number;
  address: string;
}

/** A client at one worker. */
export interface ClientAnswer {
  /** Null: it is not connected there. */
  client: ClientDetail | null;
  /** Null: none is remembered. */
  lastDisconnect: DisconnectRecord | null;
}

export interface ClientPage {
  clients: ClientRecord[];
  hasMore: boolean;
}

/** Part of all connected clients, in the order of their identifiers. Empty texts match all. */
export interface ClientListQuery {
  kind: 'clients';
  /** Identifier before the first one; null: from the start. */
  after: string | null;
  limit: number;
  /** Identifiers, with `*` for any characters. */
  clientId: string;
  userName: string;
  /** Beginning of the address. */
  address: string;
}

export interface PublishQuery {
  kind: 'publish';
  topic: string;
  /** Base64. */
  payload: string;
  qos: 0 | 1 | 2;
  retain: boolean;
  properties: {
    messageExpiryInterval?: number;
    contentType?: string;
    responseTopic?: string;
    /** Base64. */
    correlationData?: string;
    payloadFormatIndicator?: 0 | 1;
    userProperties?: [string, string][];
  };
}

/** Retained message, as a list shows it. */
export interface RetainedRecord {
  topic: string;
  qos: 0 | 1 | 2;
  /** Base64; the beginning of a longer one. */
  payload: string;
  payloadBytes: number;
  /** Milliseconds since 1970; null: never. */
  expiresAt: number | null;
}

export interface RetainedRecordPage {
  messages: RetainedRecord[];
  next: string | null;
}

export interface RetainedQuery {
  kind: 'retained';
  filter: string;
  /** `next` of the page before; null: from the start. */
  after: string | null;
  limit: number;
  /** Bytes of each payload that are wanted. */
  payloadBytesMax: number;
  /** True: the messages of the page are removed, as an empty retained PUBLISH does. */
  removes: boolean;
}

/** Sends clients of a worker to other nodes, those first that have been connected longest. Answered with how many will go. */
export interface SendAwayQuery {
  kind: 'send-away';
  /** Part of the connections, from 0 to 1. */
  share: number;
  /** Time over which they are sent away, evenly. */
  spreadMilliseconds: number;
  /** Server Reference for MQTT 5 clients; empty: they are told no other server. */
  serverReference: string;
}

export type Query =
  | ClientListQuery
  | { kind: 'client'; clientId: string }
  | { kind: 'kick'; clientId: string; reason: string }
  | { kind: 'end-session'; clientId: string }
  | { kind: 'forget-session'; clientId: string }
  | { kind: 'receivers'; topic: string }
  | PublishQuery
  | RetainedQuery
  | ExplainQuery
  | ExplainAwayQuery
  | FatesQuery
  | SendAwayQuery
  /** New connections are refused from now on, or taken again. */
  | { kind: 'cordon'; isCordoned: boolean }
  | { kind: 'node' };

/** Answer of one endpoint. Null: it gave none in time. */
export interface QueryAnswer {
  endpoint: string;
  body: string | null;
}

/** Endpoints that are asked: the one that is told to, all of one node, or all of all nodes. */
export type Asked = { who: 'one' } | { who: 'node'; node: string } | { who: 'all' };
