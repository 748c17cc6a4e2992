/** What the fields of log lines are, for docs/log.md. */
export const logFields: Readonly<Record<string, string>> = {
  address: 'of the server (`host:port`), or of the client',
  cause: 'what lies behind the error; empty when nothing is known',
  error: 'what went wrong: a text, or an object with `type`, `message` and `stack`',
  furtherFailures: 'lines of the outage that were logged at level debug alone',
  kindsOfFailures: 'kinds of lines that were logged in the outage',
  machineBytes: 'memory of the machine that Redis runs on, as it says',
  policy: 'the `maxmemory-policy` of Redis',
  reason: 'why',
  to: 'where traces are sent',
  url: 'the address that was read',
};
