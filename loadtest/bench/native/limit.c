/* limit: the cheapest forwarder that can still be loaded by mqload, as the physical limit of one core on a machine:
 * epoll, one large read per ready socket, packets found in place, bytes gathered per subscriber and written once per turn.
 * No sessions, no checks; exact filters and a trailing '#' alone; QoS 0 and 1, where QoS 1 is acknowledged and forwarded
 * with a fresh packet identifier and nothing is kept. Publishers and subscribers must speak the same version, because the
 * bytes of a PUBLISH are copied as they are. Not a broker: a yardstick.    limit PORT */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  CONNECTIONS_MAX = 200000, /* more than a machine's open files allow */
  TOPIC_MAX = 64,           /* what mqload uses is shorter; longer ones are cut off from the cache and from filters */
  CACHE_SLOTS = 65536,      /* hot topics of the largest row, many times over */
  READ_BYTES = 1 << 17,     /* two of mqload's largest writes */
  EVENTS_MAX = 512,
  BACKLOG = 4096, /* what a connect burst leaves waiting */
};

typedef struct {
  int fd, version_5, dirty, wants_write;
  uint16_t packet_id;
  uint8_t *rest; /* the start of a packet whose end has not come */
  size_t rest_length, rest_capacity;
  uint8_t *out;
  size_t out_start, out_end, out_capacity;
} Connection;

typedef struct {
  char filter[TOPIC_MAX];
  int length, wildcard;
  uint8_t qos;
  Connection *connection;
} Subscription;

typedef struct {
  char topic[TOPIC_MAX];
  int length, count;
  Subscription **subscriptions;
} CacheSlot;

static Subscription *subscriptions[CONNECTIONS_MAX];
static Connection *dirty[CONNECTIONS_MAX];
static CacheSlot cache[CACHE_SLOTS];
static int subscription_count, dirty_count, epoll_fd, listener;

static void watch(Connection *c, int fd, int operation, int for_write) {
  struct epoll_event event = {.events = EPOLLIN | (for_write ? EPOLLOUT : 0), .data.ptr = c};
  epoll_ctl(epoll_fd, operation, fd, &event);
}

/** Gathers bytes for a connection; they leave at the end of the turn. */
static uint8_t *append(Connection *c, const void *bytes, size_t length) {
  if (c->out_start == c->out_end) c->out_start = c->out_end = 0;
  if (c->out_end + length > c->out_capacity) {
    c->out_capacity = (c->out_end + length) * 2;
    c->out = realloc(c->out, c->out_capacity);
  }
  uint8_t *at = memcpy(c->out + c->out_end, bytes, length);
  c->out_end += length;
  if (!c->dirty) {
    c->dirty = 1;
    dirty[dirty_count++] = c;
  }
  return at;
}

static void flush(Connection *c) {
  c->dirty = 0;
  while (c->out_start < c->out_end) {
    ssize_t n = send(c->fd, c->out + c->out_start, c->out_end - c->out_start, MSG_NOSIGNAL);
    if (n < 0) break;
    c->out_start += n;
  }
  int waiting = c->out_start < c->out_end;
  if (waiting == c->wants_write) return;
  c->wants_write = waiting;
  watch(c, c->fd, EPOLL_CTL_MOD, waiting);
}

static void clear_cache(void) {
  for (int i = 0; i < CACHE_SLOTS; i++) free(cache[i].subscriptions);
  memset(cache, 0, sizeof cache);
}

static int matches(const Subscription *s, const uint8_t *topic, int length) {
  if (s->wildcard) return length >= s->length && !memcmp(topic, s->filter, s->length);
  return length == s->length && !memcmp(topic, s->filter, length);
}

/** The subscriptions of a topic, from the cache, or found by going through all. */
static CacheSlot *match(const uint8_t *topic, int length) {
  uint32_t hash = 2166136261u; /* FNV-1a */
  for (int i = 0; i < length; i++) hash = (hash ^ topic[i]) * 16777619u;
  CacheSlot *slot = &cache[hash % CACHE_SLOTS];
  if (slot->length == length && !memcmp(slot->topic, topic, length)) return slot;
  free(slot->subscriptions);
  *slot = (CacheSlot){.length = length};
  memcpy(slot->topic, topic, length);
  for (int i = 0; i < subscription_count; i++) {
    if (!matches(subscriptions[i], topic, length)) continue;
    slot->subscriptions = realloc(slot->subscriptions, sizeof(Subscription *) * (slot->count + 1));
    slot->subscriptions[slot->count++] = subscriptions[i];
  }
  return slot;
}

static void on_subscribe(Connection *c, const uint8_t *body) {
  const uint8_t *at = body + 2 + (c->version_5 ? 1 + body[2] : 0);
  int length = at[0] << 8 | at[1];
  Subscription *s = calloc(1, sizeof *s);
  if (length < 1 || length > TOPIC_MAX || subscription_count == CONNECTIONS_MAX) exit(3);
  memcpy(s->filter, at + 2, length);
  s->wildcard = s->filter[length - 1] == '#';
  s->length = s->wildcard ? length - 1 : length;
  s->connection = c;
  s->qos = at[2 + length] & 3;
  subscriptions[subscription_count++] = s;
  clear_cache();
  uint8_t suback_4[5] = {0x90, 3, body[0], body[1], s->qos}, suback_5[6] = {0x90, 4, body[0], body[1], 0, s->qos};
  if (c->version_5) append(c, suback_5, 6);
  else append(c, suback_4, 5);
}

