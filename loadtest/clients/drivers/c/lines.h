/* The line protocol for drivers in C: words with tabs between come in, one object a line goes out. Topics and payloads of the story need no escapes. */
#ifndef LINES_H
#define LINES_H
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct connecting {
  int is_websocket, port, level, is_clean, has_will, will_qos, will_retain;
  char client_id[64], will_topic[128], will_payload[128];
};

struct handlers {
  void (*connect)(const struct connecting *where);
  void (*subscribe)(const char *filter, int qos);
  void (*publish)(const char *topic, int qos, int retain, const char *payload);
  void (*disconnect)(void);
};

/* Writes one line in one piece: libraries call back from threads of their own. */
static void say(const char *format, ...) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  va_list values;
  va_start(values, format);
  pthread_mutex_lock(&lock);
  vprintf(format, values);
  putchar('\n');
  fflush(stdout);
  pthread_mutex_unlock(&lock);
  va_end(values);
}

static void show(const char *topic, const void *payload, int length, int qos, int retain) {
  say("{\"event\":\"message\",\"topic\":\"%s\",\"payload\":\"%.*s\",\"qos\":%d,\"retain\":%s}", topic, length,
      (const char *)payload, qos, retain ? "true" : "false");
}

/* Cuts the next word off; an empty one is a word too. */
static const char *word(char **rest) {
  const char *found = strsep(rest, "\t\n");
  return found == NULL ? "" : found;
}

static void read_connecting(struct connecting *where, char *rest) {
  memset(where, 0, sizeof *where);
  where->is_websocket = strcmp(word(&rest), "ws") == 0;
  where->port = atoi(word(&rest));
  where->level = atoi(word(&rest));
  snprintf(where->client_id, sizeof where->client_id, "%s", word(&rest));
  where->is_clean = atoi(word(&rest));
  snprintf(where->will_topic, sizeof where->will_topic, "%s", word(&rest));
  where->has_will = where->will_topic[0] != '\0';
  where->will_qos = atoi(word(&rest));
  where->will_retain = atoi(word(&rest));
  snprintf(where->will_payload, sizeof where->will_payload, "%s", word(&rest));
}

/* Calls a handler for each command until nobody sends any more. */
static void listen_to_commands(const struct handlers *handlers) {
  char line[1024];
  while (fgets(line, sizeof line, stdin) != NULL) {
    char *rest = line;
    const char *command = word(&rest);
    if (strcmp(command, "connect") == 0) {
      struct connecting where;
      read_connecting(&where, rest);
      handlers->connect(&where);
    } else if (strcmp(command, "subscribe") == 0) {
      const char *filter = word(&rest);
      handlers->subscribe(filter, atoi(word(&rest)));
    } else if (strcmp(command, "publish") == 0) {
      const char *topic = word(&rest);
      int qos = atoi(word(&rest)), retain = atoi(word(&rest));
      handlers->publish(topic, qos, retain, word(&rest));
    } else if (strcmp(command, "disconnect") == 0) {
      handlers->disconnect();
    }
  }
}

#endif
