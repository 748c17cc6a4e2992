import { logEvents } from '@dunlin/broker/ports';

/** Log lines of this package; log-meanings.ts says what they mean. */
export const events = logEvents({
  'access.reload-failed': {
    level: 'error',
    message: 'the configuration was reloaded in part: passwords, keys and rules stay as they were',
    fields: ['error', 'changed'],
  },
  'access.reloaded': {
    level: 'info',
    message: 'passwords, keys and rules were reloaded',
    fields: [],
  },
  'admin-key.needed': {
    level: 'info',
    message: 'the administration API has no key: set admin.keyFile',
    fields: [],
  },
  'admin-key.written': {
    level: 'info',
    message: 'the first key of the administration API was made',
    fields: ['file'],
  },
  'admin.opened': {
    level: 'info',
    message: 'the node answers over HTTP',
    fields: ['address'],
  },
  'administration.done': {
    level: 'info',
    message: 'an operator has changed something',
    fields: ['action', 'by', 'target'],
  },
  'administration.failed': {
    level: 'error',
    message: 'a request to the administration API failed',
    fields: ['error'],
  },
  'administration.refused': {
    level: 'warn',
    message: 'the administration API was asked with a wrong key',
    fields: ['address', 'refusals'],
  },
  'audit.write-failed': {
    level: 'error',
    message: 'the audit log cannot be written',
    fields: ['file', 'error', 'errorCode?'],
  },
  'audit.written-again': {
    level: 'info',
    message: 'the audit log is written again',
    fields: ['file'],
  },
  'ban.added': {
    level: 'info',
    message: 'a ban was added by a command',
    fields: ['client', 'user', 'address', 'reason', 'by', 'endsAt'],
  },
  'ban.removed': {
    level: 'info',
    message: 'a ban was removed by a command',
    fields: ['client', 'user', 'address', 'by'],
  },
  'certificates.reload-failed': {
    level: 'error',
    message: 'the certificates of a listener were not reloaded',
    fields: ['listener', 'reason'],
  },
  'certificates.reloaded': {
    level: 'info',
    message: 'the certificates of a listener were reloaded',
    fields: ['listener', 'certificates'],
  },
  'cluster-secret.reload-failed': {
    level: 'error',
    message: 'the secret of the cluster cannot be used; the one before stays',
    fields: ['file', 'error', 'errorCode?'],
  },
  'configuration.key-renamed': {
    level: 'warn',
    message: 'the configuration has a key under its old name',
    fields: ['warning'],
  },
  'configuration.reload-failed': {
    level: 'error',
    message: 'the configuration was not reloaded',
    fields: ['error', 'errorCode?'],
  },
  'configuration.reload-incomplete': {
    level: 'warn',
    message: 'the configuration was reloaded in part',
    fields: ['changed'],
  },
  'configuration.reloaded': {
    level: 'info',
    message: 'the configuration was reloaded',
    fields: ['changed'],
  },
  'configuration.start-needed': {
    level: 'warn',
    message: 'changed keys take effect at the next start only',
    fields: ['keys'],
  },
  'control.listen-failed': {
    level: 'warn',
    message: 'commands cannot reach this node: its socket could not be opened',
    fields: ['path', 'error'],
  },
  'data-directory.exposed': {
    level: 'warn',
    message: 'other users can get at the data directory: chmod 700 it, and 600 its files',
    fields: ['path', 'directory', 'file'],
  },
  'disk.writes-accepted': {
    level: 'info',
    message: 'the disk takes writes again',
    fields: ['directory'],
  },
  'disk.writes-refused': {
    level: 'error',
    message: 'the disk takes no writes: publishes to durable sessions wait',
    fields: ['directory', 'freeBytes', 'error', 'errorCode?'],
  },
  'drain.began': {
    level: 'info',
    message: 'the node accepts no more clients, and sends those it has away',
    fields: ['connections', 'milliseconds'],
  },
  'drain.finished': {
    level: 'info',
    message: 'the node is drained',
    fields: ['connections', 'milliseconds'],
  },
  'drain.progressed': {
    level: 'info',
    message: 'the node is draining',
    fields: ['connections'],
  },
  'drain.timed-out': {
    level: 'warn',
    message: 'clients are left when the time to send them away is over',
    fields: [],
  },
  'exception.uncaught': {
    level: 'error',
    message: 'an error was caught by nobody',
    fields: ['error'],
  },
  'files.exposed': {
    level: 'warn',
    message: 'every user of this machine can read files with secrets: chmod o-rwx them',
    fields: ['files'],
  },
  'files.writable': {
    level: 'warn',
    message: 'every user of this machine can change who may connect and do what: chmod o-w the files',
    fields: ['files'],
  },
  'handshake.failed': {
    level: 'info',
    message: 'handshake failed',
    fields: ['listener', 'address', 'reason', 'given?', 'allowed?'],
  },
  'listener.refused': {
    level: 'warn',
    message: 'a listener refuses connections',
    fields: ['listener', 'address', 'reason', 'given?', 'allowed?'],
  },
  'memory.became-critical': {
    level: 'error',
    message: 'memory is nearly used up: the largest buffers are given up',
    fields: ['usedBytes', 'limitBytes'],
  },
  'memory.became-high': {
    level: 'warn',
    message: 'memory is scarce: new connections and subscriptions are refused',
    fields: ['usedBytes', 'limitBytes'],
  },
  'memory.became-normal': {
    level: 'info',
    message: 'memory is no longer scarce',
    fields: ['usedBytes', 'limitBytes'],
  },
  'memory.collected': {
    level: 'debug',
    message: 'the memory of clients that have gone is free',
    fields: ['freedBytes'],
  },
  'memory.released': {
    level: 'debug',
    message: 'freed memory was given back to the system',
    fields: ['freedBytes', 'leftBytes', 'milliseconds'],
  },
  'node.became-ready': {
    level: 'info',
    message: 'the node is ready again',
    fields: [],
  },
  'node.became-unready': {
    level: 'warn',
    message: 'the node is not ready',
    fields: ['reasons'],
  },
  'node.failed': {
    level: 'error',
    message: 'the node cannot go on',
    fields: ['error'],
  },
  'node.launched': {
    level: 'info',
    message: 'the node starts',
    fields: ['version', 'runtime', 'pid', 'store', 'backplane?', 'cluster?', 'workers'],
  },
  'node.started': {
    level: 'info',
    message: 'the node is ready',
    fields: ['listeners', 'startMilliseconds'],
  },
  'node.stop-requested': {
    level: 'info',
    message: 'the node stops',
    fields: [],
  },
  'node.stop-timed-out': {
    level: 'error',
    message: 'the node did not stop in time',
    fields: ['after', 'hung'],
  },
  'node.stopped': {
    level: 'info',
    message: 'the node has stopped',
    fields: [],
  },
  'open-files.limited': {
    level: 'warn',
    message:
      'the limit of open files leaves room for fewer connections than limits.connectionsMax: raise ulimit -n (LimitNOFILE=), or lower limits.connectionsMax',
    fields: ['openFilesMax', 'openFilesNeeded', 'connectionsMax', 'connectionsAsked'],
  },
  'proxy.client-announced': {
    level: 'debug',
    message: 'a proxy connects for a client',
    fields: ['listener', 'proxy', 'address', 'serverName', 'commonName?'],
  },
  'proxy.self-announced': {
    level: 'debug',
    message: 'a proxy connects for itself',
    fields: ['listener', 'proxy', 'address', 'serverName', 'commonName?'],
  },
  'redis.writes-accepted': {
    level: 'info',
    message: 'Redis takes writes again',
    fields: [],
  },
  'redis.writes-refused': {
    level: 'error',
    message: 'Redis takes no writes: publishes to durable sessions wait',
    fields: ['error', 'errorCode?'],
  },
  'rejection.unhandled': {
    level: 'error',
    message: 'a failure was awaited by nobody',
    fields: ['error'],
  },
  'secret-file.read-again': {
    level: 'info',
    message: 'a file with a secret can be read again',
    fields: ['server', 'file'],
  },
  'secret-file.read-failed': {
    level: 'error',
    message: 'a file with a secret cannot be read; what it held before is used',
    fields: ['server', 'file', 'error', 'errorCode?'],
  },
  'jwks.exposed': {
    level: 'warn',
    message: 'the keys for tokens (JWKS) are fetched over the network without TLS',
    fields: ['url'],
  },
  'jwt.audience-unset': {
    level: 'warn',
    message: 'tokens that were issued for other services are accepted: jwt.audience is not set',
    fields: [],
  },
  'server.exposed': {
    level: 'warn',
    message: 'a server is reached over the network without TLS or without a password',
    fields: ['server', 'url', 'missing'],
  },
  'sessions.given-up': {
    level: 'warn',
    message: 'durable sessions are given up until this worker is known to live',
    fields: ['sessions'],
  },
  'tracing-variable.ignored': {
    level: 'warn',
    message: 'a variable of OpenTelemetry is not understood',
    fields: ['variable', 'given', 'allowed', 'instead'],
  },
  'worker.died': {
    level: 'error',
    message: 'a worker died; another takes its place',
    fields: ['worker', 'endpoint', 'code', 'error', 'inMilliseconds'],
  },
  'worker.evicted': {
    level: 'error',
    message: 'a worker was evicted and has ended; another takes its place',
    fields: ['worker', 'endpoint', 'code', 'error', 'inMilliseconds'],
  },
  'worker.release-failed': {
    level: 'error',
    message: 'the sessions and wills of a dead worker could not be released',
    fields: ['endpoint', 'error'],
  },
  'worker.replace-failed': {
    level: 'error',
    message: 'a worker could not be replaced',
    fields: ['worker', 'error'],
  },
  'worker.replaced': {
    level: 'info',
    message: 'a worker was replaced',
    fields: ['worker', 'endpoint'],
  },
  'worker.start-failed': {
    level: 'error',
    message: 'the worker cannot start',
    fields: ['error'],
  },
});