static void on_publish(Connection *c, const uint8_t *packet, const uint8_t *body, const uint8_t *end) {
  int qos = packet[0] >> 1 & 3, topic_length = body[0] << 8 | body[1];
  if (topic_length > TOPIC_MAX) exit(3);
  CacheSlot *slot = match(body + 2, topic_length);
  size_t packet_id_at = body - packet + 2 + topic_length;
  for (int i = 0; i < slot->count; i++) {
    Connection *to = slot->subscriptions[i]->connection;
    uint8_t *copy = append(to, packet, end - packet);
    if (!qos) continue;
    if (!++to->packet_id) to->packet_id = 1;
    copy[packet_id_at] = to->packet_id >> 8;
    copy[packet_id_at + 1] = to->packet_id;
  }
  uint8_t puback[4] = {0x40, 2, packet[packet_id_at], packet[packet_id_at + 1]};
  if (qos == 1) append(c, puback, 4);
}

static void on_packet(Connection *c, const uint8_t *packet, const uint8_t *body, const uint8_t *end) {
  switch (packet[0] >> 4) {
  case 1:
    c->version_5 = body[6] == 5;
    if (c->version_5) append(c, "\x20\3\0\0\0", 5);
    else append(c, "\x20\2\0\0", 4);
    break;
  case 3: on_publish(c, packet, body, end); break;
  case 8: on_subscribe(c, body); break;
  case 12: append(c, "\xd0\0", 2); break;
  }
}

/** Hands over whole packets; returns how many bytes they took. */
static size_t take_packets(Connection *c, const uint8_t *bytes, size_t length) {
  size_t at = 0;
  while (length - at >= 2) {
    size_t remaining = 0, i = 1;
    int shift = 0, whole = 0;
    while (at + i < length && i < 5 && !whole) {
      uint8_t byte = bytes[at + i++];
      remaining |= (size_t)(byte & 127) << shift;
      shift += 7;
      whole = !(byte & 128);
    }
    if (!whole || length - at < i + remaining) break;
    on_packet(c, bytes + at, bytes + at + i, bytes + at + i + remaining);
    at += i + remaining;
  }
  return at;
}

static void forget(Connection *c, struct epoll_event *later_events, int later_count) {
  close(c->fd);
  for (int i = 0; i < subscription_count;) {
    if (subscriptions[i]->connection != c) { i++; continue; }
    free(subscriptions[i]);
    subscriptions[i] = subscriptions[--subscription_count];
    clear_cache();
  }
  for (int i = 0; c->dirty && i < dirty_count; i++) {
    if (dirty[i] == c) dirty[i--] = dirty[--dirty_count];
  }
  for (int i = 0; i < later_count; i++) {
    if (later_events[i].data.ptr == c) later_events[i].events = 0;
  }
  free(c->rest);
  free(c->out);
  free(c);
}

/** Returns 0 when the connection is gone. */
static int on_readable(Connection *c) {
  static uint8_t bytes[READ_BYTES];
  if (c->rest_length) memcpy(bytes, c->rest, c->rest_length);
  ssize_t n = recv(c->fd, bytes + c->rest_length, sizeof bytes - c->rest_length, 0);
  if (n < 0 && errno == EAGAIN) return 1;
  if (n <= 0) return 0;
  size_t length = c->rest_length + n, taken = take_packets(c, bytes, length);
  c->rest_length = length - taken;
  if (c->rest_length > c->rest_capacity) {
    c->rest_capacity = READ_BYTES;
    c->rest = realloc(c->rest, c->rest_capacity);
  }
  if (c->rest_length) memcpy(c->rest, bytes + taken, c->rest_length);
  return 1;
}

static void accept_all(void) {
  int fd, one = 1;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    Connection *c = calloc(1, sizeof *c);
    c->fd = fd;
    watch(c, fd, EPOLL_CTL_ADD, 0);
  }
}

static void listen_on(int port) {
  int one = 1;
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, BACKLOG)) {
    perror("limit");
    exit(2);
  }
  epoll_fd = epoll_create1(0);
  watch(NULL, listener, EPOLL_CTL_ADD, 0); /* the listener is the event without a connection */
}

int main(int argc, char **argv) {
  static struct epoll_event events[EVENTS_MAX];
  if (argc != 2) {
    fputs("limit PORT\n", stderr);
    return 2;
  }
  listen_on(atoi(argv[1]));
  for (;;) {
    int count = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);
    for (int i = 0; i < count; i++) {
      Connection *c = events[i].data.ptr;
      if (!c) {
        accept_all();
        continue;
      }
      if (events[i].events & EPOLLOUT) flush(c);
      if (!(events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))) continue;
      if (!on_readable(c)) forget(c, events + i + 1, count - i - 1);
    }
    for (int i = 0; i < dirty_count; i++) flush(dirty[i]);
    dirty_count = 0;
  }
}
