// For docs/errors.md alone: nothing that runs imports it.
import type { ErrorTable } from '@dunlin/protocol';
import type { BenchFailure } from './bench/bench-failure.ts';
import type { CommandError } from './exit-code.ts';

const inRow = '`dunlin bench`: in the row instead of figures; with `--json` as `failure.code`';

export const errorTable = {
  CommandError: {
    'command-failed': {
      says: 'what could not be done, and why',
      thrownWhen: 'a file cannot be written, a token does not exist, or the broker sends bytes that are not MQTT',
      remedy: 'As the message says.',
      surfaces: 'standard error, exit code 1',
    },
    'command-usage': {
      says: 'the option, what was given, and what is allowed',
      thrownWhen: 'options contradict each other, or have a value that is not allowed',
      remedy: 'Change the option that the message names; `dunlin COMMAND --help` lists them.',
      surfaces: 'standard error, exit code 2',
    },
    'command-refused': {
      says: 'cannot connect to HOST:PORT: the reason; or what the broker refused, with the name of its reason code',
      thrownWhen:
        'the broker or Redis cannot be reached, or the broker refuses the client, the publish or the subscription',
      remedy: 'Check the address, the credentials and the rules of the broker.',
      surfaces: 'standard error, exit code 3',
    },
    'command-timeout': {
      says: 'timed out after N s',
      thrownWhen: '`dunlin sub` has not received as many messages as `-C` asks for within the time of `-W`',
      remedy: 'Give more time with `-W`, or check that somebody publishes to the topic.',
      surfaces: 'standard error, exit code 4',
    },
  },
  BenchFailure: {
    BENCH_CONNECT: {
      says: 'cannot connect to HOST:PORT: the reason',
      thrownWhen: 'the address does not accept connections',
      remedy: 'Start the broker, or give its address.',
      surfaces: inRow,
    },
    BENCH_REFUSED: {
      says: 'what the broker refused, with its reason code',
      thrownWhen:
        'the broker refuses a client, a subscription or a message, or delivers a message that the run did not send',
      remedy: 'Allow the clients of the measurement what they need; use topics that nobody else uses.',
      surfaces: inRow,
    },
    BENCH_CLOSED: {
      says: 'the broker closed a connection',
      thrownWhen: 'a connection ends in the middle of a run',
      remedy: 'Look into the log of the broker.',
      surfaces: inRow,
    },
    BENCH_STALLED: {
      says: 'nothing was delivered for N s after M messages',
      thrownWhen: 'the broker drops messages or stops',
      remedy: 'Look into the log and the metrics of the broker; lower the rate or the window.',
      surfaces: inRow,
    },
    BENCH_OPTION: {
      says: 'the option, what was given, and what is allowed',
      thrownWhen: 'an option of `dunlin bench` has a value that cannot be used',
      remedy: 'Change the option that the message names.',
      surfaces: 'standard error, exit code 2',
    },
  },
} satisfies ErrorTable<{ CommandError: CommandError; BenchFailure: BenchFailure }>;
