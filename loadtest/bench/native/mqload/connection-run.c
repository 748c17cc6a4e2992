/* A run that counts connections: how fast they come (conn), or what each costs while it is idle (idle). */
#define _GNU_SOURCE
#include "mqload.h"
#include <stdio.h>
#include <stdlib.h>

static Connection *clients;

static void open_next(int index) {
  Connection *c = &clients[index];
  c->role = SUBSCRIBER;
  c->index = index;
  c->port = options.ports[index % options.port_count];
  open_connection(c);
}

/** conn: says goodbye. idle: keeps the connection, but not the generator's buffers for it. */
static void finish(Connection *c) {
  if (options.mode == MODE_CONN) {
    append(c, "\xe0\0", 2);
    flush(c);
    close_connection(c);
    return;
  }
  free(c->in.bytes);
  free(c->wire_in.bytes);
  c->in = c->wire_in = (Buffer){0};
}

static void connect_all(void) {
  double start = now_seconds(), deadline = start + CONNECT_SECONDS;
  int opened = 0, finished = 0;
  while (ready_count < options.connections) {
    double due = options.rate ? (now_seconds() - start) * options.rate : options.connections;
    while (opened < options.connections && opened <= due && opened - ready_count < options.window) open_next(opened++);
    turn(options.rate ? 1 : 100);
    while (finished < opened && clients[finished].state == READY) finish(&clients[finished++]);
    if (now_seconds() > deadline)
      fail("only %d of %d connected in %d s", ready_count, options.connections, CONNECT_SECONDS);
  }
}

/** Returns the exit code. */
int run_connections(void) {
  allow_descriptors(options.mode == MODE_IDLE ? options.connections : options.window * 2);
  clients = calloc(options.connections, sizeof *clients);
  if (!clients) die("calloc");
  long rss_before = broker_rss_kilobytes();
  double cpu_before = broker_cpu_seconds(), start = now_seconds();
  connect_all();
  double seconds = now_seconds() - start, cpu = broker_cpu_seconds() - cpu_before;
  double hold_until = now_seconds() + (options.mode == MODE_IDLE ? options.seconds : 0);
  while (now_seconds() < hold_until) turn(100);
  long rss_after = broker_rss_kilobytes();
  printf("{\"mode\":\"%s\",\"version\":%d,\"connections\":%d,\"seconds\":%.2f,\"connects_per_second\":%.0f,"
         "\"broker_cpu_us_per_connect\":%.1f,\"rss_kb_before\":%ld,\"rss_kb_after\":%ld,\"bytes_per_connection\":%.0f}\n",
         options.mode_name, options.subscriber_version, options.connections, seconds, options.connections / seconds,
         cpu * 1e6 / options.connections, rss_before, rss_after,
         (rss_after - rss_before) * 1024.0 / options.connections);
  return 0;
}
