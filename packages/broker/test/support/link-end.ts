import { type MessageEntry, readEntryKind, readMessage } from '../../src/cluster/entries.ts';
import { FrameType, readAcknowledgement, readFrameType, readKeptHead } from '../../src/cluster/frames.ts';
import { Links } from '../../src/cluster/links.ts';
import { PendingPromise } from '../../src/message/pending.ts';
import { FrameReader } from '../../src/message/wire.ts';
import { Metrics } from '../../src/ports/metrics.ts';
import { StoreTrust } from '../../src/work/store-trust.ts';
import { FakeClock } from './fake-clock.ts';

/** End of a link whose frames are carried by hand. */
export class End {
  readonly metrics = new Metrics();
  readonly sent: Uint8Array[] = [];
  readonly taken: string[] = [];
  readonly links: Links;

  constructor(clock: FakeClock, bytesMax = 1_000_000) {
    this.links = new Links({
      ...{ clock, metrics: this.metrics, bytesMax },
      sendBytes: (_to, bytes) => void this.sent.push(new Uint8Array(bytes)),
    });
    this.links.joined('other');
  }

  keep(text: string): PendingPromise & { done: boolean } {
    const awaited = Object.assign(new PendingPromise(new StoreTrust()), { done: false });
    void awaited.promise.then(() => {
      awaited.done = true;
    });
    this.links.send('other', entryOf(text), awaited);
    awaited.settle();
    return awaited;
  }

  pass(text: string, publisher = 'p'): boolean {
    return this.links.pass('other', entryOf(text), publisher);
  }

  /** Frames sent since the last look. */
  take(): Uint8Array[] {
    return this.sent.splice(0);
  }

  hear(frames: Uint8Array[]): void {
    for (const bytes of frames) {
      const reader = new FrameReader(bytes);
      const type = readFrameType(reader);
      if (type === FrameType.acknowledge) this.links.acknowledged('other', readAcknowledgement(reader));
      else if (type === FrameType.passing) {
        this.links.acceptPassing('other', reader.u32(), reader.f64(), reader.size);
        this.read(reader);
      } else if (this.links.acceptKept('other', readKeptHead(reader))) this.read(reader);
    }
  }

  private read(reader: FrameReader): void {
    while (!reader.isAtEnd) this.taken.push(readMessage(reader, readEntryKind(reader)).record.toString());
  }
}

export function entryOf(text: string): MessageEntry {
  return { record: Buffer.from(text), toSubscriptions: true, groups: [], logs: [] };
}

export async function pair(bytesMax?: number): Promise<{ clock: FakeClock; one: End; two: End }> {
  const clock = new FakeClock();
  return { clock, one: new End(clock, bytesMax), two: new End(clock, bytesMax) };
}
