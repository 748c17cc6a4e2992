import { z } from 'zod';
import { fileKey } from './store-keys.ts';

/** Names that stand in endpoint names, subjects and keys. */
export const namePattern = /^[A-Za-z0-9._-]{1,64}$/;
export const nameForm = '1 to 64 letters, digits, dots, dashes and underscores';

export const natsUrlForms = 'nats://[user:password@ or token@]host[:port], several with commas; tls:// for TLS';

/** Form of a NATS URL; the backplane itself reads what stands in it. */
const natsUrlPattern = /^((nats|tls):\/\/\S+)?$/;
const addressPattern = /^((\[[0-9A-Fa-f:.]+\]|[^\s:/?#[\]]+):\d{1,5})?$/;

/** Keys under `cluster`. */
export const clusterShape = {
  name: z.string().regex(namePattern).default('dunlin').meta({
    description:
      'Clusters of different names can share Redis and NATS: it begins the keys and is part of the subjects. The same on all nodes of one.',
    allowed: nameForm,
  }),
  secretFile: fileKey(
    'A file with the secret that all nodes of the cluster share, such as `openssl rand -base64 32` writes: with it every message between nodes is signed, and one that is not, or was sent before, is refused. Two secrets in two lines while it is changed: the first signs, both are accepted. Read again every five seconds.',
  ),
  allowUnsigned: z.boolean().default(false).meta({
    description:
      'Whether nodes without `cluster.secretFile` are heard too: for the time in which the secret is introduced, node by node.',
  }),
};

/** Keys under `backplane`. */
export const backplaneShape = {
  url: z.string().regex(natsUrlPattern).default('').meta({
    description:
      'The NATS servers through which the nodes of a cluster reach each other. Without it the node is alone.',
    allowed: natsUrlForms,
    defaultText: 'none',
    isSecret: true,
  }),
  passwordFile: fileKey(
    'A file with the password of the user that `backplane.url` names, or with the token if it names none. This file and those below are read again at every connection.',
  ),
  credentialsFile: fileKey('A file with the JWT and key of a NATS user, as `nsc` makes it.'),
  tlsCaFile: fileKey("Authorities that NATS' certificate is checked against, PEM; the system's without it."),
  tlsCertificateFile: fileKey('The certificate that is shown to NATS, PEM.'),
  tlsKeyFile: fileKey('The key of that certificate, PEM.'),
};

/** Keys under `admin`. */
export const adminShape = {
  address: z.string().regex(addressPattern).default('').meta({
    description:
      'Where the node answers over HTTP: `/healthz`, 200 unless the event loop of a worker has been silent for 30 s; `/readyz`, 200 while it is ready for clients, else 503 with the reasons; `/metrics` for Prometheus; `/api/v1`, the administration API (docs/administration.md), for those who have a key.',
    allowed: 'HOST:PORT, an IPv6 address in brackets',
    defaultText: 'none: no HTTP',
  }),
  keyFile: fileKey(
    'A file with a key of the administration API, at least 16 characters, which may do everything; it is read at every request. Without it a node with an embedded store writes its first key to the file admin.key in `store.path`.',
  ),
  hosts: z
    .array(z.string().regex(/^[A-Za-z0-9.-]+$/))
    .default([])
    .meta({
      description:
        'Names, beside addresses, `localhost` and the host of `admin.address`, under which requests to the administration API may come: others are refused, since a web page could let its name stand for this node.',
      allowed: 'names of hosts, without ports',
      defaultText: 'none',
    }),
  metricsKey: z.boolean().default(false).meta({
    description: 'Whether `/metrics` is answered to those alone who show a key with the scope `read` or above.',
  }),
};
