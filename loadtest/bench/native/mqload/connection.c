/* Sockets and their events: bytes in, packets found in place; bytes out, gathered and written together. */
#define _GNU_SOURCE
#include "mqload.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

static int epoll_fd;
int ready_count = 0;

/** Ends the run with the system's reason. */
void die(const char *what) { fail("%s: %s", what, strerror(errno)); }

/** Ends the run: 2, and one line on stderr that the caller of mqload can show. */
void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("mqload: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(2);
}

double now_seconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec * 1e-9;
}

/** Raises the soft limit of open files to the hard one, and refuses a run that would not fit, before it starts. */
void allow_descriptors(int needed) {
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur != RLIM_INFINITY && (rlim_t)needed + FDS_SPARE > limit.rlim_cur)
    fail("%d connections need more than the %lu open files allowed here", needed, (unsigned long)limit.rlim_cur);
}

void start_events(void) {
  epoll_fd = epoll_create1(0);
  if (epoll_fd < 0) die("epoll_create1");
}

void make_room(Buffer *buffer, size_t length) {
  if (buffer->start == buffer->end) buffer->start = buffer->end = 0;
  if (buffer->end + length <= buffer->capacity) return;
  buffer->capacity = (buffer->end + length) * 2;
  buffer->bytes = realloc(buffer->bytes, buffer->capacity);
  if (!buffer->bytes) die("realloc");
}

/** Room for `length` bytes at the end of what will be sent; the caller fills it. */
uint8_t *reserve(Connection *c, size_t length) {
  make_room(&c->out, length);
  uint8_t *at = c->out.bytes + c->out.end;
  c->out.end += length;
  return at;
}

void append(Connection *c, const void *bytes, size_t length) { memcpy(reserve(c, length), bytes, length); }

static void watch(Connection *c, int operation, bool for_write) {
  struct epoll_event event = {.events = EPOLLIN | (for_write ? EPOLLOUT : 0), .data.ptr = c};
  if (epoll_ctl(epoll_fd, operation, c->fd, &event) < 0) die("epoll_ctl");
  c->wants_write = for_write;
}

/** Sends what the kernel takes, and asks for an event when it does not take all. */
void flush(Connection *c) {
  bool waiting = !carrier_flush(c);
  if (waiting != c->wants_write) watch(c, EPOLL_CTL_MOD, waiting);
}

static void use_spread_source(Connection *c) {
  int one = 1;
  struct sockaddr_in source = {.sin_family = AF_INET};
  source.sin_addr.s_addr = htonl(0x7f000002 + c->index / SOURCE_CONNECTIONS); /* 127.0.0.2 and on */
  setsockopt(c->fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  if (bind(c->fd, (struct sockaddr *)&source, sizeof source) < 0) die("bind");
}

void open_connection(Connection *c) {
  int one = 1;
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (c->fd < 0) die("socket");
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  bool loopback = !strncmp(options.host, "127.", 4);
  if (loopback && (options.mode == MODE_CONN || options.mode == MODE_IDLE)) use_spread_source(c);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(c->port)};
  if (inet_pton(AF_INET, options.host, &address.sin_addr) != 1) fail("not an IPv4 address: %s", options.host);
  if (connect(c->fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS) die("connect");
  c->state = CONNECTING;
  c->version = c->role == PUBLISHER ? options.publisher_version : options.subscriber_version;
  c->receive_maximum = 65535; /* unless CONNACK says less [MQTT-3.1.2-24] */
  watch(c, EPOLL_CTL_ADD, true);
}

void close_connection(Connection *c) {
  carrier_close(c);
  close(c->fd);
  free(c->in.bytes);
  free(c->out.bytes);
  c->in = c->out = (Buffer){0};
}

/** Hands over each whole packet of the input. */
static void take_packets(Connection *c) {
  Buffer *in = &c->in;
  while (in->end - in->start >= 2) {
    uint8_t *packet = in->bytes + in->start;
    size_t available = in->end - in->start, length;
    size_t length_bytes = decode_length(packet + 1, available - 1, &length);
    if (!length_bytes || available < 1 + length_bytes + length) break;
    in->start += 1 + length_bytes + length;
    on_packet(c, packet[0], packet + 1 + length_bytes, length);
  }
  memmove(in->bytes, in->bytes + in->start, in->end - in->start);
  in->end -= in->start;
  in->start = 0;
}

static void on_readable(Connection *c) {
  for (bool more = true; more;) {
    ssize_t n = carrier_receive(c, &more);
    if (n == 0) fail("the broker closed %s %d", c->role == PUBLISHER ? "publisher" : "subscriber", c->index);
    if (n < 0 && errno == EAGAIN) break;
    if (n < 0) die("recv");
    take_packets(c);
  }
  if (carrier_waiting(c)) flush(c);
}

static void on_connected(Connection *c) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error) fail("connect: %s", strerror(error));
}

/** Something came for a connection that is not open yet. */
static void on_opening(Connection *c) {
  if (!carrier_opens(c)) {
    flush(c);
    if (c->tls_wants_write != c->wants_write && c->state == TLS_HANDSHAKE) watch(c, EPOLL_CTL_MOD, c->tls_wants_write);
    return;
  }
  c->state = WAITING_CONNACK;
  send_connect(c);
  flush(c);
}

/** Waits for events up to `timeout_ms`, and serves them. */
void turn(int timeout_ms) {
  static struct epoll_event events[EVENTS_MAX];
  int count = epoll_wait(epoll_fd, events, EVENTS_MAX, timeout_ms);
  for (int i = 0; i < count; i++) {
    Connection *c = events[i].data.ptr;
    if (c->state == CONNECTING) {
      if (!(events[i].events & (EPOLLOUT | EPOLLERR))) continue;
      on_connected(c);
      on_opening(c);
      continue;
    }
    if (c->state == TLS_HANDSHAKE || c->state == WEB_SOCKET_HANDSHAKE) {
      on_opening(c);
      continue;
    }
    if (events[i].events & EPOLLIN) on_readable(c);
    if (events[i].events & EPOLLOUT) flush(c);
  }
}
