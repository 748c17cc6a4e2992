import { isIP, isIPv4 } from 'node:net';
import { createSecureContext } from 'node:tls';
import { z } from 'zod';
import { authenticationMethods, methodList } from './access-keys.ts';

/** Schemes of a listener's URL. */
export const schemes = ['tcp', 'tls', 'ws', 'wss', 'unix'] as const;
export type Scheme = (typeof schemes)[number];

export const clientCertificateModes = ['off', 'request', 'require'] as const;
export type ClientCertificateMode = (typeof clientCertificateModes)[number];

export const tlsVersions = ['1.2', '1.3'] as const;
export type TlsVersion = (typeof tlsVersions)[number];

export const proxyModes = ['off', 'required', 'x-forwarded-for'] as const;
export type ProxyMode = (typeof proxyModes)[number];

/** Certificates of one listener; more are a mistake: each is a context of OpenSSL in every worker. */
export const certificatesMax = 1000;

const secure: readonly Scheme[] = ['tls', 'wss'];
const webSocket: readonly Scheme[] = ['ws', 'wss'];
const network: readonly Scheme[] = ['tcp', 'tls', 'ws', 'wss'];

/** `10.0.0.0/8`, `2001:db8::/32`, or an address alone. */
export function isAddressRange(text: string): boolean {
  const [address, bits, ...more] = text.split('/');
  if (more.length > 0 || isIP(address) === 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (isIPv4(address) ? 32 : 128));
}

/**
 * Origin as a browser sends it: `https://example.com`, `http://localhost:8080`; `null` for pages from files; `*` for
 * any.
 */
