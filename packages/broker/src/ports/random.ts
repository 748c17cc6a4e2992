import { randomUUID } from 'node:crypto';

/** Port: chance, so that a simulation can repeat itself. */
export interface Random {
  /** Draws a number from 0 up to, and without, 1. */
  number(): number;
  /** A name that nobody else gives. */
  uuid(): string;
}

export const systemRandom: Random = { number: Math.random, uuid: randomUUID };
