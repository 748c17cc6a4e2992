/** States of a connection, in their order; small integers, since every packet compares one. */
export const ConnectionState = { new: 0, connecting: 1, connected: 2, closed: 3 } as const;