function isOrigin(text: string): boolean {
  return (
    text === '*' || text === 'null' || /^[a-z][a-z0-9+.-]*:\/\/(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?$/.test(text)
  );
}

/** False for a list that OpenSSL does not know. */
function isCipherList(ciphers: string): boolean {
  try {
    createSecureContext({ ciphers });
    return true;
  } catch {
    return false;
  }
}

const file = z.string().min(1);

const certificate = z.strictObject({
  cert: file.meta({ description: 'The certificate, and those between it and its authority, PEM.', allowed: 'a path' }),
  key: file.meta({ description: 'Its key, PEM, without a passphrase.', allowed: 'a path' }),
});

function whole(minimum: number, maximum: number, description: string, fallback: string) {
  const meta = { description, allowed: `a whole number from ${minimum} to ${maximum}`, defaultText: fallback };
  return z.int().min(minimum).max(maximum).optional().meta(meta);
}

/** YAML reads 1.2 as a number. */
const tlsVersion = z.union([z.enum(tlsVersions), z.literal(1.2), z.literal(1.3)]);

/**
 * Options of one listener beside its URL. `schemes`: the kinds of listener that an option makes sense for, absent: all.
 */
export const listenerOptions = {
  name: z.string().min(1).max(64).optional().meta({
    description: 'A name for logs and limits.',
    allowed: '1 to 64 characters',
    defaultText: 'the URL',
  }),
  allowAnonymous: z.boolean().optional().meta({
    description:
      'Clients need not authenticate. Must be set explicitly where other machines can connect and no authentication is configured.',
    allowed: 'true, false',
    defaultText: '`true` on loopback without authentication',
  }),
  authentication: methodList.optional().meta({
    description: 'Authentication methods of this listener, tried in this order.',
    allowed: `a list of ${authenticationMethods.join(', ')}`,
    defaultText: '`authentication.methods`',
  }),
  connectionsMax: whole(
    1,
    100_000_000,
    'Connections that one worker accepts here; more are closed at once.',
    'no limit',
  ),
  handshakeTimeoutSeconds: whole(
    1,
    3600,
    'How long each step before the first MQTT byte may take: the PROXY header, the TLS handshake, the request for a WebSocket.',
    '`10`',
  ),
  cert: file.optional().meta({
    description:
      'The certificate, PEM, with those between it and its authority. Read again at SIGHUP, and when the file changes, like all files of this table.',
    allowed: 'a path',
    defaultText: 'none',
    schemes: secure,
  }),
  key: file.optional().meta({
    description: 'The key of `cert`, PEM, without a passphrase.',
    allowed: 'a path',
    defaultText: 'none',
    schemes: secure,
  }),
  certificates: z.array(certificate).min(1).max(certificatesMax).optional().meta({
    description:
      'Several instead of `cert` and `key`. A client gets the one whose names include the host it asks for (SNI), else the first.',
    allowed: 'a list of { cert, key }',
    defaultText: 'none',
    schemes: secure,
  }),
  clientCa: file.optional().meta({
    description: 'The authorities that clients’ certificates are checked against, PEM.',
    allowed: 'a path',
    defaultText: 'none',
    schemes: secure,
  }),
  clientCrl: file.optional().meta({
    description:
      'Lists of the client certificates that their authorities have withdrawn (CRL), PEM: one of each authority in `clientCa`, and of those between. A list that has expired refuses everybody.',
    allowed: 'a path',
    defaultText: 'none',
    schemes: secure,
  }),
  clientCertificates: z
    .enum(clientCertificateModes)
    .optional()
    .meta({
      description:
        '`request`: clients are asked for a certificate and may have none; `require`: they must have one. A certificate that `clientCa` has not signed is refused in both.',
      allowed: clientCertificateModes.join(', '),
      defaultText: '`require` with `clientCa`, else `off`',
      schemes: secure,
    }),
  minimumTlsVersion: tlsVersion.optional().meta({
    description: 'The oldest accepted version of TLS.',
    allowed: tlsVersions.join(', '),
    defaultText: '`1.2`',
    schemes: secure,
  }),
  ciphers: z.string().min(1).max(1000).refine(isCipherList).optional().meta({
    description:
      'Ciphers for this listener, as OpenSSL writes them. Those with static RSA or DHE and SHA-1 are left out in any case.',
    allowed: 'a list of names with colons, such as ECDHE+AESGCM:TLS_AES_256_GCM_SHA384',
    defaultText: 'those of Node.js',
    schemes: secure,
  }),
  sessionResumption: z.boolean().optional().meta({
    description: 'Reconnecting clients may shorten the handshake with a session ticket, on any worker of the node.',
    allowed: 'true, false',
    defaultText: '`true`',
    schemes: secure,
  }),
  proxy: z
    .enum(proxyModes)
    .optional()
    .meta({
      description:
        '`required`: every connection begins with a PROXY protocol header, version 1 or 2, from one of `trustedProxies`; any other is refused. `x-forwarded-for` (ws, wss): a request for a WebSocket from one of `trustedProxies` has the address of the client in this header; from others the header is not looked at.',
      allowed: proxyModes.join(', '),
      defaultText: '`off`',
      schemes: network,
    }),
  trustedProxies: z.array(z.string().refine(isAddressRange)).min(1).optional().meta({
    description: 'The addresses of the load balancers whose header is trusted.',
    allowed: 'a list of IP addresses or ranges (10.0.0.0/8)',
    defaultText: 'none',
    schemes: network,
  }),
  origins: z.array(z.string().refine(isOrigin)).min(1).optional().meta({
    description:
      'Web pages that may connect, by their origin. `*`: all; `null`: pages from files. Clients that send no origin, as all but browsers, are not checked.',
    allowed: 'a list of origins (https://example.com, http://localhost:8080), null or *',
    defaultText:
      'the host that the client asked for, any port; on loopback without authentication only `localhost` and addresses',
    schemes: webSocket,
  }),
};

export type ListenerOptionName = keyof typeof listenerOptions;
export const listenerOptionNames = Object.keys(listenerOptions) as ListenerOptionName[];

/** Options of one listener in the file beside its URL; the types of what the table lets through. */
export type ListenerOptions = {
  [Name in ListenerOptionName]?: z.output<(typeof listenerOptions)[Name]>;
};
