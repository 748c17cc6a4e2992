/* Paho for C, its asynchronous interface */
#include "lines.h"
#include <MQTTAsync.h>

static MQTTAsync client = NULL;
static struct connecting place;
static int is_connected = 0, tries = 0;

static void try_connection(void);

static void connected(int session) {
  is_connected = 1;
  say("{\"event\":\"connected\",\"session\":%s}", session ? "true" : "false");
}

static void on_connected(void *context, MQTTAsync_successData *data) {
  (void)context;
  connected(data->alt.connect.sessionPresent);
}

static void on_connected5(void *context, MQTTAsync_successData5 *data) {
  (void)context;
  connected(data->alt.connect.sessionPresent);
}

/* A connect right behind a lost connection fails at times with -1, before anything was sent: once more, as programs do. */
static void refused(int code, int reason) {
  if (code == -1 && tries-- > 0) try_connection();
  else say("{\"event\":\"refused\",\"reason\":\"%d, 0x%02x\"}", code, reason);
}

static void on_refused(void *context, MQTTAsync_failureData *data) {
  (void)context;
  refused(data->code, 0);
}

static void on_refused5(void *context, MQTTAsync_failureData5 *data) {
  (void)context;
  refused(data->code, data->reasonCode);
}

static void on_lost(void *context, char *cause) {
  (void)context, (void)cause;
  if (is_connected) say("{\"event\":\"lost\"}");
  is_connected = 0;
}

/* MQTT 5: the broker has said DISCONNECT. */
static void on_disconnected(void *context, MQTTProperties *properties, enum MQTTReasonCodes reason) {
  (void)properties, (void)reason;
  on_lost(context, NULL);
}

static int on_message(void *context, char *topic, int length, MQTTAsync_message *message) {
  (void)context, (void)length;
  show(topic, message->payload, message->payloadlen, message->qos, message->retained);
  MQTTAsync_freeMessage(&message);
  MQTTAsync_free(topic);
  return 1;
}

/* QoS 1 and 2: at the end of the handshake. */
static void on_delivered(void *context, MQTTAsync_token token) {
  (void)context, (void)token;
  say("{\"event\":\"published\"}");
}

static void on_written(void *context, MQTTAsync_successData *data) {
  (void)context, (void)data;
  say("{\"event\":\"published\"}");
}

static void on_written5(void *context, MQTTAsync_successData5 *data) {
  (void)context, (void)data;
  say("{\"event\":\"published\"}");
}

static void on_subscribed(void *context, MQTTAsync_successData *data) {
  (void)context;
  say("{\"event\":\"subscribed\",\"granted\":%d}", data->alt.qos);
}

static void on_subscribed5(void *context, MQTTAsync_successData5 *data) {
  (void)context;
  say("{\"event\":\"subscribed\",\"granted\":%d}", data->reasonCode);
}

static void on_left(void *context, MQTTAsync_successData *data) {
  (void)context, (void)data;
  is_connected = 0;
  say("{\"event\":\"disconnected\"}");
}

static void on_left5(void *context, MQTTAsync_successData5 *data) {
  (void)context, (void)data;
  on_left(NULL, NULL);
}

static void try_connection(void) {
  char address[64];
  snprintf(address, sizeof address, place.is_websocket ? "ws://127.0.0.1:%d/mqtt" : "tcp://127.0.0.1:%d", place.port);
  if (client == NULL) {
    MQTTAsync_createOptions creation = MQTTAsync_createOptions_initializer5;
    creation.MQTTVersion = place.level;
    MQTTAsync_createWithOptions(&client, address, place.client_id, MQTTCLIENT_PERSISTENCE_NONE, NULL, &creation);
    MQTTAsync_setCallbacks(client, NULL, on_lost, on_message, on_delivered);
    MQTTAsync_setDisconnected(client, NULL, on_disconnected);
  }
  MQTTAsync_connectOptions options3 = MQTTAsync_connectOptions_initializer, options5 = MQTTAsync_connectOptions_initializer5;
  MQTTAsync_connectOptions *options = place.level == 5 ? &options5 : &options3;
  MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
  will.topicName = place.will_topic;
  will.message = place.will_payload;
  will.qos = place.will_qos;
  will.retained = place.will_retain;
  MQTTProperties properties = MQTTProperties_initializer;
  MQTTProperty expiry = {.identifier = MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL, .value.integer4 = place.is_clean ? 0 : 3600};
  char *addresses[] = {address};
  options->serverURIs = addresses;
  options->serverURIcount = 1;
  options->MQTTVersion = place.level;
  options->will = place.has_will ? &will : NULL;
  if (place.level == 5) {
    MQTTProperties_add(&properties, &expiry);
    options->connectProperties = &properties;
    options->cleanstart = place.is_clean;
    options->onSuccess5 = on_connected5;
    options->onFailure5 = on_refused5;
  } else {
    options->cleansession = place.is_clean;
    options->onSuccess = on_connected;
    options->onFailure = on_refused;
  }
  int code = MQTTAsync_connect(client, options);
  if (code != MQTTASYNC_SUCCESS) say("{\"event\":\"refused\",\"reason\":\"%d\"}", code);
  MQTTProperties_free(&properties);
}

static void open_connection(const struct connecting *where) {
  place = *where;
  tries = 3;
  try_connection();
}

static void subscribe(const char *filter, int qos) {
  MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
  if (place.level == 5) options.onSuccess5 = on_subscribed5;
  else options.onSuccess = on_subscribed;
  MQTTAsync_subscribe(client, filter, qos, &options);
}

static void publish(const char *topic, int qos, int retain, const char *payload) {
  MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
  if (qos == 0 && place.level == 5) options.onSuccess5 = on_written5;
  else if (qos == 0) options.onSuccess = on_written;
  int code = MQTTAsync_send(client, topic, (int)strlen(payload), payload, qos, retain, &options);
  if (code != MQTTASYNC_SUCCESS) say("{\"event\":\"failed\",\"reason\":\"%d\"}", code);
}

static void leave(void) {
  MQTTAsync_disconnectOptions options3 = MQTTAsync_disconnectOptions_initializer, options5 = MQTTAsync_disconnectOptions_initializer5;
  options3.onSuccess = on_left;
  options5.onSuccess5 = on_left5;
  options3.timeout = options5.timeout = 5000;
  MQTTAsync_disconnect(client, place.level == 5 ? &options5 : &options3);
}

int main(void) {
  say("{\"event\":\"features\",\"levels\":[4,5],\"transports\":[\"tcp\",\"ws\"]}");
  listen_to_commands(&(struct handlers){open_connection, subscribe, publish, leave});
  return 0;
}
