import { encodePublish, type Properties, ProtocolError, PublishView, readPublish } from '@dunlin/protocol';
import type { PublishRouter } from '../delivery/publish-router.ts';
import { Publication } from '../message/publication.ts';
import { lengthEnd } from '../message/publish-conversion.ts';
import { placeInPacket } from '../message/publish-in-place.ts';
import type { PublishQuery } from '../ports/client-record.ts';
import type { TopicMatches } from '../subscriptions/topic-match.ts';
import { QueryError } from './query-error.ts';

export interface PublishCommandParts {
  router: Pick<PublishRouter, 'publish'>;
  matches: TopicMatches;
  turn: { renew(): number; readonly now: number };
  packetBytesMax: number;
}

/** Publishes messages of operators: not of a client, under no rules. */
export class PublishCommand {
  private readonly parts: PublishCommandParts;

  constructor(parts: PublishCommandParts) {
    this.parts = parts;
  }

  /** Sessions connected here that would get a message on this topic, apart from shared groups; and the groups. */
  receivers(topic: string): { sessions: number; groups: number; logs: number } {
    const bytes = Buffer.from(topic);
    const match = this.parts.matches.find(bytes, 0, bytes.length);
    return {
      sessions: new Set(match.all.map(({ session }) => session)).size,
      groups: match.groups.length,
      logs: match.logs.length,
    };
  }

  /** Resolves when the message is as safe as an acknowledged one. Rejects with QueryError for what MQTT does not allow. */
  async publish(query: PublishQuery): Promise<void> {
    let publication: Publication;
    this.parts.turn.renew();
    try {
      publication = this.publicationOf(query);
    } catch (error) {
      if (error instanceof ProtocolError) throw new QueryError(error.message);
      throw error;
    }
    await this.parts.router.publish(publication);
  }

  private publicationOf({ topic, payload, qos, retain, properties: given }: PublishQuery): Publication {
    if (topic.startsWith('$'))
      throw new QueryError(`topic: given "${topic.slice(0, 100)}", allowed: topics without a $ at their start`);
    const { correlationData, ...rest } = given;
    const properties: Properties =
      correlationData === undefined ? rest : { ...rest, correlationData: Buffer.from(correlationData, 'base64') };
    const bytes = encodePublish(
      {
        ...{ type: 'publish', topic, payload: Buffer.from(payload, 'base64') },
        ...{ qos, retain, dup: false, packetId: qos === 0 ? 0 : 1, properties },
      },
      5,
    );
    if (bytes.length > this.parts.packetBytesMax)
      throw new QueryError(
        `given a message of ${bytes.length} bytes, allowed: ${this.parts.packetBytesMax} (limits.maximumPacketSizeBytes)`,
      );
    const view = new PublishView();
    const publication = new Publication();
    readPublish(view, bytes[0], bytes, lengthEnd(bytes, 1), bytes.length, 5);
    placeInPacket(publication, view, bytes, 0, true, this.parts.turn, null);
    publication.isLent = false;
    return publication;
  }
}
