export interface DrainOptions {
  /** Time over which the clients are sent away, evenly; 0: all at once. */
  spreadMilliseconds: number;
  /** Server Reference for MQTT 5 clients, as in MQTT 5 section 4.11; empty: they are not told. */
  serverReference: string;
  /** True: the node stays, so clients are told to use another server even where no reference says which. */
  stays?: boolean;
}

/**
 * Time from its turn within which a client's packets are answered, or not here: a store that is away must not keep the
 * node, and what is not acknowledged is sent again elsewhere. Long enough for a disk that is busy.
 */
export const drainAnswerMilliseconds = 1000;
