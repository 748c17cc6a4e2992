/**
 * QoS 2 messages of MQTT 3 clients that are received and not released, as far as they are more than an MQTT 5 client may
 * have. MQTT 3 has no Receive Maximum, so a client may send 65,535 of them before it reads its first PUBREC.
 *
 * Not to read its socket would be no way: PUBREL comes behind those messages. To hold them back would cost more than
 * the identifiers that are kept of them. To end a client that sends many at once would end it again when it comes back
 * and repeats them. So it may, as long as all such clients of a worker have no more than a bound together. Above it the
 * client goes that has been over its window for longest: one that releases is not over it for long.
 */
export class UnreleasedMessages<Client> {
  private readonly windowMessages: number;
  private readonly messagesMax: number;
  private readonly tooMany: (client: Client, messages: number) => void;
  /** Messages beyond the window, in the order in which clients passed it. */
  private readonly beyond = new Map<Client, number>();
  private messages = 0;

  /**
   * @param windowMessages messages that one client may have without being counted
   * @param messagesMax messages beyond that of all clients
   * @param tooMany ends the connection of a client that has so many, later
   */
  constructor(windowMessages: number, messagesMax: number, tooMany: (client: Client, messages: number) => void) {
    this.windowMessages = windowMessages;
    this.messagesMax = messagesMax;
    this.tooMany = tooMany;
  }

  /** Counts a message that comes: with it a client has so many. */
  received(client: Client, messages: number): void {
    if (messages <= this.windowMessages) return;
    this.change(client, messages - this.windowMessages);
    while (this.messages > this.messagesMax) {
      const [longest] = this.beyond.keys();
      const most = (this.beyond.get(longest) as number) + this.windowMessages;
      this.forget(longest);
      this.tooMany(longest, most);
    }
  }

  /** Counts a message less: a client has so many left. */
  released(client: Client, messages: number): void {
    if (this.beyond.size === 0 || !this.beyond.has(client)) return;
    if (messages <= this.windowMessages) this.forget(client);
    else this.change(client, messages - this.windowMessages);
  }

  /** Forgets a client whose connection has ended. */
  forget(client: Client): void {
    const known = this.beyond.get(client);
    if (known === undefined) return;
    this.messages -= known;
    this.beyond.delete(client);
  }

  private change(client: Client, beyond: number): void {
    this.messages += beyond - (this.beyond.get(client) ?? 0);
    this.beyond.set(client, beyond);
  }
}
