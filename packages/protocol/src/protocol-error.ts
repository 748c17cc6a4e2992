import { CodedError } from './coded-error.ts';

/**
 * Violation of the protocol by a peer: the only error that the decoders throw.
 *
 * `reasonCode` is the MQTT 5.0 reason code to close with (0x81 malformed packet, 0x82 protocol error …); `statement` is
 * the broken rule, such as `MQTT-3.1.2-3`, or empty where the text numbers none.
 */
export class ProtocolError extends CodedError<'protocol-violation'> {
  readonly reasonCode: number;
  readonly statement: string;

  constructor(reasonCode: number, message: string, statement = '') {
    super('protocol-violation', statement === '' ? message : `${message} [${statement}]`);
    this.reasonCode = reasonCode;
    this.statement = statement;
  }
}
