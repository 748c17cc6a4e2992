/** Port: who may do what. Answers are cached by the caller per connection and topic. */
export interface Authorizer {
  /** False for everything that is not clearly allowed. */
  authorize(
    client: { clientId: string; userName: string | null; remoteAddress: string },
    action: 'publish' | 'subscribe',
    topic: string,
    qos: 0 | 1 | 2,
    retain: boolean,
  ): boolean | Promise<boolean>;
}
