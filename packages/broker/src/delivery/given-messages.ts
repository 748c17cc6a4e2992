/**
 * Which QoS 2 messages of durable publishers the ephemeral subscribers of this worker have been given.
 *
 * A publisher whose node died, or was cut off, sends what has no PUBREC again through another node. The logs have it and take it once (P2). Whether ephemeral subscribers
 * have it is known to nobody but where they are: so it is handed on once more, as a repetition, and each worker gives it to those who do not have it.
 *
 * The numbers of a publisher grow, and come from one node in their order, so the last one that came stands for those before it. A repetition comes from another node: it may
 * overtake the message itself.
 */
import type { AppendRequest } from '../ports/store.ts';

export type ProducerNumber = NonNullable<AppendRequest['producer']>;

/** Publishers remembered. One that is forgotten, and repeats a message, has it given to ephemeral subscribers twice. */
const producersMax = 50_000;
/** Repetitions that were given, and may be overtaken by what they repeat: a receive maximum of some clients. */
const repetitionsMax = 10_000;

export class GivenMessages {
  private readonly last = new Map<string, number>();
  private readonly repeated = new Set<string>();

  /** A message comes. False: its repetition was here before. */
  takes({ clientId, number }: ProducerNumber): boolean {
    if (this.repeated.size > 0 && this.repeated.delete(nameOf(clientId, number))) return false;
    this.last.set(clientId, number);
    if (this.last.size > producersMax) this.last.delete(this.last.keys().next().value as string);
    return true;
  }

  /** The repetition of a message comes. False: the message was here before. */
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
