// For docs/errors.md alone: nothing that runs imports it.
import type { ErrorTable } from '@dunlin/protocol';
import type { ControlError } from './admin/control-socket.ts';
import type { GatheringError } from './api/gathering.ts';
import type { ApiError } from './api/problem.ts';
import type { CrlError } from './listeners/crl.ts';
import type { ListenError } from './listeners/listen-failure.ts';
import type { TooFewFilesError } from './open-files.ts';
import type { SecretFileError } from './secret-file.ts';
import type { StoppedError } from './stopped-error.ts';
import type { DataDirectoryError } from './store/data-directory.ts';
import type { DataInUseError } from './store/data-lock.ts';
import type { StoreThreadError } from './store/store-thread.ts';
import type { WorkerError } from './workers/worker-thread.ts';

const atStart = '`dunlin start`: standard error, exit code 1';

export const errorTable = {
  ListenError: {
    'cannot-listen': {
      says: 'cannot listen at tcp://HOST:PORT: the reason of the system; and what to do about it',
      thrownWhen: 'a port is in use or privileged, or the machine does not have the address',
      remedy: 'Stop the other process, or choose another port or address.',
      surfaces: atStart,
    },
  },
  CrlError: {
    crl: {
      says: 'it is not DER, or where it ends',
      thrownWhen: 'a list of `clientCrl` is PEM and not what it should hold',
      remedy: 'Write the list as the authority gives it out (`openssl crl -in FILE -noout -text` shows it).',
      surfaces:
        'as a fault of the configuration; of a file that changes while the node runs, `certificates.reload-failed` in the log',
    },
  },
  ControlError: {
    'control-unavailable': {
      says: 'no node can be asked at PATH/control.sock: the reason',
      thrownWhen:
        'a command wants to ask the node that runs on a data directory, and none does, or it may not open the socket',
      remedy: 'Start the node, give its `--data`, and run the command as the user who runs the node.',
      surfaces: '`dunlin ban`, `dunlin status` and all that ask a node: standard error, exit code 3',
    },
    'control-refused': {
      says: 'what was given, and what is allowed',
      thrownWhen: 'a node refuses what a command asks for',
      remedy: 'As the message says.',
      surfaces: '`dunlin ban`: standard error, exit code 2; other commands: exit code 1',
    },
  },
  ApiError: {
    'request-refused': {
      says: 'what was given, and what is allowed',
      thrownWhen: 'a request to the administration API has no key, a scope that is too low, or an input that is wrong',
      remedy: 'As `detail` of the answer says; docs/api.md has the statuses.',
      surfaces: 'the answer: `application/problem+json`',
    },
  },
  GatheringError: {
    'no-answer': {
      says: 'which worker has not answered, and how long it was waited for',
      thrownWhen: 'the administration API needs a worker of its node, and none answers',
      remedy: 'Ask again: another worker is asked each time. `/healthz` says whether a worker hangs.',
      surfaces: 'the answer: 503',
    },
  },
  DataInUseError: {
    'data-in-use': {
      says: 'another node uses the data directory PATH; and what to do about it',
      thrownWhen: 'a node starts in the data directory of a node that runs',
      remedy: 'Stop the other node, or give this one another `store.path`.',
      surfaces: atStart,
    },
  },
  DataDirectoryError: {
    'data-directory': {
      says: 'store.path: the directory PATH cannot be made: the reason; or: cannot lock the data directory PATH by FILE: the reason',
      thrownWhen: 'the data directory cannot be made, or cannot be locked',
      remedy: 'Give the user of the node the right to write there, or choose another `store.path`.',
      surfaces: atStart,
    },
  },
  TooFewFilesError: {
    'too-few-files': {
      says: 'open files: this process may have N, and needs M before the first client; and what to raise or lower',
      thrownWhen: 'the limit of open files does not even allow the threads of the node',
      remedy: 'Raise the limit (`ulimit -n`, `LimitNOFILE=`), or lower `workers`.',
      surfaces: atStart,
    },
  },
  WorkerError: {
    'worker-not-started': {
      says: 'the message of the error that kept the worker from starting',
      thrownWhen: 'a worker cannot open its store or join the cluster',
      remedy: 'The log line of the worker has the error itself.',
      surfaces: `${atStart}. For a worker that takes the place of another: log line, and it is tried again`,
    },
    'worker-silent': {
      says: 'worker N gives no answer within M ms',
      thrownWhen: 'a worker that is to put a question of an operator is busy or hangs',
      remedy: 'Ask again: another worker is asked each time.',
      surfaces: 'the administration API: the node is named in `incomplete`',
    },
    'worker-ended': {
      says: 'worker N ended with code M',
      thrownWhen: 'a worker thread ends though nobody stopped it',
      remedy: 'Report it, with the `error` of the log line. Another worker takes its place.',
      surfaces: 'log: field `error`; its clients connect again',
    },
  },
  StoreThreadError: {
    'store-thread-ended': {
      says: 'the store thread ended with code N',
      thrownWhen: 'the thread that holds the memory store ends though nobody stopped it',
      remedy: 'Report it, with the `error` of the log line. The node stops, since what the store held is lost.',
      surfaces: 'log: field `error`, exit code 1',
    },
  },
  SecretFileError: {
    'secret-file': {
      says: 'the file is empty; or: the key in it is too short',
      thrownWhen:
        'a file with a password, certificate or key is empty when it is read again, or `admin.keyFile` holds a key that could be guessed',
      remedy: 'Write the file. What it held before stays in use.',
      surfaces: `log: field \`error\`, once until the file can be read again. ${atStart} for a short key`,
    },
  },
  StoppedError: {
    'node-stopped': {
      says: 'the node was stopped before it had started',
      thrownWhen: 'a signal stops the node while it starts',
      remedy: 'None: the node was stopped on demand.',
      surfaces: 'nowhere: the node stops, exit code 0',
    },
  },
} satisfies ErrorTable<{
  ApiError: ApiError;
  GatheringError: GatheringError;
  CrlError: CrlError;
  ControlError: ControlError;
  ListenError: ListenError;
  DataInUseError: DataInUseError;
  DataDirectoryError: DataDirectoryError;
  TooFewFilesError: TooFewFilesError;
  WorkerError: WorkerError;
  StoreThreadError: StoreThreadError;
  SecretFileError: SecretFileError;
  StoppedError: StoppedError;
}>;
