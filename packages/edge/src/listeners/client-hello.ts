/** Header of a record of TLS: type, version, length; and of a handshake message in it: type, length. */
const recordHeaderBytes = 5;
const messageHeaderBytes = 4;
const handshakeRecord = 22;

/** Longest ClientHello that is waited for: with keys of post-quantum cryptography it has about 2 KiB. */
export const clientHelloBytesMax = 32 * 1024;

/**
 * True when these first bytes of a client hold all that it says before it waits for an answer: a whole ClientHello,
 * which may be spread over several records, or what is none and is soon refused.
 */
export function isClientHelloComplete(bytes: Uint8Array): boolean {
  if (bytes.length > 0 && bytes[0] !== handshakeRecord) return true;
  let needed = messageHeaderBytes;
  let present = 0;
  /** Bytes of the message header, of which the records may be as small as one byte. */
  const header: number[] = [];
  for (let at = 0; at + recordHeaderBytes <= bytes.length; ) {
    if (bytes[at] !== handshakeRecord) return true;
    const bodyAt = at + recordHeaderBytes;
    const end = bodyAt + ((bytes[at + 3] << 8) | bytes[at + 4]);
    const read = Math.min(end, bytes.length);
    for (let i = bodyAt; i < read && header.length < messageHeaderBytes; i++) header.push(bytes[i]);
    if (header.length === messageHeaderBytes)
      needed = messageHeaderBytes + ((header[1] << 16) | (header[2] << 8) | header[3]);
    present += read - bodyAt;
    if (present >= needed) return true;
    at = end;
  }
  return bytes.length >= clientHelloBytesMax;
}
