/* The command line of mqload. */
#define _GNU_SOURCE
#include "mqload.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "mqload -p PORT[,PORT...] [options]\n"
    "  -h, --host ADDRESS           127.0.0.1\n"
    "  -p, --port LIST              publishers use the first, subscribers the last (two nodes can be crossed)\n"
    "  -m, --mode MODE              pair    publisher i -> its own topic -> subscriber i\n"
    "                               fanout  each publisher -> one topic -> all subscribers\n"
    "                               fanin   publishers -> their topics -> every subscriber, by a wildcard\n"
    "                               shared  publishers -> their topics -> subscribers of one share group\n"
    "                               ping    pair with window 1: latency\n"
    "                               conn    connect, CONNACK, disconnect\n"
    "                               idle    open connections, hold them, print the broker's memory\n"
    "  -P, --publishers N           1\n"
    "  -S, --subscribers N          1\n"
    "  -q, --qos 0|1|2              0\n"
    "  -s, --payload-bytes N        64, at least 16\n"
    "  -d, --seconds N              5, after warming up\n"
    "      --warm-up-seconds N      1\n"
    "      --rate N                 open loop: N messages a second in all, publishers in turn; latency counts from the time\n"
    "                               when a message was due, and --window has no meaning. conn, idle: N connects a second\n"
    "      --warm-up-rate N         messages a second while warming up, so that each topic was seen once (as --rate)\n"
    "      --topics N               1: each publisher's messages rotate over as many topics\n"
    "  -w, --window N               100: messages in flight per publisher, or connects in flight. QoS 0: published minus\n"
    "                               delivered (through the slowest subscriber); QoS 1 and 2: also unacknowledged\n"
    "  -5                           MQTT 5.0 on both sides instead of 3.1.1\n"
    "      --publisher-version 4|5  one side alone: 5 and 4 measure MQTT 5.0 publishers feeding 3.1.1 subscribers\n"
    "      --subscriber-version 4|5\n"
    "  -c, --charge PID[,PID...]    processes of the broker: their CPU time and memory are printed\n"
    "  -n, --connections N          1000, for conn and idle\n"
    "  -x, --persistent             the subscribers' sessions outlive their connections\n"
    "  -r, --retain                 retained publishes\n"
    "      --tls                    over TLS; the broker's certificate is not checked\n"
    "      --web-socket PATH        over WebSocket\n";

static const struct {
  const char *name;
  Mode mode;
} modes[] = {{"pair", MODE_PAIR}, {"fanout", MODE_FANOUT}, {"fanin", MODE_FANIN}, {"shared", MODE_SHARED},
             {"ping", MODE_PING}, {"conn", MODE_CONN},     {"idle", MODE_IDLE}};

static const struct option long_options[] = {
    {"host", 1, 0, 'h'},           {"port", 1, 0, 'p'},          {"mode", 1, 0, 'm'},
    {"publishers", 1, 0, 'P'},     {"subscribers", 1, 0, 'S'},   {"qos", 1, 0, 'q'},
    {"payload-bytes", 1, 0, 's'},  {"seconds", 1, 0, 'd'},       {"window", 1, 0, 'w'},
    {"charge", 1, 0, 'c'},         {"connections", 1, 0, 'n'},   {"persistent", 0, 0, 'x'},
    {"retain", 0, 0, 'r'},         {"publisher-version", 1, 0, 'A'}, {"subscriber-version", 1, 0, 'B'},
    {"tls", 0, 0, 'T'},            {"web-socket", 1, 0, 'W'},
    {"rate", 1, 0, 'R'},           {"topics", 1, 0, 't'},        {"warm-up-seconds", 1, 0, 'u'},
    {"warm-up-rate", 1, 0, 'U'},
    {"help", 0, 0, '?'},           {0, 0, 0, 0}};

static void refuse(const char *what, const char *value) {
  fprintf(stderr, "mqload: %s: %s\n%s", what, value, usage);
  exit(2);
}

static int number(const char *what, const char *text, int least, int most) {
  char *end;
  long value = strtol(text, &end, 10);
  if (*end || end == text || value < least || value > most) refuse(what, text);
  return (int)value;
}

static int list(const char *what, char *text, int *numbers, int most) {
  int count = 0;
  for (char *item = strtok(text, ","); item; item = strtok(NULL, ",")) {
    if (count == most) refuse(what, "too many");
    numbers[count++] = number(what, item, 1, 1 << 30);
  }
  return count;
}

static void set_mode(const char *name) {
  for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
    if (strcmp(modes[i].name, name)) continue;
    options.mode = modes[i].mode;
    options.mode_name = modes[i].name;
    return;
  }
  refuse("no such mode", name);
}

/** Fills `options`, or prints what is wrong and ends the program with 2. */
void parse_options(int argc, char **argv) {
  int letter;
  while ((letter = getopt_long(argc, argv, "h:p:m:P:S:q:s:d:w:5c:n:xr", long_options, NULL)) != -1) {
    switch (letter) {
    case 'h': options.host = optarg; break;
    case 'p': options.port_count = list("port", optarg, options.ports, PORTS_MAX); break;
    case 'm': set_mode(optarg); break;
    case 'P': options.publishers = number("publishers", optarg, 1, 100000); break;
    case 'S': options.subscribers = number("subscribers", optarg, 1, 100000); break;
    case 'q': options.qos = number("qos", optarg, 0, 2); break;
    case 's': options.payload_bytes = number("payload bytes", optarg, PAYLOAD_MIN, 1 << 20); break;
    case 'd': options.seconds = number("seconds", optarg, 1, 86400); break;
    case 'w': options.window = number("window", optarg, 1, 60000); break;
    case '5': options.publisher_version = options.subscriber_version = 5; break;
    case 'A': options.publisher_version = number("publisher version", optarg, 4, 5); break;
    case 'B': options.subscriber_version = number("subscriber version", optarg, 4, 5); break;
    case 'c': options.pid_count = list("charge", optarg, options.pids, PIDS_MAX); break;
    case 'n': options.connections = number("connections", optarg, 1, 1000000); break;
    case 'x': options.persistent = true; break;
    case 'r': options.retain = true; break;
    case 'T': options.tls = true; break;
    case 'R': options.rate = number("rate", optarg, 1, 10000000); break;
    case 't': options.topics = number("topics", optarg, 1, 100000); break;
    case 'U': options.warm_up_rate = number("warm-up rate", optarg, 1, 10000000); break;
    case 'u': options.warm_up_seconds = number("warm-up seconds", optarg, 1, 3600); break;
    case 'W': options.web_socket_path = optarg; break;
    default: fputs(usage, stderr); exit(2);
    }
  }
  if (!options.port_count) refuse("--port", "missing");
  if (options.mode == MODE_PING) options.window = 1;
  if (options.topics > 1 && options.mode == MODE_FANOUT) refuse("--topics", "fanout has one topic for all");
  if (options.mode == MODE_PAIR || options.mode == MODE_PING) {
    if (options.subscribers < options.publishers) options.subscribers = options.publishers;
    options.publishers = options.subscribers;
  }
}

Options options = {.host = "127.0.0.1", .mode_name = "pair", .mode = MODE_PAIR, .publishers = 1, .subscribers = 1,
                   .payload_bytes = 64, .seconds = 5, .window = 100, .connections = 1000, .publisher_version = 4,
                   .subscriber_version = 4, .topics = 1, .warm_up_seconds = 1};
