/** A client's certificate that was verified: by TLS here, or by the load balancer that says so in its PROXY header. */
export interface ClientCertificate {
  /** The common name of its subject; empty when it has none, or several. */
  commonName: string;
  /**
   * Names such as `DNS:device-7.example`, `URI:spiffe://example/device-7`, `email:…`, `IP Address:…`; none from a PROXY
   * header.
   */
  subjectAltNames: string[];
  /** SHA-256 of the certificate, `AB:CD:…`; empty from a PROXY header. */
  fingerprint: string;
  /** Milliseconds since 1970; 0 from a PROXY header: not known. The connection ends then. */
  expiresAt: number;
  /** Issuer and serial number as lists of withdrawn certificates name it; empty from a PROXY header. */
  revocationName: string;
}

/** Port: one client's byte stream, whatever carries it. Bytes that arrive are given to `Connection.receive`. */
export interface Transport {
  /**
   * Sends bytes. True: the buffer may be used again. False: the transport keeps the buffer. Where bytes are pending after it, `Connection.drained` is
   * called once none are; not after true with up to 16 KiB, which is what a small write of TLS costs no callback for.
   */
  write(bytes: Buffer): boolean;
  /** Bytes accepted by `write` that have not left. */
  readonly pendingBytes: number;
  /** Grows with each byte that the system takes, also within a write that it has not taken whole. */
  readonly takenBytes: number;
  /** Stops and starts reading. */
  pause(): void;
  resume(): void;
  /** Sends what is pending, then closes. */
  end(): void;
  /** Closes at once. */
  destroy(): void;
  /** Address for logs and limits: `203.0.113.7:51034`, or `unix`. */
  readonly remoteAddress: string;
  /** Memory that it takes before it has received anything, roughly; undefined: as TCP does. */
  readonly ownBytes?: number;
  /** The name of the listener it came through. */
  readonly listener: string;
  /** Null: the client showed none, or was not asked for one. */
  readonly clientCertificate: ClientCertificate | null;
}
