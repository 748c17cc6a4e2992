// For docs/log.md alone: nothing that runs in a node imports it.
import type { LogMeanings } from '@dunlin/broker';
import { events } from './log-events.ts';

export { events };

export const meanings: LogMeanings<typeof events> = {
  'access.reload-failed': {
    meaning:
      'One of the files of authentication or authorization has a fault, so none of them took effect. The other keys of the configuration did.',
    action: 'Correct the place that `error` names, and send SIGHUP again.',
  },
  'access.reloaded': {
    meaning: 'The files of authentication and authorization were read again. They hold for connected clients as well.',
    action: '',
  },
  'admin-key.needed': {
    meaning:
      'The node has `admin.address`, and neither `admin.keyFile` nor a data directory that a first key could be written to.',
    action: 'Nothing, if the API is not wanted. Otherwise set `admin.keyFile`, the same key at every node.',
  },
  'admin-key.written': {
    meaning: 'The store had no key, so the first one was written to this file. It has the scope `admin`.',
    action: 'Make keys of your own with `dunlin keys add`, then revoke `first`.',
  },
  'admin.opened': {
    meaning: '`/healthz`, `/readyz` and `/metrics` can be asked.',
    action: '',
  },
  'administration.done': {
    meaning:
      '`action` says what was done, `by` is the name of the key, or `control socket`, and `target` what it was done to.',
    action: '',
  },
  'administration.failed': {
    meaning: 'A request failed for no fault of its own.',
    action: 'Report it, with the error.',
  },
  'administration.refused': {
    meaning:
      'Requests came with keys that are not known, or were revoked; at most one line a second, `refusals` counts those since the last. After ten from one network each further one costs it a wait, up to a minute.',
    action: 'If it is no one of yours, keep `admin.address` off the networks that `address` comes from.',
  },
  'audit.write-failed': {
    meaning:
      'The disk of `audit.file` is full or refuses writes. Some 15,000 records wait; those beyond are dropped and counted (`dunlin_audit_dropped_total`), and the audit log says how many when it goes on. Clients notice nothing. Tried again each second.',
    action: 'Make room, or correct the permissions of the file.',
  },
  'audit.written-again': { meaning: 'After `audit.write-failed`.', action: '' },
  'ban.added': {
    meaning:
      '`dunlin ban add` has asked this node. In a cluster the command writes into Redis itself, and this line is missing.',
    action: '',
  },
  'ban.removed': {
    meaning: '`dunlin ban remove` has asked this node.',
    action: '',
  },
  'certificates.reload-failed': {
    meaning: 'A file of the listener cannot be used. It goes on with the certificates it has.',
    action: 'Correct what `reason` says, before the old certificate ends.',
  },
  'certificates.reloaded': {
    meaning: 'New TLS connections get the new certificate.',
    action: '',
  },
  'cluster-secret.reload-failed': {
    meaning:
      '`cluster.secretFile` has changed and does not hold one or two secrets. The node signs and accepts with those that it had. Logged once until the file can be used.',
    action: 'Write the file as docs/security.md shows.',
  },
  'configuration.key-renamed': {
    meaning: 'The key is still understood.',
    action: 'Rename the key as `warning` says before the release that ends the old name (docs/compatibility.md).',
  },
  'configuration.reload-failed': {
    meaning: 'The configuration has a fault. The node goes on with what it has.',
    action: 'Correct what `error` names, and send SIGHUP again.',
  },
  'configuration.reload-incomplete': {
    meaning:
      'Certificates of a listener were not reloaded (`certificates.reload-failed`), or changed keys take effect at the next start alone (`configuration.start-needed`).',
    action: 'See those lines.',
  },
  'configuration.reloaded': {
    meaning: 'All keys in `changed` took effect.',
    action: '',
  },
  'configuration.start-needed': {
    meaning: 'These keys cannot change while the node runs.',
    action: 'Restart the node when it suits.',
  },
  'control.listen-failed': {
    meaning:
      'The node serves its clients, but `dunlin ban` cannot ask it. `path` is the socket: it may be too long (103 bytes), or a file of another kind lies there.',
    action: 'Give a shorter `store.path`, or remove the file.',
  },
  'data-directory.exposed': {
    meaning:
      'The modes of the data directory or of its file let other users of the machine read sessions and messages, or change them.',
    action: '`chmod 700` the directory, `chmod 600` its files.',
  },
  'disk.writes-accepted': {
    meaning: 'Publishers that waited have their acknowledgements.',
    action: '',
  },
  'disk.writes-refused': {
    meaning:
      'The disk is full, read-only or broken, or the file has reached a limit of the process. Nothing that was acknowledged is lost.',
    action: 'Make room, or repair the disk. No restart is needed.',
  },
  'drain.began': {
    meaning: 'The listeners are closed; clients get DISCONNECT 0x9C or 0x8B over the time in `milliseconds`.',
    action: '',
  },
  'drain.finished': {
    meaning: 'All clients were disconnected.',
    action: '',
  },
  'drain.progressed': {
    meaning: 'Every second: clients that are left.',
    action: '',
  },
  'drain.timed-out': {
    meaning: '`drain.graceSeconds` is over. The clients that are left get DISCONNECT at once.',
    action:
      'Raise `drain.graceSeconds`, and the time that the system gives the process to end, or raise `drain.ratePerSecond`.',
  },
  'exception.uncaught': {
    meaning:
      'A fault of this program or of a library. The thread goes on; after 20 in ten seconds it ends, and another takes its place.',
    action: 'Report it with its stack.',
  },
  'files.exposed': {
    meaning: 'Files with passwords, keys or hashes of passwords can be read by all users.',
    action: '`chmod o-rwx` these files.',
  },
  'files.writable': {
    meaning: 'Files of authentication, authorization or TLS can be changed by all users.',
    action: '`chmod o-w` these files.',
  },
  'handshake.failed': {
    meaning: 'TLS or WebSocket did not come about with a client; `given` and `allowed` name what does not fit.',
    action: 'Correct the client, or the certificates and subprotocols of the listener.',
  },
  'listener.refused': {
    meaning:
      'A listener is full, the process may open no more files, or a proxy is not trusted or sends a wrong header. Once in ten seconds; refusals in between are `connection.refused`.',
    action: 'Do what `reason` says: raise the limit, or correct the proxy.',
  },
  'memory.became-critical': {
    meaning:
      'The process uses more than `limits.memoryCriticalPercent` of its memory, garbage not counted. QoS 0 to clients that do not read is dropped, then the largest queues of ephemeral sessions, then the connections with the most waiting bytes end (`memory.shed`).',
    action: 'Give the node more memory, or look for what takes it: docs/memory.md.',
  },
  'memory.became-high': {
    meaning:
      'The process uses more than `limits.memoryHighPercent` of its memory, garbage not counted. New connections get 0x89, new subscriptions 0x97, `/readyz` answers 503; connected clients go on.',
    action: 'Give the node more memory, add nodes, or look for what takes it: docs/memory.md.',
  },
  'memory.became-normal': {
    meaning: 'Memory is 5 % of the limit below the mark: new connections and subscriptions are taken again.',
    action: '',
  },
  'memory.collected': {
    meaning: 'After many connections have ended a worker collects its garbage.',
    action: '',
  },
  'memory.released': {
    meaning: 'The allocator returned pages that nothing uses.',
    action: '',
  },
  'node.became-ready': {
    meaning: '`/readyz` answers 200; load balancers may send clients.',
    action: '',
  },
  'node.became-unready': {
    meaning: '`/readyz` answers 503; load balancers send no new clients. Connected clients are served.',
    action: 'See to what `reasons` names: the store, NATS, the workers.',
  },
  'node.failed': {
    meaning:
      'A part that every worker needs has ended, such as the thread of the embedded store. The process ends with code 1.',
    action: 'Look at `error`; the supervisor of the process starts it again.',
  },
  'node.launched': {
    meaning: 'The first line of a node: what it is and which servers it uses.',
    action: '',
  },
  'node.started': {
    meaning: 'All listeners are open.',
    action: '',
  },
  'node.stop-requested': {
    meaning: 'Clients get DISCONNECT 0x8B, sessions are written back, the leases are given up.',
    action: '',
  },
  'node.stop-timed-out': {
    meaning: 'A part of the node hung while it stopped. The process ends with code 1; acknowledged messages are safe.',
    action: 'Report it with `hung`, unless the store or NATS hung at that time.',
  },
  'node.stopped': {
    meaning: 'The last line of a node.',
    action: '',
  },
  'open-files.limited': {
    meaning: 'Every connection needs an open file. Above `connectionsMax` connections new ones are closed at once.',
    action: 'Raise `ulimit -n` (`LimitNOFILE=`) to `openFilesNeeded`, or lower `limits.connectionsMax`.',
  },
  'proxy.client-announced': {
    meaning: 'The header of the PROXY protocol named a client.',
    action: '',
  },
  'proxy.self-announced': {
    meaning: 'The header of the PROXY protocol named no client: a health check.',
    action: '',
  },
  'redis.writes-accepted': {
    meaning: 'Publishers that waited have their acknowledgements.',
    action: '',
  },
  'redis.writes-refused': {
    meaning:
      'Redis is full (`maxmemory`), has too few replicas (`min-replicas-to-write`), cannot write its file (MISCONF), or is a replica now. Reading goes on; each node tries once a second.',
    action: 'Do what `error` asks for at Redis. Nothing at the nodes.',
  },
  'rejection.unhandled': {
    meaning:
      'A fault of this program or of a library. The thread goes on; after 20 in ten seconds it ends, and another takes its place.',
    action: 'Report it with its stack.',
  },
  'secret-file.read-again': {
    meaning: 'Its new content is used from the next connection on.',
    action: '',
  },
  'secret-file.read-failed': {
    meaning: 'A file with a password, key or certificate for `server` is missing, empty or may not be read.',
    action: 'Restore the file before the next restart: the node does not start without it.',
  },
  'jwks.exposed': {
    meaning:
      'The address of the keys begins with `http:` and is not on this machine. Who is on the way can answer with a key of its own, and sign in as anybody.',
    action: 'Set `jwt.jwksUrl` to an https address. On a network that nobody else reaches: nothing.',
  },
  'jwt.audience-unset': {
    meaning:
      'A token says in `aud` which services it is for, and nobody looks. Whoever has a token of the same issuer for another service can sign in here.',
    action:
      'Set `jwt.audience` to what your issuer writes into tokens for this broker. If it issues tokens for nothing else: nothing.',
  },
  'server.exposed': {
    meaning:
      'Redis or NATS is not on this machine. Without TLS, who is on the way reads all messages and passwords; without a password, who reaches the server can be a node.',
    action:
      'Give it a password and TLS, and NATS `cluster.secretFile` (docs/security.md). On a network that nobody else reaches: nothing.',
  },
  'sessions.given-up': {
    meaning:
      'The lease of the worker is over and it can reach neither the store nor NATS: other nodes may own its sessions by now. Their clients are disconnected and may go on elsewhere.',
    action: 'See to the network of this node.',
  },
  'tracing-variable.ignored': {
    meaning: 'The environment has an `OTEL_` variable with a value that is not known. `instead` is used.',
    action: 'Correct the variable.',
  },
  'worker.died': {
    meaning: 'A thread has ended. Its connections are closed, its sessions and wills are released.',
    action:
      'Report it with its `error`, unless it ran out of memory (raise the limit of the container, or lower `limits`).',
  },
  'worker.evicted': {
    meaning: 'Other nodes held the worker for dead (`endpoint.evicted`).',
    action: 'See why it stood still or was cut off.',
  },
  'worker.release-failed': {
    meaning: 'The store did not take it. Workers of the cluster try again.',
    action: 'See to the store.',
  },
  'worker.replace-failed': {
    meaning: 'The new worker did not start. It is tried again, less and less often.',
    action: 'Look at `error`; while it lasts the node has fewer workers.',
  },
  'worker.replaced': {
    meaning: 'The new worker has opened its listeners.',
    action: '',
  },
  'worker.start-failed': {
    meaning: 'Something that the worker needs cannot be had, such as an address to listen on.',
    action: 'Look at `error`.',
  },
};
