/* The packets that a load generator sends, for MQTT 3.1.1 (version 4) and 5.0. */
#define _GNU_SOURCE
#include "mqload.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/** Each run has its own topics and client identifiers: what an earlier run left in flight is not ours. */
int run_number(void) { return getpid() % 100000; }

static size_t put_length(uint8_t *at, size_t length) {
  size_t count = 0;
  do {
    at[count] = length & 127;
    length >>= 7;
    if (length) at[count] |= 128;
    count++;
  } while (length);
  return count;
}

static size_t put_string(uint8_t *at, const char *text, size_t length) {
  at[0] = length >> 8;
  at[1] = length;
  memcpy(at + 2, text, length);
  return length + 2;
}

/** Reads a remaining length. Returns the bytes it took, or 0 when more are needed. */
size_t decode_length(const uint8_t *bytes, size_t available, size_t *length) {
  *length = 0;
  for (size_t i = 0; i < available && i < 4; i++) {
    *length |= (size_t)(bytes[i] & 127) << (7 * i);
    if (!(bytes[i] & 128)) return i + 1;
  }
  return 0;
}

/** The topic that publisher `index` sends on, the one of `rotation` of several, or the filter that subscriber `index` asks
 * for. Returns its length. */
int make_topic(char *topic, int index, bool as_filter, int rotation) {
  int run = run_number();
  if (options.mode == MODE_FANOUT) return snprintf(topic, TOPIC_MAX, "load/%d/all", run);
  if (as_filter && options.mode == MODE_FANIN) return snprintf(topic, TOPIC_MAX, "load/%d/#", run);
  if (as_filter && options.mode == MODE_SHARED) return snprintf(topic, TOPIC_MAX, "$share/g/load/%d/#", run);
  if (options.topics == 1) return snprintf(topic, TOPIC_MAX, "load/%d/%d", run, index);
  if (as_filter) return snprintf(topic, TOPIC_MAX, "load/%d/%d/+", run, index);
  return snprintf(topic, TOPIC_MAX, "load/%d/%d/%d", run, index, rotation);
}

void send_connect(Connection *c) {
  static const uint8_t session_expiry_3600_seconds[] = {5, 0x11, 0, 0, 14, 16};
  bool persistent = options.persistent && c->role == SUBSCRIBER;
  char id[CLIENT_ID_MAX];
  int id_length = snprintf(id, sizeof id, "ml-%c%d-%d", c->role == PUBLISHER ? 'p' : 's', c->index, run_number());
  uint8_t body[128];
  size_t n = 0;
  memcpy(body, "\0\4MQTT", 6);
  n += 6;
  body[n++] = c->version;
  body[n++] = persistent ? 0 : 2; /* clean session, clean start */
  body[n++] = 2;                  /* keep alive 600 s: no run is that long, and some brokers refuse 0 */
  body[n++] = 0x58;
  if (c->version == 5 && persistent) {
    memcpy(body + n, session_expiry_3600_seconds, sizeof session_expiry_3600_seconds);
    n += sizeof session_expiry_3600_seconds;
  } else if (c->version == 5) {
    body[n++] = 0;
  }
  n += put_string(body + n, id, id_length);
  uint8_t header[5] = {0x10};
  size_t header_length = 1 + put_length(header + 1, n);
  append(c, header, header_length);
  append(c, body, n);
}

void send_subscribe(Connection *c) {
  char filter[TOPIC_MAX];
  int filter_length = make_topic(filter, c->index, true, 0);
  uint8_t packet[TOPIC_MAX + 16] = {0x82, 0, 0, 1};
  size_t n = 4;
  if (c->version == 5) packet[n++] = 0;
  n += put_string(packet + n, filter, filter_length);
  packet[n++] = options.qos;
  packet[1] = n - 2;
  append(c, packet, n);
}

/** PUBACK, PUBREC, PUBREL or PUBCOMP, told by the first byte. */
void send_acknowledgement(Connection *c, uint8_t first_byte, const uint8_t *packet_id) {
  uint8_t packet[4] = {first_byte, 2, packet_id[0], packet_id[1]};
  append(c, packet, 4);
}

/** Everything of a PUBLISH before its payload; the packet identifier at `packet_id_at` is filled in for each. */
void make_publish_header(Connection *c, int rotation) {
  char topic[TOPIC_MAX];
  int topic_length = make_topic(topic, c->index, false, rotation);
  size_t remaining = 2 + topic_length + (options.qos ? 2 : 0) + (c->version == 5 ? 1 : 0) + options.payload_bytes;
  uint8_t *at = c->publish_header;
  *at++ = 0x30 | (options.qos << 1) | (options.retain ? 1 : 0);
  at += put_length(at, remaining);
  at += put_string(at, topic, topic_length);
  c->packet_id_at = at - c->publish_header;
  if (options.qos) at += 2;
  if (c->version == 5) *at++ = 0;
  c->publish_header_length = at - c->publish_header;
}
