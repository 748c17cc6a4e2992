const headerBytesMax = 14;

/**
 * Progress of the messages of a WebSocket client, read from the heads of its frames (RFC 6455, section 5.2): `ws`
 * says nothing of a message before it is complete. Hot path: payloads are passed over.
 */
export class WebSocketProgress {
  /** True: a message or frame has begun and is not complete. */
  isPartial = false;
  private readonly header = new Uint8Array(headerBytesMax);
  private headerBytes = 0;
  /** Bytes of the frame's payload that have not come. */
  private payloadLeft = 0;
  private endsMessage = false;
  private isControl = false;
  private isWithinMessage = false;

  /** Takes the next bytes. True: what is partial behind them began in them. */
  push(chunk: Uint8Array): boolean {
    let isNew = !this.isPartial;
    let at = 0;
    while (at < chunk.length) {
      if (this.payloadLeft > 0) {
        const taken = Math.min(this.payloadLeft, chunk.length - at);
        this.payloadLeft -= taken;
        at += taken;
      } else {
        this.header[this.headerBytes++] = chunk[at++];
        if (!this.headerCame()) continue;
      }
      if (this.payloadLeft > 0) continue;
      if (!this.isControl) this.isWithinMessage = !this.endsMessage;
      if (!this.isWithinMessage) isNew = true;
    }
    this.isPartial = this.payloadLeft > 0 || this.headerBytes > 0 || this.isWithinMessage;
    return isNew;
  }

  private headerCame(): boolean {
    const { header } = this;
    if (this.headerBytes < 2) return false;
    const code = header[1] & 0x7f;
    const lengthBytes = code === 127 ? 8 : code === 126 ? 2 : 0;
    if (this.headerBytes < 2 + lengthBytes + (header[1] >= 0x80 ? 4 : 0)) return false;
    let length = lengthBytes === 0 ? code : 0;
    for (let i = 0; i < lengthBytes; i++) length = length * 256 + header[2 + i];
    this.headerBytes = 0;
    this.payloadLeft = length;
    this.endsMessage = header[0] >= 0x80;
    this.isControl = (header[0] & 0x08) !== 0;
    return true;
  }
}
