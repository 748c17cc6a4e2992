/* A temperature sensor with libmosquitto: cc -Wall -Wextra -O2 -o sensor sensor.c -lmosquitto && ./sensor --help */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PROGRAM "sensor"
/* After one and a half times this without a word from the sensor the broker publishes the will. */
#define KEEP_ALIVE_SECONDS 30
/* What waits in the broker longer than this for a reader that is away is not worth reading any more. */
#define EXPIRY_SECONDS 3600
/* Messages kept while the connection is away: 14 hours of one every 5 seconds, some 10 MB. The library has no bound of its own, and a packet identifier has
 * 16 bits, so 65,535 is the most. */
#define WAITING_MAX 10000
/* Between two attempts to connect: doubles from one to the other, and up to a second more, not the same for each sensor, or a thousand would come back at once. */
#define RECONNECT_MIN_SECONDS 1
#define RECONNECT_MAX_SECONDS 30
/* A signal that comes just before the library begins to wait is seen this much later. */
#define TURN_MILLISECONDS 250
/* How long the end waits for acknowledgements. Supervisors kill after 10 seconds (Docker) or 90 (systemd). */
#define END_SECONDS 5

static const char usage[] =
    "usage: sensor [--host HOST] [--port PORT] [--id ID] [--interval SECONDS] [--count COUNT]\n"
    "Publishes temperatures. Or in the environment: MQTT_HOST, MQTT_PORT, SENSOR_ID, SENSOR_INTERVAL, SENSOR_COUNT.\n"
    "COUNT 0: until it is stopped.\n";

struct settings {
  const char *host;
  int port;
  const char *id;
  double interval_seconds;
  long count;
};

struct sensor {
  struct settings settings;
  struct mosquitto *client;
  char topic[96], status_topic[96], client_id[80];
  /* Names this run, so that readers can tell a reading that comes again from one of the next run. */
  long long run;
  double celsius;
  /* Messages that the broker has not acknowledged yet. */
  int waiting;
  /* There is a socket; the broker has accepted; it was said that the connection is away. */
  bool is_open, is_connected, is_away;
  bool is_ending;
  /* When to connect again, and how long after that. */
  long long attempt_at;
  int attempt_seconds;
  char failure[120];
};

/* Set by SIGINT and SIGTERM. */
static volatile sig_atomic_t is_stopped;

static void stop(int signal) {
  (void)signal;
  is_stopped = 1;
}

