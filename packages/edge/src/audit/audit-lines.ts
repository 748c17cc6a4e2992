import type { Audit, AuditEvent, LogFields } from '@dunlin/broker/ports';

/** Characters of one field: identifiers and names are as long as clients like. */
const fieldCharactersMax = 256;

/** Fields of every record. `kind` tells them from lines of the log where both go to standard output. */
export function ownFields(node: string, worker?: number): Readonly<Record<string, unknown>> {
  return { kind: 'audit', node, ...(worker === undefined ? {} : { worker }) };
}

/** One record as a line of JSON. */
export function auditLine(
  event: string,
  own: Readonly<Record<string, unknown>>,
  fields: Readonly<Record<string, unknown>>,
): string {
  const cut = (_name: string, value: unknown): unknown =>
    typeof value === 'string' && value.length > fieldCharactersMax
      ? `${value.slice(0, fieldCharactersMax).toWellFormed()}… (${value.length} characters)`
      : value;
  return `${JSON.stringify({ time: new Date().toISOString(), ...own, event, ...fields }, cut)}\n`;
}

/** Audit log of one thread: the records of a turn go on in one piece. */
export class AuditLines implements Audit {
  readonly #own: Readonly<Record<string, unknown>>;
  readonly #pass: (lines: string) => void;
  #lines = '';

  /** `own`: fields of every record. `pass`: takes whole lines. */
  constructor(own: Readonly<Record<string, unknown>>, pass: (lines: string) => void) {
    this.#own = own;
    this.#pass = pass;
  }

  record<Field extends string>(event: AuditEvent<Field>, fields: LogFields<NoInfer<Field>>): void {
    if (this.#lines === '') setImmediate(() => this.flush());
    this.#lines += auditLine(event.name, this.#own, fields);
  }

  flush(): void {
    if (this.#lines !== '') this.#pass(this.#lines);
    this.#lines = '';
  }
}
