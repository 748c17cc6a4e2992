/**
 * Port: the audit log, which says what was allowed, refused and changed, by whom and from where. It is for those who ask later; the log is for those who operate.
 *
 * Contract: `record` never throws and never waits; a record that cannot be kept is dropped and counted. Fields are flat and hold no secret: names that were
 * proved, identifiers, addresses, reasons; never a password, a token or a text that may hold one.
 */
import type { LogFields } from './logger.ts';

/** Kind of audit record: a row of the table in audit-events.ts. Names and fields stay from release to release. */
export interface AuditEvent<Field extends string = string> {
  readonly name: string;
  /** Names of the fields; `name?` may be absent. */
  readonly fields: readonly Field[];
  /** Meaning of the record, for docs/audit.md. */
  readonly meaning: string;
}

export interface Audit {
  record<Field extends string>(event: AuditEvent<Field>, fields: LogFields<NoInfer<Field>>): void;
}

interface Row {
  fields: readonly string[];
  meaning: string;
}

/** A table of audit events, by their names: a noun, a dot, and what became of it. */
export function auditTable<const Rows extends Readonly<Record<string, Row>>>(
  rows: Rows,
): { readonly [Name in keyof Rows]: AuditEvent<Rows[Name]['fields'][number]> } {
  const events: Record<string, AuditEvent> = {};
  for (const [name, row] of Object.entries(rows)) events[name] = { name, ...row };
  return events as { [Name in keyof Rows]: AuditEvent<Rows[Name]['fields'][number]> };
}
