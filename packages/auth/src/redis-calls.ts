/**
 * Calls to Redis that device tokens need. A call is made at most once; it rejects at once while there is no connection.
 */
export interface RedisCalls {
  /** `key`: the one that the command is about, for Cluster. Texts in replies are buffers. */
  call(key: string, name: string, args: readonly string[]): Promise<unknown>;
}
