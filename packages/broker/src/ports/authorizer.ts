/** Who asks. */
export interface ClientIdentity {
  clientId: string;
  userName: string | null;
  remoteAddress: string;
}

/** Port: who may do what. Asked for each filter of a SUBSCRIBE, each PUBLISH and each will. */
export interface Authorizer {
  /** False for everything that is not clearly allowed. */
  authorize(
    client: ClientIdentity,
    action: 'publish' | 'subscribe',
    topic: string,
    qos: 0 | 1 | 2,
    retain: boolean,
  ): boolean | Promise<boolean>;
}
