/* A run that counts messages: publishers keep their windows full or send at a rate, subscribers count what arrives. */
#define _GNU_SOURCE
#include "mqload.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static Connection *clients, *subscribers, *publishers;
static uint64_t *deliveries_of; /* per publisher, over all subscribers */
static uint64_t published, delivered, slowest_received;
static bool measuring;
static uint32_t *latencies_us;
static size_t latency_count;

static uint64_t next_random(void) {
  static uint64_t state = 88172645463325252ull;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

/** Counts one delivery; the payload tells when it was sent and by whom. */
void on_delivery(Connection *c, const uint8_t *payload) {
  double sent_at;
  uint32_t publisher;
  memcpy(&sent_at, payload, 8);
  memcpy(&publisher, payload + 8, 4);
  if (publisher >= (uint32_t)options.publishers) fail("a delivery from publisher %u, which does not exist", publisher);
  c->received++;
  deliveries_of[publisher]++;
  if (!measuring) return;
  delivered++;
  if ((options.rate || (next_random() & SAMPLE_MASK) == 0) && latency_count < LATENCIES_MAX) {
    double microseconds = (now_seconds() - sent_at) * 1e6;
    latencies_us[latency_count++] = microseconds < 0 ? 0 : (uint32_t)microseconds;
  }
}

/** How many messages of a publisher are through. A single fan-out waits for its slowest subscriber; with more publishers
 * to many subscribers it is the mean over the subscribers, which costs no count per pair. */
static uint64_t through(const Connection *c) {
  uint64_t count = deliveries_of[c->index];
  if (options.mode == MODE_FANOUT && options.publishers == 1) count = slowest_received;
  else if (options.mode == MODE_FANOUT || options.mode == MODE_FANIN) count /= options.subscribers;
  return options.qos && c->acknowledged < count ? c->acknowledged : count;
}

/** Appends one PUBLISH. `sent_at`: the time from which its latency counts. */
static void publish(Connection *c, double sent_at) {
  if (options.topics > 1) make_publish_header(c, c->sent % options.topics);
  uint8_t *at = reserve(c, c->publish_header_length + options.payload_bytes);
  uint32_t index = c->index;
  memcpy(at, c->publish_header, c->publish_header_length);
  if (options.qos) {
    if (!++c->packet_id) c->packet_id = 1;
    at[c->packet_id_at] = c->packet_id >> 8;
    at[c->packet_id_at + 1] = c->packet_id;
  }
  at += c->publish_header_length;
  memset(at, 'x', options.payload_bytes);
  memcpy(at, &sent_at, 8);
  memcpy(at + 8, &index, 4);
  c->sent++;
  published++;
}

/** Publishes until the window, the broker's receive maximum or the socket is full. */
static void fill_window(Connection *c) {
  uint64_t done = through(c);
  while (c->sent - done < (uint64_t)options.window && carrier_waiting(c) <= OUT_BYTES_MAX) {
    if (options.qos && c->sent - c->acknowledged >= c->receive_maximum) break; /* [MQTT-3.3.4-7] */
    publish(c, now_seconds());
  }
  if (carrier_waiting(c)) flush(c);
}

/** Publishes what is due at `time`, publishers in turn. A publisher that may not send yet holds up all: its messages and
 * those behind it are late, and their latency says so. */
static void publish_due(double time, bool is_warm) {
  static uint64_t count;
  static double due;
  for (;; count++) {
    double interval = 1.0 / (is_warm || !options.warm_up_rate ? options.rate : options.warm_up_rate);
    if (due == 0) due = time;
    Connection *c = &publishers[count % options.publishers];
    if (due > time || carrier_waiting(c) > OUT_BYTES_MAX) return;
    if (options.qos && c->sent - c->acknowledged >= c->receive_maximum) return; /* [MQTT-3.3.4-7] */
    publish(c, due);
    flush(c);
    due += interval;
  }
}

static void open_clients(Connection *first, int count, Role role, int port, int ready_target) {
  double deadline = now_seconds() + SETUP_SECONDS;
  for (int i = 0; i < count; i++) {
    Connection *c = &first[i];
    c->role = role;
    c->index = i;
    c->port = port;
    open_connection(c);
    if (role == PUBLISHER) make_publish_header(c, 0);
    while (c->state < WAITING_CONNACK) turn(50);
  }
  while (ready_count < ready_target) {
    turn(50);
    if (now_seconds() > deadline) fail("only %d of %d clients are ready", ready_count, ready_target);
  }
}

static void open_all(void) {
  int total = options.publishers + options.subscribers;
  allow_descriptors(total);
  clients = calloc(total, sizeof *clients);
  deliveries_of = calloc(options.publishers, sizeof *deliveries_of);
  latencies_us = malloc(LATENCIES_MAX * sizeof *latencies_us);
  if (!clients || !deliveries_of || !latencies_us) die("calloc");
  subscribers = clients;
  publishers = clients + options.subscribers;
  open_clients(subscribers, options.subscribers, SUBSCRIBER, options.ports[options.port_count - 1], options.subscribers);
  open_clients(publishers, options.publishers, PUBLISHER, options.ports[0], total);
  usleep(300000); /* what a broker does after SUBACK is not part of the measurement */
}

static uint64_t count_received(void) {
  uint64_t total = 0;
  slowest_received = UINT64_MAX;
  for (int i = 0; i < options.subscribers; i++) {
    total += subscribers[i].received;
    if (subscribers[i].received < slowest_received) slowest_received = subscribers[i].received;
  }
  return total;
}

static int compare_latencies(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}

static uint32_t percentile(double share) { return latency_count ? latencies_us[(size_t)(latency_count * share)] : 0; }

static void print_result(double seconds, double cpu_seconds, uint64_t published_while) {
  qsort(latencies_us, latency_count, sizeof *latencies_us, compare_latencies);
  printf("{\"mode\":\"%s\",\"qos\":%d,\"publisher_version\":%d,\"subscriber_version\":%d,\"persistent\":%s,\"publishers\":%d,"
         "\"subscribers\":%d,\"payload_bytes\":%d,\"window\":%d,\"rate\":%d,\"topics\":%d,\"seconds\":%.2f,",
         options.mode_name, options.qos, options.publisher_version, options.subscriber_version,
         options.persistent ? "true" : "false", options.publishers, options.subscribers, options.payload_bytes,
         options.window, options.rate, options.topics, seconds);
  printf("\"published_per_second\":%.0f,\"delivered_per_second\":%.0f,\"broker_cpu_us_per_delivery\":%.3f,"
         "\"broker_cpu_share\":%.2f,\"p50_us\":%u,\"p99_us\":%u,\"p999_us\":%u,\"rss_kb\":%ld}\n",
         published_while / seconds, delivered / seconds, delivered ? cpu_seconds * 1e6 / delivered : 0,
         cpu_seconds / seconds, percentile(.5), percentile(.99), percentile(.999), broker_rss_kilobytes());
}

/** `options.warm_up_seconds`, then `options.seconds` measured. Returns the exit code. */
int run_messages(void) {
  open_all();
  double begin = now_seconds(), start = begin + options.warm_up_seconds, end = start + options.seconds, last_delivery = begin, cpu_before = 0;
  uint64_t received_before = 0, published_before = 0;
  for (double time; (time = now_seconds()) < end;) {
    if (!measuring && time >= start) {
      measuring = true;
      cpu_before = broker_cpu_seconds();
      published_before = published;
      start = time;
      end = start + options.seconds;
    }
    uint64_t received = count_received();
    if (received != received_before) last_delivery = time;
    else if (time - last_delivery > STALL_SECONDS) fail("no delivery for %d s after %lu", STALL_SECONDS, (unsigned long)received);
    received_before = received;
    if (options.rate) {
      publish_due(time, measuring);
      turn(0); /* a due time is finer than a wait: the generator has a core of its own */
      continue;
    }
    for (int i = 0; i < options.publishers; i++) fill_window(&publishers[i]);
    turn(1);
  }
  print_result(now_seconds() - start, broker_cpu_seconds() - cpu_before, published - published_before);
  return 0;
}
