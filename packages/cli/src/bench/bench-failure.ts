import { CodedError } from '@dunlin/protocol/coded-error';

/** Codes of another form than those of other errors: programs read them in the JSON that `dunlin bench` prints. */
export type BenchFailureCode = 'BENCH_CONNECT' | 'BENCH_REFUSED' | 'BENCH_CLOSED' | 'BENCH_STALLED' | 'BENCH_OPTION';

/** Failure of a measurement; the message says what happened. */
export class BenchFailure extends CodedError<BenchFailureCode> {}
