/**
 * QoS 2 messages of durable publishers that the ephemeral subscribers of this worker have received.
 *
 * A publisher whose node died, or was cut off, repeats messages without PUBREC through another node. The logs have them
 * and accept each once (P2). Only the worker of an ephemeral subscriber knows whether that one has them: so a repeated
 * message is delivered once more, marked as a repetition, and each worker gives it to the subscribers that do not have
 * it.
 *
 * The numbers of a publisher grow, and come from one node in their order, so the last number received stands for those
 * before it. A repetition comes from another node: it may overtake the message itself.
 */
import type { AppendRequest } from '../ports/log-store.ts';

export type ProducerNumber = NonNullable<AppendRequest['producer']>;

/** Publishers remembered. A repeated message of a forgotten publisher is delivered to ephemeral subscribers twice. */
const producersMax = 50_000;
/**
 * Repetitions remembered that were delivered and may be overtaken by the message itself: the receive maximum of some
 * clients.
 */
const repetitionsMax = 10_000;

export class GivenMessages {
  private readonly last = new Map<string, number>();
  private readonly repeated = new Set<string>();

  /** A message arrives. False: its repetition was delivered before. */
  takes({ clientId, number }: ProducerNumber): boolean {
    if (this.repeated.size > 0 && this.repeated.delete(nameOf(clientId, number))) return false;
    this.last.set(clientId, number);
    if (this.last.size > producersMax) this.last.delete(this.last.keys().next().value as string);
    return true;
  }

  /** The repetition of a message arrives. False: the message was delivered before. */
  takesRepetition({ clientId, number }: ProducerNumber): boolean {
    if (number <= (this.last.get(clientId) ?? 0)) return false;
    const name = nameOf(clientId, number);
    if (this.repeated.has(name)) return false;
    this.repeated.add(name);
    if (this.repeated.size > repetitionsMax) this.repeated.delete(this.repeated.values().next().value as string);
    return true;
  }
}

function nameOf(clientId: string, number: number): string {
  return `${number} ${clientId}`;
}
