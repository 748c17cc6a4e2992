/** Decides which messages of NATS are used: with a secret of the cluster, those alone that are signed and of now. */
import type { EndpointId } from '@dunlin/broker';
import { answerAtOnce, type Envelope, Kind, senderOf, signedFlag, signedOnlyFlag } from './envelope.ts';
import { events } from './log-events.ts';
import type { Member } from './membership.ts';
import type { NatsBackplaneOptions, NatsCounters, SigningOptions } from './options.ts';
import { Proofs } from './proofs.ts';
import { type RefusalReason, Refusals } from './refusals.ts';
import { Sequences } from './sequences.ts';
import { Signing } from './signing.ts';
import type { Timings } from './timings.ts';

/** Place of the subject of this endpoint alone, among those that are listened to. */
const ownChannel = 0;

/** Flags beside the version in what an endpoint writes. */
export function flagsOf(signing: SigningOptions | undefined): number {
  if (signing === undefined) return 0;
  return signedFlag | (signing.allowUnsigned ? 0 : signedOnlyFlag);
}

export interface AdmissionParts {
  options: NatsBackplaneOptions;
  /** Subjects that are listened to; the first is that of this endpoint alone. */
  subjects: readonly string[];
  timings: Readonly<Timings>;
  counters: NatsCounters;
  member: (endpoint: EndpointId) => Member | null;
  /** Sends a heartbeat with these flags to one endpoint. */
  greet: (endpoint: EndpointId, flags: number) => void;
}

export class Admission {
  readonly #parts: AdmissionParts;
  readonly #signing: Signing | null;
  readonly #refusals: Refusals;
  readonly #proofs: Proofs;

  constructor(parts: AdmissionParts) {
    const { options, counters, timings } = parts;
    const { signing, clock, logger, refused } = options;
    this.#parts = parts;
    this.#signing = signing === undefined ? null : new Signing(signing.secrets);
    this.#refusals = new Refusals(clock, logger, (reason) => {
      counters.refused[reason]++;
      refused?.(reason);
    });
    this.#proofs = new Proofs(timings.heartbeatMilliseconds / 2, () => clock.now());
  }

  /** Reads the secrets again, from time to time. Returns a function that ends it. */
  watch(): () => void {
    const { options, timings } = this.#parts;
    const { signing, clock, logger } = options;
    if (signing === undefined) return () => undefined;
    return clock.every(timings.secretMilliseconds, () => {
      void signing.read().then((secrets) => {
        if (secrets === null || this.#signing?.replace(secrets) !== true) return;
        logger.info(events['cluster-secret.changed'], { secrets: secrets.length });
      });
    });
  }

  signed(subject: string, message: Buffer): Buffer {
    this.#signing?.sign(subject, message);
    return message;
  }

  refuse(reason: RefusalReason, from: string, error?: unknown): void {
    this.#refusals.refuse(reason, from, error);
  }

  /** Refuses what has no signature of a holder of the secret. Nothing of it was believed before, not even the sender. */
  isRefused(bytes: Uint8Array, channel: number): boolean {
    const isSigned = (bytes[0] & signedFlag) !== 0;
    if (this.#signing === null) {
      if (!isSigned || (bytes[0] & signedOnlyFlag) === 0) return false;
      this.refuse('needs-secret', senderOf(bytes));
      return true;
    }
    if (!isSigned) {
      if (this.#parts.options.signing?.allowUnsigned) return false;
      this.refuse('unsigned', senderOf(bytes));
      return true;
    }
    const message = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (this.#signing.isValid(this.#parts.subjects[channel], message)) return false;
    this.refuse('forged', senderOf(bytes));
    return true;
  }

  /** True for a message that was not heard before, of an endpoint that has proved to be there (proofs.ts). */
  isOfNow(envelope: Envelope, channel: number): boolean {
    if (this.#signing === null) return true;
    const parts = this.#parts;
    const { from, isSigned, sequence, connection } = envelope;
    const member = parts.member(from);
    const sequences = member?.sequences ?? null;
    if (sequences !== null) {
      const taken = isSigned ? sequences.take(channel, sequence, connection) : 'unsigned';
      if (taken === 'new') return true;
      if (taken === 'stale') parts.counters.stale++;
      else this.refuse(taken, from);
      return false;
    }
    if (!isSigned || channel === ownChannel) {
      // Before the endpoint is reported, since what the receiver then sends to all is to be heard.
      if (isSigned && member === null && (envelope.flags & answerAtOnce) !== 0) parts.greet(from, 0);
      return true;
    }
    if (envelope.kind === Kind.heartbeat && parts.options.ignores?.(from) !== true && this.#proofs.isDue(from))
      parts.greet(from, answerAtOnce);
    return false;
  }

  /** A member was heard, with a message that is of now. */
  heard(member: Member, { from, isSigned, sequence, connection }: Envelope): void {
    if (this.#signing === null || !isSigned || member.sequences !== null) return;
    member.sequences = new Sequences(this.#parts.subjects.length, sequence, connection);
    this.#proofs.given(from);
  }
}
