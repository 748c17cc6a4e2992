import type { ListenerTls } from '@dunlin/config';

/** Error of a failed TLS handshake. */
export interface HandshakeError {
  code?: string;
  message: string;
  /**
   * Reason why the client's certificate was refused, as OpenSSL names it; null: it was accepted, or none was looked at.
   */
  authorizationError: string | null;
}

const notTls = 'these bytes are not TLS, which this listener requires';
const distrust = 'the client does not trust the certificate that it was shown';

const sentences: Readonly<Record<string, string>> = {
  ERR_SSL_WRONG_VERSION_NUMBER: notTls,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: notTls,
  ERR_SSL_HTTP_REQUEST: `this looks like HTTP: ${notTls}`,
  ERR_SSL_HTTPS_PROXY_REQUEST: `this looks like HTTP: ${notTls}`,
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: distrust,
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: distrust,
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: distrust,
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: distrust,
  ERR_SSL_NO_SHARED_CIPHER: 'the client offers no cipher that is known here',
  ERR_TLS_HANDSHAKE_TIMEOUT: 'the handshake did not come to its end in time',
  ECONNRESET: 'the client went away within the handshake: it may not trust the certificate that it was shown',
};

/** A sentence for the log: what was wrong, and what the listener allows. */
export function handshakeFault({ code, message, authorizationError }: HandshakeError, tls: ListenerTls): string {
  if (authorizationError !== null && /CRL|REVOKED/.test(authorizationError))
    return `the client's certificate is withdrawn, or no valid list of clientCrl is of its authority (${authorizationError})`;
  if (authorizationError !== null)
    return `the client's certificate is not of an authority in clientCa, or has expired (${authorizationError})`;
  if (code === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE')
    return `no client certificate, and this listener requires one (${code})`;
  if (code === 'ERR_SSL_UNSUPPORTED_PROTOCOL')
    return `TLS of a version below ${tls.minimumVersion}, which is the least allowed (${code})`;
  const sentence = sentences[code ?? ''];
  return sentence === undefined ? (code ?? message) : `${sentence} (${code})`;
}
