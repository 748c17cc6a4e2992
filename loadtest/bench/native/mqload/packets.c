/* What the generator does with each packet that the broker sends. */
#include "mqload.h"
#include <string.h>

/** Finds Receive Maximum among the properties of a CONNACK. Others are skipped by their type's length. */
static void read_connack_properties(Connection *c, const uint8_t *at, const uint8_t *end) {
  while (at < end) {
    uint8_t id = *at++;
    switch (id) {
    case 0x21: c->receive_maximum = at[0] << 8 | at[1]; at += 2; break;
    case 0x24: case 0x25: case 0x28: case 0x29: case 0x2a: at += 1; break;
    case 0x13: case 0x22: at += 2; break;
    case 0x11: case 0x27: at += 4; break;
    case 0x12: case 0x15: case 0x16: case 0x1a: case 0x1c: case 0x1f: at += 2 + (at[0] << 8 | at[1]); break;
    case 0x26: at += 2 + (at[0] << 8 | at[1]); at += 2 + (at[0] << 8 | at[1]); break;
    default: fail("CONNACK has an unknown property 0x%02x", id);
    }
  }
}

static void on_connack(Connection *c, const uint8_t *body, size_t length) {
  if (body[1]) fail("CONNACK with code %d", body[1]);
  if (c->version == 5 && length > 2) {
    size_t properties;
    size_t taken = decode_length(body + 2, length - 2, &properties);
    read_connack_properties(c, body + 2 + taken, body + 2 + taken + properties);
  }
  if (c->role == SUBSCRIBER && options.mode != MODE_CONN && options.mode != MODE_IDLE) {
    c->state = WAITING_SUBACK;
    send_subscribe(c);
    return;
  }
  c->state = READY;
  ready_count++;
}

static void on_publish(Connection *c, uint8_t first_byte, const uint8_t *body, size_t length) {
  int qos = (first_byte >> 1) & 3;
  const uint8_t *at = body + 2 + (body[0] << 8 | body[1]);
  const uint8_t *packet_id = at;
  if (qos) at += 2;
  if (c->version == 5) {
    size_t properties;
    size_t taken = decode_length(at, body + length - at, &properties);
    at += taken + properties;
  }
  if (qos == 1) send_acknowledgement(c, 0x40, packet_id);
  if (qos == 2) send_acknowledgement(c, 0x50, packet_id);
  if (body + length - at != options.payload_bytes) fail("a delivery of %ld bytes", (long)(body + length - at));
  on_delivery(c, at);
}

/** The acknowledgement of a publish: its last packet is PUBACK for QoS 1 and PUBCOMP for QoS 2. */
void on_packet(Connection *c, uint8_t first_byte, uint8_t *body, size_t length) {
  switch (first_byte >> 4) {
  case 2: on_connack(c, body, length); break;
  case 3: on_publish(c, first_byte, body, length); break;
  case 4: c->acknowledged++; break;
  case 5:
    if (length > 2 && body[2] >= 0x80) fail("PUBREC with reason 0x%02x", body[2]);
    send_acknowledgement(c, 0x62, body);
    break;
  case 6: send_acknowledgement(c, 0x70, body); break;
  case 7: c->acknowledged++; break;
  case 9:
    if (body[length - 1] != options.qos) fail("SUBACK grants 0x%02x instead of QoS %d", body[length - 1], options.qos);
    c->state = READY;
    ready_count++;
    break;
  case 14: fail("the broker sent DISCONNECT with reason 0x%02x", length ? body[0] : 0);
  default: fail("a packet of type %d, which no client receives here", first_byte >> 4);
  }
}
