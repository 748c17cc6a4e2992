import { CodedError } from '@dunlin/broker/ports';

/** The node was stopped before it had started. */
export class StoppedError extends CodedError<'node-stopped'> {
  constructor() {
    super('node-stopped', 'the node was stopped before it had started');
  }
}
