import { CodedError } from '@dunlin/protocol/coded-error';

export type StoreErrorCode =
  | 'fenced'
  | 'quota-exceeded'
  | 'other-user'
  | 'unavailable'
  | 'unknown-session'
  | 'unknown-group'
  | 'closed'
  | 'corrupt';

/** An operating failure of the store. `fenced`: the claim moved; `other-user`: it belongs to somebody else; `unavailable`: try again later. */
export class StoreError extends CodedError<StoreErrorCode> {
  constructor(code: StoreErrorCode, message: string, cause?: unknown) {
    super(code, message, { cause });
  }
}
