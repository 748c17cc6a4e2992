import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Backplane, BackplaneReceiver } from '../ports/backplane.ts';
import type { EndpointId } from '../ports/endpoint-id.ts';

/** Endpoints that can reach each other, made by the implementation under test. */
export interface BackplaneMesh {
  /** A new endpoint with a new name, not started. It may be added while others run. */
  add(): Backplane;
  /** Ends an endpoint without `stop`, as a crash would. */
  kill(backplane: Backplane): void;
  close(): Promise<void>;
}

type Heard =
  | { kind: 'joined' | 'left'; endpoint: EndpointId }
  | { kind: 'bytes'; endpoint: EndpointId; bytes: Uint8Array };

/** Records the events of an endpoint, in order, and lets a test wait for them. */
class Ear implements BackplaneReceiver {
  readonly heard: Heard[] = [];
  #waiting: { enough: () => boolean; resolve: () => void }[] = [];

  endpointJoined(endpoint: EndpointId): void {
    this.#hear({ kind: 'joined', endpoint });
  }

  reconnected(): void {}

  endpointLeft(endpoint: EndpointId): void {
    this.#hear({ kind: 'left', endpoint });
  }

  received(endpoint: EndpointId, bytes: Uint8Array): void {
    this.#hear({ kind: 'bytes', endpoint, bytes });
  }

  #hear(heard: Heard): void {
    this.heard.push(heard);
    for (const { enough, resolve } of this.#waiting) if (enough()) resolve();
  }

  until(enough: () => boolean): Promise<void> {
    if (enough()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ enough, resolve }));
  }

  /** Waits for so many messages and returns them as text. */
  async texts(count: number): Promise<string[]> {
    const bytes = () => this.heard.filter((heard) => heard.kind === 'bytes');
    await this.until(() => bytes().length >= count);
    return bytes().map((heard) => Buffer.from(heard.bytes).toString());
  }

  async left(endpoint: EndpointId): Promise<void> {
    await this.until(() => this.heard.some((heard) => heard.kind === 'left' && heard.endpoint === endpoint));
  }

  count(kind: Heard['kind'], endpoint: EndpointId): number {
    return this.heard.filter((heard) => heard.kind === kind && heard.endpoint === endpoint).length;
  }
}

const text = (words: string) => new TextEncoder().encode(words);

