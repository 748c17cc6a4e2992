/* libmosquitto */
#include "lines.h"
#include <mosquitto.h>
#include <mqtt_protocol.h>

static struct mosquitto *client = NULL;
static struct connecting place;
static int is_leaving = 0;

static void connected(struct mosquitto *c, void *context, int reason, int flags, const mosquitto_property *properties) {
  (void)c, (void)context, (void)properties;
  if (reason == 0) say("{\"event\":\"connected\",\"session\":%s}", flags & 1 ? "true" : "false");
  else say("{\"event\":\"refused\",\"reason\":\"%d\"}", reason);
}

static void disconnected(struct mosquitto *c, void *context, int reason, const mosquitto_property *properties) {
  (void)c, (void)context, (void)reason, (void)properties;
  say(is_leaving ? "{\"event\":\"disconnected\"}" : "{\"event\":\"lost\"}");
}

static void subscribed(struct mosquitto *c, void *context, int id, int count, const int *granted) {
  (void)c, (void)context, (void)id, (void)count;
  say("{\"event\":\"subscribed\",\"granted\":%d}", granted[0]);
}

static void published(struct mosquitto *c, void *context, int id) {
  (void)c, (void)context, (void)id;
  say("{\"event\":\"published\"}");
}

static void arrived(struct mosquitto *c, void *context, const struct mosquitto_message *message) {
  (void)c, (void)context;
  show(message->topic, message->payload, message->payloadlen, message->qos, message->retain);
}

/* One connection: the loop of the library ends with it, so that it does not come back by itself. */
static void *run(void *nothing) {
  (void)nothing;
  while (mosquitto_loop(client, 100, 1) == MOSQ_ERR_SUCCESS) {
  }
  return NULL;
}

static void create(void) {
  client = mosquitto_new(place.client_id, place.is_clean, NULL);
  mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, place.level == 5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311);
  mosquitto_threaded_set(client, true);
  mosquitto_connect_v5_callback_set(client, connected);
  mosquitto_disconnect_v5_callback_set(client, disconnected);
  mosquitto_subscribe_callback_set(client, subscribed);
  mosquitto_publish_callback_set(client, published);
  mosquitto_message_callback_set(client, arrived);
  if (place.has_will)
    mosquitto_will_set(client, place.will_topic, (int)strlen(place.will_payload), place.will_payload, place.will_qos, place.will_retain);
}

static void open_connection(const struct connecting *where) {
  static pthread_t thread;
  static int is_running = 0;
  if (is_running) pthread_join(thread, NULL);
  place = *where;
  is_leaving = 0;
  if (client == NULL) create();
  mosquitto_property *properties = NULL;
  if (place.level == 5 && !place.is_clean)
    mosquitto_property_add_int32(&properties, MQTT_PROP_SESSION_EXPIRY_INTERVAL, 3600);
  int code = mosquitto_connect_bind_v5(client, "127.0.0.1", place.port, 60, NULL, properties);
  mosquitto_property_free_all(&properties);
  is_running = code == MOSQ_ERR_SUCCESS;
  if (is_running) pthread_create(&thread, NULL, run, NULL);
  else say("{\"event\":\"refused\",\"reason\":\"%s\"}", mosquitto_strerror(code));
}

static void subscribe(const char *filter, int qos) { mosquitto_subscribe(client, NULL, filter, qos); }

static void publish(const char *topic, int qos, int retain, const char *payload) {
  int code = mosquitto_publish(client, NULL, topic, (int)strlen(payload), payload, qos, retain);
  if (code != MOSQ_ERR_SUCCESS) say("{\"event\":\"failed\",\"reason\":\"%s\"}", mosquitto_strerror(code));
}

static void leave(void) {
  is_leaving = 1;
  mosquitto_disconnect(client);
}

int main(void) {
  mosquitto_lib_init();
  say("{\"event\":\"features\",\"levels\":[4,5],\"transports\":[\"tcp\"]}");
  listen_to_commands(&(struct handlers){open_connection, subscribe, publish, leave});
  return 0;
}
