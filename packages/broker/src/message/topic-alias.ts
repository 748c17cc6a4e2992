/**
 * Topic aliases of one connection, both ways; they end with it [MQTT-3.3.2-7].
 */
import { ProtocolError, ReasonCode } from '@dunlin/protocol';
import { requireTopicLength } from './name-length.ts';

/** Bytes of the topics that have an alias towards one client; topics that come later get none. */
const outboundBytesMax = 64 * 1024;

/** Topic aliases that the client has set towards us. */
export class InboundTopicAliases {
  private readonly topics: (Buffer | undefined)[] = [];
  private readonly maximum: number;
  private readonly topicBytesMax: number;

  constructor(maximum: number, topicBytesMax: number) {
    this.maximum = maximum;
    this.topicBytesMax = topicBytesMax;
  }

  /**
   * Sets an alias, or with an empty topic looks one up. Returns the topic's bytes. Throws ProtocolError 0x94, 0x90 or
   * 0x82.
   */
  resolve(alias: number, bytes: Buffer, topicStart: number, topicEnd: number): Buffer {
    if (alias === 0 || alias > this.maximum) {
      // [MQTT-3.3.2-8], [MQTT-3.3.2-9]
      throw new ProtocolError(
        ReasonCode.topicAliasInvalid,
        `topic alias ${alias}; 1 to ${this.maximum} are allowed`,
        'MQTT-3.3.2-9',
      );
    }
    if (topicEnd > topicStart) {
      requireTopicLength(topicEnd - topicStart, this.topicBytesMax);
      const topic = Buffer.from(bytes.subarray(topicStart, topicEnd));
      this.topics[alias] = topic;
      return topic;
    }
    const topic = this.topics[alias];
    if (topic === undefined) {
      throw new ProtocolError(ReasonCode.protocolError, `topic alias ${alias} was not set`, 'MQTT-3.3.2-12');
    }
    return topic;
  }
}

/** Topic aliases that we set towards the client: the first topics it is sent get the aliases that it allows. */
export class OutboundTopicAliases {
  private readonly aliases = new Map<string, number>();
  private readonly maximum: number;
  private bytes = 0;
  /** True when the last `aliasFor` gave an alias that the client knows already. */
  known = false;

  constructor(maximum: number) {
    this.maximum = maximum;
  }

  /** 0: none left for this topic. */
  aliasFor(topic: string): number {
    const alias = this.aliases.get(topic);
    this.known = alias !== undefined;
    if (alias !== undefined) return alias;
    if (this.aliases.size >= this.maximum || this.bytes + topic.length > outboundBytesMax) return 0;
    this.bytes += topic.length;
    this.aliases.set(topic, this.aliases.size + 1);
    return this.aliases.size;
  }
}
