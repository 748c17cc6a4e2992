/** Every bound of this package that is not a time, once, each with its reason. */

/** Published bytes that the server has not confirmed by a round trip. Over it frames are dropped: the link above repeats what must not be lost. */
export const pendingBytesMax = 64 * 1024 * 1024;

/** A round trip is started after so many published bytes, if none is under way: pending bytes are known to about this much. */
export const roundTripBytes = 1024 * 1024;

/** The largest message in one piece, even if the server takes larger ones: a piece holds up what is behind it. */
export const pieceBytesMax = 1024 * 1024;

/** The largest bytes of one `send`: an MQTT packet of the largest size, 268,435,455 bytes, and as much again for what surrounds it. */
export const wholeBytesMax = 512 * 1024 * 1024;

/** Pieces kept for messages that are not complete, of all senders together. */
export const halfJoinedBytesMax = 512 * 1024 * 1024;

/** Names of endpoints that left, kept so that none comes back. Older ones are forgotten; an endpoint that old is evicted again when it goes silent. */
export const goneMax = 10_000;

/** Senders whose frames were refused and logged; beyond it the list starts anew. */
export const refusedSendersMax = 1000;

/**
 * Limit of remembered endpoints of the own node, so that their broadcasts cost one look-up. A node has some tens of
 * workers; restarts add names.
 */
export const ignoredMax = 1000;

/** UTF-8 bytes of an endpoint name: its length is one byte on the wire. */
export const nameBytesMax = 255;

/** Different errors of the server that are logged while a connection lasts. */
export const loggedMax = 100;