/** Contract of every backplane (ports/backplane.ts), as tests. */
export function backplaneContract(name: string, makeMesh: () => BackplaneMesh): void {
  describe(`backplane contract: ${name}`, () => {
    let mesh: BackplaneMesh;
    beforeEach(() => {
      mesh = makeMesh();
    });
    afterEach(() => mesh.close());

    async function start(backplane: Backplane = mesh.add()): Promise<{ backplane: Backplane; ear: Ear }> {
      const ear = new Ear();
      await backplane.start(ear);
      return { backplane, ear };
    }

    test('start reports every endpoint that was there, once, and not itself', async () => {
      const one = await start();
      const two = await start();
      const { ear } = await start();
      expect(ear.heard.map((heard) => [heard.kind, heard.endpoint]).sort()).toEqual(
        [
          ['joined', one.backplane.self],
          ['joined', two.backplane.self],
        ].sort(),
      );
    });

    test('an endpoint that comes later is reported once, before anything from it', async () => {
      const one = await start();
      const two = await start();
      two.backplane.send(one.backplane.self, text('hello'));
      two.backplane.broadcast(text('all'));
      expect(await one.ear.texts(2)).toEqual(['hello', 'all']);
      expect(one.ear.heard.map((heard) => heard.kind)).toEqual(['joined', 'bytes', 'bytes']);
      expect(one.ear.heard[0].endpoint).toBe(two.backplane.self);
    });

    test('bytes arrive in order, once, whole, at the one they are for', async () => {
      const [one, two, three] = [await start(), await start(), await start()];
      const sent: string[] = [];
      for (let number = 0; number < 500; number++) {
        sent.push(`${number} ${'x'.repeat((number * number) % 5000)}`);
        one.backplane.send(two.backplane.self, text(sent[number]));
      }
      one.backplane.send(three.backplane.self, text('marker'));
      expect(await two.ear.texts(500)).toEqual(sent);
      expect(await three.ear.texts(1)).toEqual(['marker']);
    });

    test('a broadcast and what is sent keep their order, and a broadcast does not come back', async () => {
      const [one, two, three] = [await start(), await start(), await start()];
      one.backplane.broadcast(text('first'));
      one.backplane.send(two.backplane.self, text('second'));
      one.backplane.broadcast(text('third'));
      expect(await two.ear.texts(3)).toEqual(['first', 'second', 'third']);
      expect(await three.ear.texts(2)).toEqual(['first', 'third']);
      two.backplane.send(one.backplane.self, text('answer'));
      expect(await one.ear.texts(1)).toEqual(['answer']);
    });

    test('a part of a larger buffer arrives as that part, and stays readable for the sender', async () => {
      const [one, two, three] = [await start(), await start(), await start()];
      const whole = Buffer.from('before|inside|after');
      const part = whole.subarray(7, 13);
      one.backplane.send(two.backplane.self, part);
      one.backplane.send(three.backplane.self, part);
      one.backplane.send(two.backplane.self, new Uint8Array(0));
      expect(await two.ear.texts(2)).toEqual(['inside', '']);
      expect(await three.ear.texts(1)).toEqual(['inside']);
      expect(part.toString()).toBe('inside');
    });

    test('what the sender writes over its bytes afterwards does not arrive', async () => {
      const [one, two, three] = [await start(), await start(), await start()];
      const bytes = Buffer.alloc(6);
      for (const words of ['first!', 'second', 'third!']) {
        bytes.write(words);
        one.backplane.send(two.backplane.self, bytes);
        one.backplane.broadcast(bytes);
      }
      bytes.fill(0);
      expect(await two.ear.texts(6)).toEqual(['first!', 'first!', 'second', 'second', 'third!', 'third!']);
      expect(await three.ear.texts(3)).toEqual(['first!', 'second', 'third!']);
    });

    test.each([
      ['stops', (backplane: Backplane) => backplane.stop()],
      ['dies', async (backplane: Backplane) => mesh.kill(backplane)],
    ])('who %s is reported once, after its last bytes', async (_how, end) => {
      const [one, two, three] = [await start(), await start(), await start()];
      for (let number = 0; number < 20; number++) two.backplane.broadcast(text(String(number)));
      await end(two.backplane);
      for (const { ear } of [one, three]) {
        await ear.left(two.backplane.self);
        expect(ear.heard.at(-1)?.kind).toBe('left');
        expect(ear.count('left', two.backplane.self)).toBe(1);
        expect(ear.count('bytes', two.backplane.self)).toBe(20);
      }
      one.backplane.send(three.backplane.self, text('still here'));
      expect((await three.ear.texts(21)).at(-1)).toBe('still here');
      expect(three.ear.count('left', two.backplane.self)).toBe(1);
    });

    test('sending to an endpoint that is gone, or was never there, does nothing', async () => {
      const [one, two] = [await start(), await start()];
      await two.backplane.stop();
      await one.ear.left(two.backplane.self);
      one.backplane.send(two.backplane.self, text('lost'));
      one.backplane.send('nowhere/0#1', text('lost'));
      one.backplane.broadcast(text('nobody'));
      const three = await start();
      three.backplane.send(one.backplane.self, text('alive'));
      expect(await one.ear.texts(1)).toEqual(['alive']);
    });

    test('an endpoint that has stopped hears nothing more', async () => {
      const [one, two, three] = [await start(), await start(), await start()];
      one.backplane.broadcast(text('late'));
      await two.backplane.stop();
      const heardAtStop = two.ear.heard.length;
      one.backplane.broadcast(text('later'));
      expect(await three.ear.texts(2)).toEqual(['late', 'later']);
      expect(two.ear.heard).toHaveLength(heardAtStop);
    });

    test('names are new at every start', async () => {
      const one = await start();
      const first = await start();
      mesh.kill(first.backplane);
      await one.ear.left(first.backplane.self);
      const second = await start();
      expect(second.backplane.self).not.toBe(first.backplane.self);
      second.backplane.send(one.backplane.self, text('again'));
      expect(await one.ear.texts(1)).toEqual(['again']);
    });
  });
}
