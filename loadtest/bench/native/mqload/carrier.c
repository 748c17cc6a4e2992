/* What carries MQTT: TCP alone, TLS on it, WebSocket on either. TLS is compiled in where the headers of OpenSSL are (WITH_TLS). */
#define _GNU_SOURCE
#include "mqload.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#ifdef WITH_TLS
#include <openssl/err.h>
#include <openssl/ssl.h>

static SSL_CTX *context;

static void tls_failed(const char *what) {
  char reason[256] = "the broker closed the connection";
  unsigned long code = ERR_get_error();
  if (code) ERR_error_string_n(code, reason, sizeof reason);
  fail("%s: %s", what, reason);
}

/** Certificates are not checked against any authority: the broker is measured, not trusted. */
static void tls_begin(Connection *c) {
  if (!context) {
    context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  }
  c->tls = SSL_new(context);
  if (!c->tls || !SSL_set_fd(c->tls, c->fd)) tls_failed("SSL_new");
  SSL_set_connect_state(c->tls);
}

/** Returns -1 with EAGAIN when the connection must be waited for. */
static ssize_t tls_result(Connection *c, int n, const char *what) {
  if (n > 0) return n;
  int error = SSL_get_error(c->tls, n);
  c->tls_wants_write = error == SSL_ERROR_WANT_WRITE;
  if (error == SSL_ERROR_ZERO_RETURN) return 0;
  if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) tls_failed(what);
  errno = EAGAIN;
  return -1;
}

static bool tls_handshake(Connection *c) { return tls_result(c, SSL_do_handshake(c->tls), "TLS handshake") > 0; }

static void tls_end(Connection *c) { SSL_free(c->tls); }
#else
static void tls_begin(Connection *c) { (void)c; fail("built without TLS: install the headers of OpenSSL (libssl-dev) and build again"); }
static bool tls_handshake(Connection *c) { return c->tls != NULL; }
static void tls_end(Connection *c) { (void)c; }
#endif

static ssize_t raw_send(Connection *c, const void *bytes, size_t length) {
#ifdef WITH_TLS
  if (c->tls) return tls_result(c, SSL_write(c->tls, bytes, length > INT_MAX_BYTES ? INT_MAX_BYTES : (int)length), "SSL_write");
#endif
  return send(c->fd, bytes, length, MSG_NOSIGNAL);
}

static ssize_t raw_receive(Connection *c, void *bytes, size_t length) {
#ifdef WITH_TLS
  if (c->tls) return tls_result(c, SSL_read(c->tls, bytes, length > INT_MAX_BYTES ? INT_MAX_BYTES : (int)length), "SSL_read");
#endif
  return recv(c->fd, bytes, length, 0);
}

static void put_request(Connection *c) {
  char text[256];
  int length = snprintf(text, sizeof text,
                        "GET %s HTTP/1.1\r\nHost: %s:%d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n",
                        options.web_socket_path, options.host, c->port);
  make_room(&c->wire_out, length);
  memcpy(c->wire_out.bytes + c->wire_out.end, text, length);
  c->wire_out.end += length;
}

/** TCP is there: what comes next before the first packet. True when nothing does. */
static bool begin(Connection *c) {
  if (options.tls && !c->tls) {
    tls_begin(c);
    c->state = TLS_HANDSHAKE;
  }
  if (c->state == TLS_HANDSHAKE && !tls_handshake(c)) return false;
  if (!options.web_socket_path) return true;
  c->state = WEB_SOCKET_HANDSHAKE;
  put_request(c);
  return false;
}

/** Goes on with a handshake when something came. True: the next bytes are MQTT. */
bool carrier_opens(Connection *c) {
  if (c->state != WEB_SOCKET_HANDSHAKE) return begin(c);
  Buffer *in = &c->wire_in;
  make_room(in, READ_BYTES);
  ssize_t n = raw_receive(c, in->bytes + in->end, in->capacity - in->end);
  if (n == 0) fail("the broker closed the connection instead of switching to WebSocket");
  if (n < 0 && errno != EAGAIN) die("recv");
  if (n > 0) in->end += n;
  uint8_t *end = memmem(in->bytes, in->end, "\r\n\r\n", 4);
  if (!end) return false;
  if (in->end < 12 || memcmp(in->bytes, "HTTP/1.1 101", 12)) fail("the broker does not switch to WebSocket: %.12s", in->bytes);
  in->start = end + 4 - in->bytes;
  return true;
}

