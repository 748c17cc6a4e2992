/* A client of the Paho library for C, for the tests: paho-client publish|subscribe|will PORT VERSION CLIENT DURABLE TOPIC QOS RETAIN PAYLOAD
 * Writes `ready` when it is connected (will) or subscribed, and a line for each message. Ends with DISCONNECT at SIGTERM. */
#include <MQTTClient.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile sig_atomic_t over = 0;

static void end(int signal) {
  (void)signal;
  over = 1;
}

static void check(int code, const char *what) {
  if (code == MQTTCLIENT_SUCCESS) return;
  fprintf(stderr, "%s: %d\n", what, code);
  exit(1);
}

static int arrived(void *context, char *topic, int length, MQTTClient_message *message) {
  (void)context;
  (void)length;
  printf("message\t%s\t%d\t%d\t%.*s\n", topic, message->qos, message->retained, message->payloadlen, (char *)message->payload);
  fflush(stdout);
  MQTTClient_freeMessage(&message);
  MQTTClient_free(topic);
  return 1;
}

static void lost(void *context, char *cause) {
  (void)context;
  fprintf(stderr, "connection lost: %s\n", cause == NULL ? "" : cause);
}

static void connect_client(MQTTClient client, int version, int durable, MQTTClient_willOptions *will) {
  MQTTClient_connectOptions options3 = MQTTClient_connectOptions_initializer;
  MQTTClient_connectOptions options5 = MQTTClient_connectOptions_initializer5;
  MQTTClient_connectOptions *options = version == MQTTVERSION_5 ? &options5 : &options3;
  options->MQTTVersion = version;
  options->keepAliveInterval = 60;
  options->will = will;
  if (version != MQTTVERSION_5) {
    options->cleansession = !durable;
    check(MQTTClient_connect(client, options), "connect");
    return;
  }
  MQTTProperties properties = MQTTProperties_initializer;
  MQTTProperty expiry = {.identifier = MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL, .value.integer4 = durable ? 3600 : 0};
  MQTTProperties_add(&properties, &expiry);
  options->cleanstart = !durable;
  MQTTResponse response = MQTTClient_connect5(client, options, &properties, NULL);
  check(response.reasonCode, "connect");
  MQTTResponse_free(response);
  MQTTProperties_free(&properties);
}

static void subscribe(MQTTClient client, int version, const char *filter, int qos) {
  if (version == MQTTVERSION_5) {
    MQTTResponse response = MQTTClient_subscribe5(client, filter, qos, NULL, NULL);
    if ((int)response.reasonCode != qos) check(-1, "subscribe");
    MQTTResponse_free(response);
  } else {
    check(MQTTClient_subscribe(client, filter, qos), "subscribe");
  }
}

static void publish(MQTTClient client, int version, const char *topic, MQTTClient_message *message) {
  MQTTClient_deliveryToken token;
  if (version == MQTTVERSION_5) {
    MQTTResponse response = MQTTClient_publishMessage5(client, topic, message, &token);
    check(response.reasonCode, "publish");
    MQTTResponse_free(response);
  } else {
    check(MQTTClient_publishMessage(client, topic, message, &token), "publish");
  }
  check(MQTTClient_waitForCompletion(client, token, 20000), "completion");
}

int main(int count, char **words) {
  if (count != 10) return 2;
  const char *mode = words[1], *client_id = words[4], *topic = words[6], *payload = words[9];
  int version = atoi(words[3]), durable = atoi(words[5]), qos = atoi(words[7]), retain = atoi(words[8]);
  char address[64];
  snprintf(address, sizeof address, "%s%s", strchr(words[2], ':') != NULL ? "" : "tcp://127.0.0.1:", words[2]);
  signal(SIGTERM, end);

  MQTTClient client;
  MQTTClient_createOptions creation = MQTTClient_createOptions_initializer;
  creation.MQTTVersion = version;
  check(MQTTClient_createWithOptions(&client, address, client_id, MQTTCLIENT_PERSISTENCE_NONE, NULL, &creation), "create");
  int is_publisher = strcmp(mode, "publish") == 0;
  if (!is_publisher) check(MQTTClient_setCallbacks(client, NULL, lost, arrived, NULL), "callbacks");

  MQTTClient_willOptions will = MQTTClient_willOptions_initializer;
  will.topicName = topic;
  will.message = payload;
  will.qos = qos;
  will.retained = retain;
  int has_will = strcmp(mode, "will") == 0;
  connect_client(client, version, durable, has_will ? &will : NULL);

  if (is_publisher) {
    MQTTClient_message message = MQTTClient_message_initializer;
    message.payload = (void *)payload;
    message.payloadlen = (int)strlen(payload);
    message.qos = qos;
    message.retained = retain;
    publish(client, version, topic, &message);
  } else {
    if (!has_will) subscribe(client, version, topic, qos);
    printf("ready\n");
    fflush(stdout);
    sigset_t none;
    sigemptyset(&none);
    while (!over) sigsuspend(&none);
  }
  if (version == MQTTVERSION_5) MQTTClient_disconnect5(client, 1000, MQTTREASONCODE_SUCCESS, NULL);
  else MQTTClient_disconnect(client, 1000);
  MQTTClient_destroy(&client);
  return 0;
}