static long long nanoseconds(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* Reason codes that another attempt does not change: protocol, client identifier, password, permission, banned, and another client that has taken this
 * identifier. */
static bool is_final(int reason) {
  return reason == 0x84 || reason == 0x85 || reason == 0x86 || reason == 0x87 || reason == 0x8A || reason == 0x8E;
}

/* Says what is wrong with how it was called, and ends. */
static void refuse(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs(PROGRAM ": ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(2);
}

/* Ends when the library cannot do what is asked of it: out of memory, mostly. */
static void check(int code, const char *what) {
  if (code == MOSQ_ERR_SUCCESS) return;
  fprintf(stderr, PROGRAM ": %s: %s\n", what, mosquitto_strerror(code));
  exit(1);
}

static const char *from(const char *name, const char *otherwise) {
  const char *value = getenv(name);
  return value == NULL ? otherwise : value;
}

static double read_number(const char *option, const char *text, double low, double high, bool is_whole) {
  size_t digits = strspn(text, is_whole ? "0123456789" : "0123456789.");
  char *end;
  double value = strtod(text, &end);
  if (digits == 0 || text[digits] != '\0' || *end != '\0' || value < low || value > high)
    refuse("%s must be %s from %g to %.0f, not \"%s\"", option, is_whole ? "a whole number" : "a number", low, high, text);
  return value;
}

/* It becomes a level of a topic, where + # and / would mean something else. */
static const char *read_id(const char *text) {
  size_t length = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
  if (length == 0 || length > 64 || text[length] != '\0')
    refuse("--id must be 1 to 64 letters, digits, dashes and underscores, not \"%s\"", text);
  return text;
}

/* Arguments come before the environment, the environment before the defaults. */
static struct settings read_settings(int argc, char **argv) {
  const char *host = from("MQTT_HOST", "127.0.0.1"), *port = from("MQTT_PORT", "1883"), *id = from("SENSOR_ID", "c");
  const char *interval = from("SENSOR_INTERVAL", "5"), *count = from("SENSOR_COUNT", "0");
  static const struct option options[] = {
      {"host", required_argument, NULL, 'h'},     {"port", required_argument, NULL, 'p'},
      {"id", required_argument, NULL, 'i'},       {"interval", required_argument, NULL, 's'},
      {"count", required_argument, NULL, 'c'},    {"help", no_argument, NULL, '?' + 128},
      {NULL, 0, NULL, 0},
  };
  for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
    if (option == 'h') host = optarg;
    else if (option == 'p') port = optarg;
    else if (option == 'i') id = optarg;
    else if (option == 's') interval = optarg;
    else if (option == 'c') count = optarg;
    else {
      /* getopt_long has said what is wrong. */
      fputs(usage, option == '?' ? stderr : stdout);
      exit(option == '?' ? 2 : 0);
    }
  }
  if (optind < argc) refuse("what is \"%s\"? See --help", argv[optind]);
  return (struct settings){
      .host = host,
      .port = (int)read_number("--port", port, 1, 65535, true),
      .id = read_id(id),
      .interval_seconds = read_number("--interval", interval, 0.01, 86400, false),
      .count = (long)read_number("--count", count, 0, 999999999, true),
  };
}

static void say_away(struct sensor *sensor, const char *why, int reason) {
  if (is_final(reason)) snprintf(sensor->failure, sizeof sensor->failure, "%s", why);
  else if (!sensor->is_away && !sensor->is_ending)
    printf("no connection to %s:%d (%s); readings wait\n", sensor->settings.host, sensor->settings.port, why);
  sensor->is_away = true;
}

/* True if the library has taken it. MOSQ_ERR_NO_CONN says that it waits for the connection. */
static bool publish(struct sensor *sensor, const char *topic, const char *payload, bool retain, mosquitto_property *properties) {
  if (sensor->waiting == WAITING_MAX) return false;
  sensor->waiting++;
  int code = mosquitto_publish_v5(sensor->client, NULL, topic, (int)strlen(payload), payload, 1, retain, properties);
  /* What goes wrong with the connection, the next turn of the loop finds out. */
  if (code != MOSQ_ERR_NO_CONN && code != MOSQ_ERR_CONN_LOST && code != MOSQ_ERR_ERRNO) check(code, "publish");
  return true;
}

static void on_connect(struct mosquitto *client, void *context, int reason, int flags, const mosquitto_property *properties) {
  (void)client, (void)flags, (void)properties;
  struct sensor *sensor = context;
  if (reason != 0) {
    char why[120];
    snprintf(why, sizeof why, "refused: %s", mosquitto_reason_string(reason));
    say_away(sensor, why, reason);
    return;
  }
  printf("connected to %s:%d\n", sensor->settings.host, sensor->settings.port);
  sensor->is_connected = true;
  sensor->is_away = false;
  sensor->attempt_seconds = RECONNECT_MIN_SECONDS;
  publish(sensor, sensor->status_topic, "online", true, NULL);
}

static void on_disconnect(struct mosquitto *client, void *context, int reason, const mosquitto_property *properties) {
  (void)client, (void)properties;
  /* From 0x80 on it is a reason code of the broker, below an error of the library. */
  say_away(context, reason >= 0x80 ? mosquitto_reason_string(reason) : mosquitto_strerror(reason), reason);
}

static void on_publish(struct mosquitto *client, void *context, int mid, int reason, const mosquitto_property *properties) {
  (void)client, (void)mid, (void)properties;
  struct sensor *sensor = context;
  sensor->waiting--;
  /* For instance 0x87, not authorized: the broker has thrown it away. 0x10, nobody subscribes, is none. */
  if (reason >= 0x80) fprintf(stderr, PROGRAM ": the broker did not take a message: %s\n", mosquitto_reason_string(reason));
}

/* Stands for the hardware. */
static double measure(struct sensor *sensor) {
  sensor->celsius += (double)rand() / RAND_MAX * 0.2 - 0.1;
  return sensor->celsius;
}

static void publish_reading(struct sensor *sensor, long number) {
  struct timespec now;
  struct tm utc;
  char seconds[32], payload[200];
  double celsius = measure(sensor);
  clock_gettime(CLOCK_REALTIME, &now);
  strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", gmtime_r(&now.tv_sec, &utc));
  snprintf(payload, sizeof payload, "{\"run\": %lld, \"number\": %ld, \"celsius\": %.2f, \"at\": \"%s.%03ldZ\"}", sensor->run, number,
           celsius, seconds, now.tv_nsec / 1000000);
  mosquitto_property *properties = NULL;
  check(mosquitto_property_add_string(&properties, MQTT_PROP_CONTENT_TYPE, "application/json"), "property");
  check(mosquitto_property_add_byte(&properties, MQTT_PROP_PAYLOAD_FORMAT_INDICATOR, 1), "property");
  check(mosquitto_property_add_int32(&properties, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL, EXPIRY_SECONDS), "property");
  check(mosquitto_property_add_string_pair(&properties, MQTT_PROP_USER_PROPERTY, "program", PROGRAM ".c"), "property");
  check(mosquitto_property_add_string_pair(&properties, MQTT_PROP_USER_PROPERTY, "schema", "reading-1"), "property");
  bool is_taken = publish(sensor, sensor->topic, payload, false, properties);
  mosquitto_property_free_all(&properties);
  if (is_taken) printf("reading %ld: %.2f °C; %d waiting\n", number, celsius, sensor->waiting);
  else printf("reading %ld lost: %d wait already\n", number, WAITING_MAX);
}

static void connect_again(struct sensor *sensor) {
  const struct settings *settings = &sensor->settings;
  /* Does not wait for the connection, only for the address of a name. */
  int code = mosquitto_connect_async(sensor->client, settings->host, settings->port, KEEP_ALIVE_SECONDS);
  sensor->is_open = code == MOSQ_ERR_SUCCESS;
  if (!sensor->is_open) say_away(sensor, code == MOSQ_ERR_ERRNO ? strerror(errno) : mosquitto_strerror(code), 0);
  sensor->attempt_at = nanoseconds(CLOCK_MONOTONIC) + sensor->attempt_seconds * 1000000000LL + rand() % 1000 * 1000000LL;
  sensor->attempt_seconds *= 2;
  if (sensor->attempt_seconds > RECONNECT_MAX_SECONDS) sensor->attempt_seconds = RECONNECT_MAX_SECONDS;
}

/* One turn of the client: connects when it is time to, else sends and receives, until something has happened or this moment has come.
 *
 * All in one thread, so that nothing is published while the library connects again; and with `mosquitto_loop_start` it does not connect at all where the first
 * attempt has failed (seen with version 2.0). */
static void turn(struct sensor *sensor, long long until) {
  long long now = nanoseconds(CLOCK_MONOTONIC);
  if (!sensor->is_open && now >= sensor->attempt_at) connect_again(sensor);
  long long left = (until - now) / 1000000 + 1;
  int milliseconds = left < 0 ? 0 : left < TURN_MILLISECONDS ? (int)left : TURN_MILLISECONDS;
  if (!sensor->is_open) {
    nanosleep(&(struct timespec){.tv_nsec = milliseconds * 1000000L}, NULL);
    return;
  }
  int code = mosquitto_loop(sensor->client, milliseconds, 1);
  if (code == MOSQ_ERR_SUCCESS) return;
  say_away(sensor, mosquitto_strerror(code), 0);
  sensor->is_open = sensor->is_connected = false;
}

/* Reads until it is stopped, or the count is reached. */
static long read_until_stopped(struct sensor *sensor) {
  long long due = nanoseconds(CLOCK_MONOTONIC);
  for (long number = 0;;) {
    while (nanoseconds(CLOCK_MONOTONIC) < due && !is_stopped && sensor->failure[0] == '\0') turn(sensor, due);
    if (is_stopped || sensor->failure[0] != '\0') return number;
    publish_reading(sensor, ++number);
    if (number == sensor->settings.count) return number;
    due += (long long)(sensor->settings.interval_seconds * 1e9);
  }
}

/* Waits for acknowledgements, then leaves. Returns how many are missing. */
static int end(struct sensor *sensor) {
  long long deadline = nanoseconds(CLOCK_MONOTONIC) + END_SECONDS * 1000000000LL;
  sensor->is_ending = true;
  while (sensor->waiting > 0 && sensor->failure[0] == '\0' && nanoseconds(CLOCK_MONOTONIC) < deadline) turn(sensor, deadline);
  int missing = sensor->waiting;
  /* DISCONNECT 0x04 has the broker publish the will: `offline` is written in one place. Without a connection it has done so already. */
  mosquitto_disconnect_v5(sensor->client, MQTT_RC_DISCONNECT_WITH_WILL_MSG, NULL);
  while (sensor->is_connected && nanoseconds(CLOCK_MONOTONIC) < deadline) turn(sensor, deadline);
  return missing;
}

static void make_client(struct sensor *sensor) {
  const char *id = sensor->settings.id;
  snprintf(sensor->client_id, sizeof sensor->client_id, "sensor-%s", id);
  snprintf(sensor->topic, sizeof sensor->topic, "sensors/%s/temperature", id);
  snprintf(sensor->status_topic, sizeof sensor->status_topic, "sensors/%s/status", id);
  mosquitto_lib_init();
  /* libmosquitto keeps what was published with QoS 1 and not acknowledged, connected or not, and sends it (again) after each connect. In memory: it ends with
   * the process. */
  struct mosquitto *client = sensor->client = mosquitto_new(sensor->client_id, true, sensor);
  if (client == NULL) check(MOSQ_ERR_NOMEM, "client");
  check(mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5), "MQTT 5");
  check(mosquitto_will_set_v5(client, sensor->status_topic, 7, "offline", 1, true, NULL), "will");
  mosquitto_connect_v5_callback_set(client, on_connect);
  mosquitto_disconnect_v5_callback_set(client, on_disconnect);
  mosquitto_publish_v5_callback_set(client, on_publish);
}

int main(int argc, char **argv) {
  static struct sensor sensor = {.celsius = 20, .attempt_seconds = RECONNECT_MIN_SECONDS};
  sensor.settings = read_settings(argc, argv);
  sensor.run = nanoseconds(CLOCK_REALTIME) / 1000000;
  srand((unsigned)nanoseconds(CLOCK_REALTIME));
  setvbuf(stdout, NULL, _IOLBF, 0);
  signal(SIGINT, stop);
  signal(SIGTERM, stop);
  make_client(&sensor);
  long count = read_until_stopped(&sensor);
  int missing = end(&sensor);
  mosquitto_destroy(sensor.client);
  mosquitto_lib_cleanup();
  if (sensor.failure[0] != '\0') {
    fprintf(stderr, PROGRAM ": %s:%d: %s\n", sensor.settings.host, sensor.settings.port, sensor.failure);
    return 1;
  }
  if (missing > 0) {
    fprintf(stderr, PROGRAM ": ended after %ld readings; %d messages were not acknowledged\n", count, missing);
    return 1;
  }
  printf("ended after %ld readings; all acknowledged\n", count);
  return 0;
}
