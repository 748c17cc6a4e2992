import type { PublishPacket } from '@dunlin/protocol';
import { CommandError } from '../exit-code.ts';

/** Letters of `sub -F` and what they stand for. */
export const formatLetters: Record<string, { meaning: string; show(message: PublishPacket): string | Buffer }> = {
  t: { meaning: 'topic', show: (message) => message.topic },
  p: { meaning: 'payload', show: (message) => message.payload },
  x: { meaning: 'payload in hexadecimal', show: (message) => message.payload.toString('hex') },
  l: { meaning: 'length of the payload', show: (message) => String(message.payload.length) },
  q: { meaning: 'QoS', show: (message) => String(message.qos) },
  r: { meaning: 'retain flag, 0 or 1', show: (message) => (message.retain ? '1' : '0') },
  m: { meaning: 'packet identifier', show: (message) => String(message.packetId) },
  I: { meaning: 'time of arrival', show: () => new Date().toISOString() },
  U: { meaning: 'time of arrival, seconds since 1970', show: () => (Date.now() / 1000).toFixed(6) },
  A: { meaning: 'topic alias', show: ({ properties }) => String(properties.topicAlias ?? '') },
  C: { meaning: 'content type', show: ({ properties }) => properties.contentType ?? '' },
  D: { meaning: 'correlation data', show: ({ properties }) => properties.correlationData ?? '' },
  E: { meaning: 'message expiry interval', show: ({ properties }) => String(properties.messageExpiryInterval ?? '') },
  F: { meaning: 'payload format indicator', show: ({ properties }) => String(properties.payloadFormatIndicator ?? '') },
  P: {
    meaning: 'user properties, name:value',
    show: ({ properties }) => (properties.userProperties ?? []).map((pair) => pair.join(':')).join(' '),
  },
  R: { meaning: 'response topic', show: ({ properties }) => properties.responseTopic ?? '' },
  S: {
    meaning: 'subscription identifiers',
    show: ({ properties }) => (properties.subscriptionIdentifier ?? []).join(' '),
  },
  j: {
    meaning: 'everything as JSON',
    show: (message) => JSON.stringify({ ...message, payload: message.payload.toString() }),
  },
  '%': { meaning: 'a percent sign', show: () => '%' },
};

const escapes: Record<string, string> = { n: '\n', t: '\t', r: '\r', '0': '\0', '\\': '\\' };

/** A format string as a function. @throws CommandError `usage` for a letter that means nothing */
export function parseFormat(format: string): (message: PublishPacket) => Buffer {
  const parts: (Buffer | ((message: PublishPacket) => string | Buffer))[] = [];
  for (let at = 0; at < format.length; at++) {
    const next = format[at + 1];
    if (format[at] === '%') {
      const letter = formatLetters[next];
      if (letter === undefined)
        throw new CommandError(
          'usage',
          `-F: given %${next ?? ''}, allowed: ${Object.keys(formatLetters)
            .map((name) => `%${name}`)
            .join(' ')}`,
        );
      parts.push(letter.show);
      at++;
    } else if (format[at] === '\\' && next in escapes) {
      parts.push(Buffer.from(escapes[next]));
      at++;
    } else parts.push(Buffer.from(format[at]));
  }
  return (message) =>
    Buffer.concat(
      parts.map((part) => {
        const shown = typeof part === 'function' ? part(message) : part;
        return typeof shown === 'string' ? Buffer.from(shown) : shown;
      }),
    );
}
