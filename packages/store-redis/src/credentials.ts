/** Credentials and trust of one side of a connection to Redis. */
export interface RedisCredentials {
  /** Password that replaces the one in the URL. */
  password?: string;
  /** Password for Sentinel itself, when it asks for one. */
  sentinelPassword?: string;
  /** Certificates in PEM; without `ca` the authorities of the system. */
  ca?: Buffer;
  certificate?: Buffer;
  key?: Buffer;
}

/** Called before every connection, so that a changed password or certificate needs no restart. Never rejects. */
export type ReadCredentials = () => Promise<RedisCredentials>;

/**
 * True when the two sides do not agree on certificates or TLS: it does not pass by itself, and the message says why.
 */
export function isTlsFailure(error: Error): boolean {
  // Errors of Sentinel are wrapped in a text. A connection that ends during the handshake, as when a server stops, is
  // no disagreement.
  return (
    /certificate|\bSSL\b|key values mismatch/i.test(error.message) && !/ECONNRESET/.test(String(Object(error).code))
  );
}

/** Text of a TLS error without the place in the source of OpenSSL. */
export function tlsReason(error: Error): string {
  return error.message
    .replace(/[0-9A-F]+:error:[0-9A-F]+:/, '')
    .replace(/:[^:\s]+\.c:\d+:.*/s, '')
    .trim();
}

export function tlsOptions({ ca, certificate, key }: RedisCredentials): { ca?: Buffer; cert?: Buffer; key?: Buffer } {
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(certificate === undefined ? {} : { cert: certificate }),
    ...(key === undefined ? {} : { key }),
  };
}
