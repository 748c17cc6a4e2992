/** Identifies the writer of a session: refused when `epoch` is not the claim's current one. */
export interface SessionKey {
  clientId: string;
  epoch: number;
}
