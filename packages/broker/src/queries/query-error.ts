import { CodedError } from '@dunlin/protocol';

/** A question that cannot be answered as it was asked. */
export class QueryError extends CodedError<'query-refused'> {
  constructor(message: string) {
    super('query-refused', message);
  }
}
