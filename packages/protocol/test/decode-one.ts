import { Decoder, decodePacket, type Packet, type ProtocolVersion } from '../src/index.ts';

/** Decodes bytes through the decoder, as a connection would; returns the packets in order. Throws what it throws. */
export function decodeAll(bytes: Buffer, version: ProtocolVersion, maximumPacketSize = 268_435_460): Packet[] {
  const packets: Packet[] = [];
  const decoder = new Decoder(
    {
      packet(header, chunk, _start, bodyStart, end) {
        packets.push(decodePacket(header, chunk, bodyStart, end, version));
        return true;
      },
    },
    maximumPacketSize,
  );
  decoder.version = version;
  decoder.push(bytes);
  return packets;
}
