import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { ClientCertificate } from '@dunlin/broker';
import { clientCertificateOf } from './client-certificate.ts';
import { tlsBytes } from './handshakes.ts';
import type { Peer } from './peer.ts';
import { SocketTransport } from './socket-transport.ts';

/** Bytes of a write up to which its end is not reported: waiting parts wait behind more bytes. */
const untoldBytesMax = 16 * 1024;

/**
 * TLS connection as the broker's transport. Hot path.
 *
 * Bytes go through the socket's own buffer: TLS has one write in progress at a time, and reports its end in the next
 * turn, whether the kernel took all or not. But the bytes of a write that begins at once are encrypted, and so copied,
 * before it returns: the buffer may be reused (a test holds Node to that).
 */
export class TlsTransport extends SocketTransport {
  override readonly ownBytes: number = tlsBytes;
  private readonly flushed: () => void;

  constructor(socket: TLSSocket, listener: string, peer: Peer | null = null) {
    super(socket, listener, peer);
    this.flushed = () => {
      if (this.socket.writableLength > 0) return;
      this.waitsForDrain = false;
      this.connection?.drained();
    };
  }

  override write(bytes: Buffer): boolean {
    const { socket } = this;
    if (this.isClosed) return true;
    if (socket.writableLength === 0 && !this.waitsForDrain) {
      if (bytes.length <= untoldBytesMax) socket.write(bytes);
      else socket.write(bytes, this.flushed);
      return true;
    }
    this.waitsForDrain = true;
    socket.write(bytes, this.flushed);
    return false;
  }

  override get pendingBytes(): number {
    return this.socket.writableLength;
  }

  protected override get carrier(): Socket {
    return (this.socket as Socket & { readonly _parent?: Socket | null })._parent ?? this.socket;
  }

  /**
   * Certificate of the client; without one, the certificate that a load balancer has verified. Read from the connection
   * at CONNECT.
   */
  override get clientCertificate(): ClientCertificate | null {
    return clientCertificateOf(this.socket as TLSSocket) ?? super.clientCertificate;
  }
}
