/** A message of the run, as its publisher knows it. Times are milliseconds since the start of the run. */
export interface Message {
  readonly publisher: string;
  readonly topic: string;
  /** 1, 2, 3 … for each topic. */
  readonly sequence: number;
  readonly sentAt: number;
  /** The address it was sent through at first. */
  readonly address: string;
  /** PUBACK or PUBREC; null while it has not come. */
  acknowledgedAt: number | null;
  resent: number;
  /** True when it was not acknowledged, and will not be sent again: it may arrive, or not, at any time. */
  isGivenUp: boolean;
}

/** `publisher sequence time`. The rest of what is known of it has its publisher. */
export function writeMessage({ publisher, sequence, sentAt }: Message): Buffer {
  return Buffer.from(`${publisher} ${sequence} ${Math.round(sentAt)}`);
}

/** Publisher and number of a payload; null: it is no message of ours. */
export function readMessage(payload: Uint8Array): { publisher: string; sequence: number } | null {
  const match = /^(\S+) (\d+) \d+$/.exec(Buffer.from(payload).toString());
  return match === null ? null : { publisher: match[1], sequence: Number(match[2]) };
}
