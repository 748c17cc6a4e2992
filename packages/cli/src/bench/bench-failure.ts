import { CodedError } from '@dunlin/protocol';

/** Reasons why a measurement could not be made. */
export const benchFailureCodes = {
  BENCH_CONNECT: 'the address does not accept connections',
  BENCH_REFUSED: 'the broker refused a client, a subscription or a message',
  BENCH_CLOSED: 'the broker closed a connection in the middle of a run',
  BENCH_STALLED: 'nothing was delivered for a while: the broker dropped messages or stopped',
  BENCH_OPTION: 'an option has a value that cannot be used',
} as const;

export type BenchFailureCode = keyof typeof benchFailureCodes;

/** The message says what happened; `code` is one of the table. */
export class BenchFailure extends CodedError<BenchFailureCode> {
  constructor(code: BenchFailureCode, message: string, options?: ErrorOptions) {
    super(code, message, options);
  }
}
