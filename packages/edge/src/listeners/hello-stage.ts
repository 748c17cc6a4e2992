import type { Socket } from 'node:net';
import { type NewcomerTurns, newcomerCosts, type WaitingNewcomer } from '@dunlin/broker/guards';
import { isClientHelloComplete } from './client-hello.ts';
import type { Refusal } from './refusal.ts';
import { formatPeer } from './socket-transport.ts';

const nothing = Buffer.alloc(0);

export interface HelloStageOptions {
  turns: NewcomerTurns;
  handshakeTimeoutSeconds: number;
  /** Begins the handshake; the ClientHello is in the socket's own buffer. */
  begin(socket: Socket): void;
  /** The handshake did not come to its end in time; the connection is to be closed. */
  late(socket: Socket): void;
  refuse(refusal: Refusal): void;
}

/**
 * Holds TLS connections until their ClientHello is whole and it is their turn: what follows costs a millisecond, and
 * some hundred of them in a row would keep everybody waiting. Until then a connection has no memory of TLS. Its time
 * counts from the first moment to the end of the handshake, however slowly bytes come.
 */
export class HelloStage {
  readonly #options: HelloStageOptions;
  /** Forgets the deadline of a connection whose handshake is not through. */
  readonly #forget = new WeakMap<Socket, () => void>();

  constructor(options: HelloStageOptions) {
    this.#options = options;
  }

  /** `address`: of the client, also behind a load balancer. */
  enter(socket: Socket, address: string): void {
    const { turns, handshakeTimeoutSeconds } = this.#options;
    void socket.remoteAddress; // cached by the socket from now on, also when it is closed
    let held: Buffer = nothing;
    let waiting: WaitingNewcomer | null = null;
    const begin = (): void => {
      waiting = null;
      if (socket.destroyed) return; // `close` follows
      socket.removeListener('error', ignore);
      socket.removeListener('close', onClose);
      socket.unshift(held);
      held = nothing; // a connection lives longer than this
      this.#options.begin(socket);
    };
    const onData = (chunk: Buffer): void => {
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      if (!isClientHelloComplete(held)) return;
      socket.removeListener('data', onData);
      socket.pause();
      if (turns.take(newcomerCosts.tlsHandshake)) begin();
      else waiting = turns.wait(address, newcomerCosts.tlsHandshake, begin);
    };
    const onClose = (): void => {
      waiting?.leave();
      // A probe that only connects is no failure.
      if (held.length > 0) this.#gone(socket);
    };
    const deadline = setTimeout(() => {
      held = nothing;
      waiting?.leave();
      this.#options.late(socket);
    }, handshakeTimeoutSeconds * 1000);
    const ended = (): void => clearTimeout(deadline);
    socket.once('close', ended);
    this.#forget.set(socket, () => {
      clearTimeout(deadline);
      socket.removeListener('close', ended);
    });
    socket.on('data', onData);
    socket.on('close', onClose);
    socket.on('error', ignore);
    socket.resume(); // paused behind a PROXY header
  }

  /** The handshake has come to its end. */
  done(socket: Socket): void {
    this.#forget.get(socket)?.();
    this.#forget.delete(socket);
  }

  #gone(socket: Socket): void {
    const reason = 'the client went away before the handshake';
    this.#options.refuse({ kind: 'handshake', address: formatPeer(socket), reason });
  }
}

/** `close` follows and reports it. */
function ignore(): void {}
