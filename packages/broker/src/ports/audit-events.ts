import { auditTable } from './audit.ts';

/** Fields of a client whose connection there is: `user` is who, `address` is from where. */
const client = ['client', 'user', 'address', 'listener'] as const;

/** Records of the audit log, of all packages; docs/audit.md is made of them. */
export const auditEvents = auditTable({
  'access.changed': {
    fields: ['by', 'files', 'rulesSha256?'],
    meaning:
      'Users, passwords, keys or rules were read again and are others now. `files` are the keys of the configuration whose files have changed; `rulesSha256` says which rules hold; `by` is `SIGHUP`, or `file` where the change of the file itself was noticed.',
  },
  'administration.done': {
    fields: ['action', 'by', 'target'],
    meaning:
      'An operator has changed something through the administration API. `by` is the name of the key that was shown, or `control socket`: a command of the user who runs the node.',
  },
  'audit.dropped': {
    fields: ['records'],
    meaning:
      'The disk was slow or full, so that this many records were not written. They are between the record before and the one behind it.',
  },
  'ban.added': {
    fields: ['client', 'user', 'address', 'reason', 'by', 'endsAt'],
    meaning:
      'Clients are banned to whom all names given apply; `null`: any. `by` is who did it: the user of a command, or `dunlin` for a rule (guessing of passwords, flapping), which the worker records that made it. What is asked of a node is recorded by that node. With Redis the one worker of the cluster that does its regular work records what has changed there within a second: what a command has written itself, and, a second time, what a node was asked. It may be missing, or be there twice, where that worker ends in this second.',
  },
  'ban.removed': {
    fields: ['client', 'user', 'address', 'by?'],
    meaning:
      'A command has removed a ban before its end; `by` is the user of the command. Recorded as `ban.added` is; in Redis nobody keeps who removed it, and `by` is absent where a worker has found it gone.',
  },
  'certificates.changed': {
    fields: ['by', 'listener', 'certificates'],
    meaning: 'A listener shows other certificates, or trusts other authorities. `by` as in `access.changed`.',
  },
  'client.banned': {
    fields: [...client, 'reason'],
    meaning:
      'A client was refused, or its connection was ended, since it is under a ban. `reason` says until when, and what the ban says.',
  },
  'configuration.changed': {
    fields: ['by', 'keys', 'needStart'],
    meaning:
      'The configuration was read again. `keys` are those whose new values hold; those in `needStart` hold from the next start on.',
  },
  'node.started': {
    fields: ['version', 'pid', 'uid', 'listeners'],
    meaning: 'A node has started; `uid` is the user of the system whose process it is.',
  },
  'node.stopped': { fields: [], meaning: 'A node has stopped as it was asked to.' },
  'session.taken-over': {
    fields: [...client, 'fromEndpoint', 'fromAddress?'],
    meaning:
      'A client connected with the client identifier of a session that was in use: the connection before was ended. `fromEndpoint` and `fromAddress` are those of that connection.',
  },
  'sign-in.accepted': {
    fields: [...client, 'version', 'method'],
    meaning:
      'A client has signed in. `user` is the name that it has proved to have; empty: it is anonymous. `method` is how: one of `authentication.methods`, `SCRAM-SHA-256`, or `anonymous`.',
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
