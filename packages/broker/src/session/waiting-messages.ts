/**
 * Messages that wait for room in one ephemeral session's window: a ring of records with limits in messages and bytes
 * (P7).
 */
import type { Publication } from '../message/publication.ts';

/** Length below which the empty front of the ring is not worth moving. */
const compactAt = 64;

export class WaitingMessages<Message extends { readonly publication: Publication }> {
  private items: Message[] = [];
  private head = 0;
  bytes = 0;

  get length(): number {
    return this.items.length - this.head;
  }

  /** The message that waits longest; undefined: none does. */
  get first(): Message | undefined {
    return this.items[this.head];
  }

  push(message: Message): void {
    this.items.push(message);
    this.bytes += message.publication.size;
  }

  shift(): Message | undefined {
    if (this.head === this.items.length) return undefined;
    const message = this.items[this.head++];
    this.bytes -= message.publication.size;
    if (this.head === this.items.length || (this.head >= compactAt && this.head * 2 > this.items.length)) {
      this.items.splice(0, this.head);
      this.head = 0;
    }
    return message;
  }
}
