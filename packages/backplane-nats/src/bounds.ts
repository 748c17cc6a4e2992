/** Bounds of this package, except times, each once and with its reason. */

/**
 * Limit of published bytes that the server has not confirmed by a round trip. Above it frames are dropped: the link
 * above repeats what must not be lost.
 */
export const pendingBytesMax = 64 * 1024 * 1024;

/**
 * Published bytes after which a round trip is started, if none is under way: unconfirmed bytes are known to about this
 * much.
 */
export const roundTripBytes = 1024 * 1024;

/** The largest message in one piece, even if the server accepts larger ones: a piece delays what is behind it. */
export const pieceBytesMax = 1024 * 1024;

/**
 * Size limit of one `send`: an MQTT packet of the largest size, 268,435,455 bytes, and as much again for what surrounds
 * it.
 */
export const wholeBytesMax = 512 * 1024 * 1024;

/** Memory for pieces of incomplete messages, of all senders together. */
export const halfJoinedBytesMax = 512 * 1024 * 1024;

/**
 * Limit of remembered names of endpoints that left, so that none comes back. Older names are forgotten; an endpoint
 * that old is evicted again when it goes silent.
 */
export const goneMax = 10_000;

/** Limit of subjects whose keys are kept; above it all are derived anew. A cluster has some hundred endpoints. */
export const signedSubjectsMax = 5000;

/** Limit of remembered endpoints that were asked for a proof; above it the list is cleared. */
export const askedForProofMax = 2000;

/**
 * Limit of remembered endpoints of this node, so that their broadcasts cost one look-up. A node has some tens of
 * workers; restarts add names.
 */
export const ignoredMax = 1000;

/** Limit of an endpoint name in UTF-8 bytes: its length is one byte on the wire. */
export const nameBytesMax = 255;

/** Different errors of the server that are logged while a connection lasts. */
export const loggedMax = 100;
