// The parts of values.schema.json that several values share or that have keys of their own.

const text = (description: string) => ({ type: 'string', minLength: 1, description });
const port = (description: string) => ({ type: 'integer', minimum: 1, maximum: 65535, description });
const oneOf = (values: readonly string[], description: string) => ({ enum: values, description });

/** The keys of a listener, in the order of the documents. */
export const listenerProperties: Readonly<Record<string, { readonly description: string }>> = {
  enabled: { type: 'boolean', description: '`false`: the listener is left out; `true` by default.' } as never,
  protocol: oneOf(['tcp', 'tls', 'ws', 'wss'], 'MQTT, MQTT over TLS, over WebSocket, over WebSocket with TLS.'),
  port: port('Port of the pod.'),
  servicePort: port('Port of the Service; that of the pod by default.'),
  nodePort: port(
    'Port of the machines, for a Service of type NodePort or LoadBalancer; Kubernetes chooses by default.',
  ),
  host: text('Address it is bound to; 0.0.0.0 by default.'),
  path: text('Path of a WebSocket; the default of the node is /mqtt.'),
  allowAnonymous: {
    type: 'boolean',
    description:
      'Clients need not authenticate. Without it, `config` must have an authentication method, or nodes do not start.',
  } as never,
  trustedProxies: {
    type: 'array',
    minItems: 1,
    items: { type: 'string' },
    description:
      'Ranges of addresses of the load balancers that put a PROXY header before each connection; then it is required.',
  } as never,
  'tls.existingSecret': text('A Secret with certificate and key; needed for `tls` and `wss`.'),
  'tls.certificateKey': text('Its key with the certificate; `tls.crt` by default.'),
  'tls.keyKey': text('Its key with the private key; `tls.key` by default.'),
  'tls.clientCaSecret': text('A Secret with the authorities that certificates of clients are checked against.'),
  'tls.clientCaKey': text('Its key; `ca.crt` by default.'),
  'tls.clientCertificates': oneOf(['request', 'require'], 'Whether clients must have one; `require` by default.'),
  options: {
    type: 'object',
    description: 'Further options of the listener, as in docs/configuration.md; they win.',
  } as never,
};

function nested(properties: Readonly<Record<string, object>>, prefix: string): Record<string, object> {
  const own = Object.entries(properties).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(own.map(([name, schema]) => [name.slice(prefix.length), schema]));
}

const topLevel = Object.fromEntries(Object.entries(listenerProperties).filter(([name]) => !name.includes('.')));
// The listeners that stand in values.yaml are there to be enabled, with a Secret still to be named.
const tls = { ...nested(listenerProperties, 'tls.'), existingSecret: { type: 'string' } };

const listener = {
  type: 'object',
  required: ['protocol', 'port'],
  additionalProperties: false,
  properties: { ...topLevel, tls: { type: 'object', additionalProperties: false, properties: tls } },
};

const quantity = { type: ['string', 'number'] };
const quantities = { type: 'object', additionalProperties: quantity };

/** `$defs` of values.schema.json. */
export const chartDefinitions = {
  listeners: {
    type: 'object',
    // What Kubernetes takes as the name of a port; the admin server has one of them.
    propertyNames: { pattern: '^[a-z][a-z0-9]*(-[a-z0-9]+)*$', maxLength: 15, not: { const: 'admin' } },
    additionalProperties: listener,
  },
  file: {
    type: 'object',
    required: ['name'],
    additionalProperties: false,
    properties: {
      name: { type: 'string', pattern: '^[a-z0-9]([a-z0-9-]{0,50}[a-z0-9])?$' },
      secret: { type: 'string', minLength: 1 },
      configMap: { type: 'string', minLength: 1 },
    },
    oneOf: [{ required: ['secret'] }, { required: ['configMap'] }],
  },
  resources: {
    type: 'object',
    additionalProperties: false,
    properties: { requests: quantities, limits: quantities, claims: { type: 'array', items: { type: 'object' } } },
  },
};
