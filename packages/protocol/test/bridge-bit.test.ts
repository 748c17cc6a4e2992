import { describe, expect, it } from 'vitest';
import { type ConnectPacket, decodeConnect, encodeConnect, peekConnectVersion } from '../src/index.ts';

function connect(version: 3 | 4): ConnectPacket {
  return {
    version,
    isBridge: true,
    cleanStart: true,
    keepAliveSeconds: 0,
    clientId: 'b',
    will: null,
    userName: null,
    password: null,
    properties: {},
  };
}

describe("a bridge's CONNECT", () => {
  it.each([3, 4] as const)('of level 0x8%i is read and written', (version) => {
    const bytes = encodeConnect(connect(version));
    expect(bytes[version === 3 ? 10 : 8]).toBe(0x80 | version);
    expect(decodeConnect(bytes, 2, bytes.length)).toEqual(connect(version));
    expect(peekConnectVersion(bytes, 2, bytes.length)).toBe(version);
  });
});
