import { auditTable } from './audit.ts';

/** Fields of a client whose connection there is: `user` is who, `address` is from where. */
const client = ['client', 'user', 'address', 'listener'] as const;

/** Records of the audit log, of all packages; docs/audit.md is made of them. */
export const auditEvents = auditTable({
  'session.taken-over': {
    fields: [...client, 'fromEndpoint', 'fromAddress?'],
    meaning:
      'A client connected with the client identifier of a session that was in use: the connection before was ended. `fromEndpoint` and `fromAddress` are those of that connection.',
  },
  'sign-in.accepted': {
    fields: [...client, 'version'],
    meaning: 'A client has signed in. `user` is the name that it has proved to have; empty: it is anonymous.',
  },
  'sign-in.refused': {
    fields: [...client, 'claimedUser?', 'code', 'method?', 'reason'],
    meaning:
      'A client was not let in. `claimedUser` is the name that it gave, which it has not proved, and `method` the way of signing in that decided.',
  },
  'sign-in.withdrawn': {
    fields: [...client, 'reason'],
    meaning:
      'The credentials of a connected client were withdrawn, have expired, or are no longer accepted: its connection was ended.',
  },
});
