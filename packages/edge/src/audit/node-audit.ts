import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { type AuditEvent, auditEvents, type LogFields, type Logger } from '@dunlin/broker/ports';
import { AuditFile } from './audit-file.ts';
import { AuditLines, auditLine, ownFields } from './audit-lines.ts';

export interface NodeAuditParts {
  nodeId: string;
  /** A path, or `stdout` or `stderr`. */
  target: string;
  logger: Logger;
}

/**
 * Audit log of a node. Its supervisor writes, and nobody else: one write is under way for all threads together, so that a disk that hangs takes one of the system's
 * threads, and not those that sign clients in.
 */
export class NodeAudit {
  readonly #file: AuditFile;
  readonly #lines: AuditLines;

  /** @throws the file system's error */
  constructor({ nodeId, target, logger }: NodeAuditParts) {
    const own = ownFields(nodeId);
    const droppedRecord = (records: number): string => auditLine(auditEvents['audit.dropped'].name, own, { records });
    this.#file = new AuditFile({ target, logger, droppedRecord });
    this.#lines = new AuditLines(own, (lines) => this.#file.add(lines));
  }

  /** Records that were dropped since the start. */
  get dropped(): number {
    return this.#file.dropped;
  }

  record<Field extends string>(event: AuditEvent<Field>, fields: LogFields<NoInfer<Field>>): void {
    this.#lines.record(event, fields);
  }

  /** A port for the records of one more thread, in whole lines. */
  connect(): MessagePort {
    const { port1, port2 } = new MessageChannel();
    port1.on('message', (lines: string) => this.#file.add(lines));
    port1.unref();
    return port2;
  }

  reopen(): void {
    this.#file.reopen();
  }

  async close(): Promise<void> {
    this.#lines.flush();
    await this.#file.close();
  }
}
