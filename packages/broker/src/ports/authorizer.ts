/** Identity of the client: one object for each connection, for as long as it lives. */
export interface ClientIdentity {
  readonly clientId: string;
  /** The name that the client has proved to have; null: none. */
  readonly userName: string | null;
  readonly remoteAddress: string;
  /** Permissions from the authenticator; absent: none. */
  readonly rules?: unknown;
  /** The authorizer's own notes on this client: the rules that apply to it, answers given. Nobody else looks at them. */
  notes?: unknown;
}

/**
 * Port: who may do what. Asked for each filter of a SUBSCRIBE, each will, and each PUBLISH; a connection remembers the answer `true` for the topic that it
 * published to last, for QoS 0 without RETAIN. When answers change, `Broker.rulesChanged` must be called.
 */
export interface Authorizer {
  /** True: an answer holds for a while only, and the authorizer itself keeps it for as long; nobody else may remember it. */
  readonly answersExpire?: boolean;
  /** True if the client may connect, under its name and with its identifier; absent: yes. */
  mayConnect?(client: ClientIdentity): boolean | Promise<boolean>;
  /**
   * False for everything that is not clearly allowed. `topic`: a topic name or filter, without `$share/{group}/` and
   * `$delayed/{seconds}/`. `group`: name of the shared group that a subscription joins; absent: none.
   */
  authorize(
    client: ClientIdentity,
    action: 'publish' | 'subscribe',
    topic: string,
    qos: 0 | 1 | 2,
    retain: boolean,
    group?: string,
  ): boolean | Promise<boolean>;
}