/** All that waits becomes one masked frame (RFC 6455, section 5.2). */
static void put_frame(Connection *c) {
  static const uint8_t mask[8] = {0x37, 0xfa, 0x21, 0x3d, 0x37, 0xfa, 0x21, 0x3d};
  Buffer *from = &c->out, *to = &c->wire_out;
  size_t length = from->end - from->start;
  make_room(to, length + 14);
  uint8_t *at = to->bytes + to->end;
  *at++ = 0x82;
  if (length < 126) {
    *at++ = 0x80 | length;
  } else if (length < 65536) {
    *at++ = 0x80 | 126;
    *at++ = length >> 8;
    *at++ = length;
  } else {
    *at++ = 0x80 | 127;
    for (int shift = 56; shift >= 0; shift -= 8) *at++ = (uint64_t)length >> shift;
  }
  memcpy(at, mask, 4);
  at += 4;
  uint64_t key, word;
  memcpy(&key, mask, 8);
  const uint8_t *payload = from->bytes + from->start;
  size_t i = 0;
  for (; i + 8 <= length; i += 8) {
    memcpy(&word, payload + i, 8);
    word ^= key;
    memcpy(at + i, &word, 8);
  }
  for (; i < length; i++) at[i] = payload[i] ^ mask[i & 3];
  to->end = at + length - to->bytes;
  from->start = from->end = 0;
}

/** Sends what the kernel takes. False: something waits. */
bool carrier_flush(Connection *c) {
  if (options.web_socket_path && c->out.end > c->out.start) put_frame(c);
  Buffer *out = options.web_socket_path ? &c->wire_out : &c->out;
  while (out->start < out->end) {
    ssize_t n = raw_send(c, out->bytes + out->start, out->end - out->start);
    if (n < 0 && errno == EAGAIN) return false;
    if (n <= 0) die("send");
    out->start += n;
  }
  return true;
}

size_t carrier_waiting(const Connection *c) { return c->out.end - c->out.start + c->wire_out.end - c->wire_out.start; }

/** Moves the payloads of whole frames, and of the one that has begun, to the input. */
static void take_frames(Connection *c) {
  Buffer *from = &c->wire_in;
  for (;;) {
    size_t available = from->end - from->start;
    uint8_t *at = from->bytes + from->start;
    if (!c->frame_left) {
      size_t header = available < 2 ? 2 : (at[1] & 127) == 126 ? 4 : (at[1] & 127) == 127 ? 10 : 2;
      if (available < header) break;
      if ((at[0] & 15) > 2) fail("the broker sent a WebSocket frame of type %d", at[0] & 15);
      c->frame_left = at[1] & 127;
      if (header > 2) c->frame_left = 0;
      for (size_t i = 2; i < header; i++) c->frame_left = c->frame_left << 8 | at[i];
      from->start += header;
      continue;
    }
    size_t length = available < c->frame_left ? available : c->frame_left;
    if (!length) break;
    make_room(&c->in, length);
    memcpy(c->in.bytes + c->in.end, at, length);
    c->in.end += length;
    from->start += length;
    c->frame_left -= length;
  }
  memmove(from->bytes, from->bytes + from->start, from->end - from->start);
  from->end -= from->start;
  from->start = 0;
}

/** Reads once into the input. Returns what recv does, and says in `more` whether there may be more. */
ssize_t carrier_receive(Connection *c, bool *more) {
  Buffer *to = options.web_socket_path ? &c->wire_in : &c->in;
  make_room(to, READ_BYTES);
  ssize_t n = raw_receive(c, to->bytes + to->end, to->capacity - to->end);
  if (n > 0) to->end += n;
  if (options.web_socket_path) take_frames(c);
  *more = c->tls ? n > 0 : n >= READ_BYTES; /* TLS gives a record at a time and may hold another */
  return n;
}

void carrier_close(Connection *c) {
  if (c->tls) tls_end(c);
  c->tls = NULL;
  free(c->wire_in.bytes);
  free(c->wire_out.bytes);
  c->wire_in = c->wire_out = (Buffer){0};
}
