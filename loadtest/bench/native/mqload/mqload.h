/* What the files of mqload share: the options of a run, one connection, and the functions between the files. */
#ifndef MQLOAD_H
#define MQLOAD_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Bounds of the generator, each with its reason. */
enum {
  PORTS_MAX = 64,             /* more nodes than one machine runs */
  PIDS_MAX = 64,              /* processes of one broker */
  TOPIC_MAX = 64,             /* "$share/g/load/99999/99999" is far below it */
  CLIENT_ID_MAX = 40,         /* "ml-s20000-99999" is far below it */
  PAYLOAD_MIN = 16,           /* time of sending (8), publisher (4), and room */
  PUBLISH_HEADER_MAX = 128,   /* fixed header, topic, packet identifier, property length */
  READ_BYTES = 65536,         /* the least free room offered to recv */
  OUT_BYTES_MAX = 65536,      /* bytes waiting for one socket before its publisher pauses */
  EVENTS_MAX = 1024,          /* readiness events taken per turn */
  LATENCIES_MAX = 1 << 22,    /* one delivery in 16 is sampled: room for 60 s at a million a second */
  SAMPLE_MASK = 15,
  STALL_SECONDS = 3,          /* no delivery for so long: the broker dropped or stopped */
  SETUP_SECONDS = 20,         /* to connect and subscribe all clients of a message run */
  CONNECT_SECONDS = 300,      /* to connect all clients of a connection run */
  SOURCE_CONNECTIONS = 20000, /* per source address: the default range has 28,232 ephemeral ports */
  FDS_SPARE = 64,             /* descriptors that are not connections */
  INT_MAX_BYTES = 1 << 30,    /* OpenSSL counts bytes in an int */
};

typedef enum { MODE_PAIR, MODE_FANOUT, MODE_FANIN, MODE_SHARED, MODE_PING, MODE_CONN, MODE_IDLE } Mode;
typedef enum { PUBLISHER, SUBSCRIBER } Role;
typedef enum { CONNECTING, TLS_HANDSHAKE, WEB_SOCKET_HANDSHAKE, WAITING_CONNACK, WAITING_SUBACK, READY } State;

typedef struct {
  const char *host;
  const char *mode_name;
  Mode mode;
  int ports[PORTS_MAX], port_count;
  int pids[PIDS_MAX], pid_count;
  int publishers, subscribers, qos, payload_bytes, seconds, window, connections;
  int rate;   /* messages, or connects, a second in all; 0: windows are kept full */
  int topics; /* of each publisher */
  int warm_up_seconds, warm_up_rate; /* 0: as `rate` */
  int publisher_version, subscriber_version; /* 4: MQTT 3.1.1; 5: MQTT 5.0 */
  bool persistent, retain, tls;
  const char *web_socket_path; /* NULL: no WebSocket */
} Options;

typedef struct {
  uint8_t *bytes;
  size_t start, end, capacity;
} Buffer;

typedef struct {
  int fd, port, index, version;
  Role role;
  State state;
  bool wants_write;
  Buffer in, out;           /* MQTT */
  Buffer wire_in, wire_out; /* frames of WebSocket */
  uint64_t frame_left;      /* payload of the frame that has begun */
  struct ssl_st *tls;       /* SSL of OpenSSL; NULL without TLS */
  bool tls_wants_write;     /* the handshake waits to send */
  uint8_t publish_header[PUBLISH_HEADER_MAX]; /* made once, or for each message of another topic: only the packet identifier changes */
  size_t publish_header_length, packet_id_at;
  uint16_t packet_id;
  uint32_t receive_maximum; /* unacknowledged QoS 1 and 2 publishes that the broker takes */
  uint64_t sent, acknowledged, received;
} Connection;

extern Options options;
extern int ready_count;

/* options.c */
void parse_options(int argc, char **argv);

/* broker-cost.c: what the broker's processes have used, summed over options.pids */
double broker_cpu_seconds(void);
long broker_rss_kilobytes(void);

/* wire.c */
int run_number(void);
int make_topic(char *topic, int index, bool as_filter, int rotation);
void send_connect(Connection *c);
void send_subscribe(Connection *c);
void send_acknowledgement(Connection *c, uint8_t first_byte, const uint8_t *packet_id);
void make_publish_header(Connection *c, int rotation);
size_t decode_length(const uint8_t *bytes, size_t available, size_t *length);

/* connection.c */
void die(const char *what);
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
double now_seconds(void);
void allow_descriptors(int needed);
void start_events(void);
void open_connection(Connection *c);
void close_connection(Connection *c);
void make_room(Buffer *buffer, size_t length);
void append(Connection *c, const void *bytes, size_t length);
uint8_t *reserve(Connection *c, size_t length);
void flush(Connection *c);
void turn(int timeout_ms);

/* carrier.c: TCP, TLS, WebSocket */
bool carrier_opens(Connection *c);
bool carrier_flush(Connection *c);
size_t carrier_waiting(const Connection *c);
ssize_t carrier_receive(Connection *c, bool *more);
void carrier_close(Connection *c);

/* packets.c: called by connection.c for each whole packet */
void on_packet(Connection *c, uint8_t first_byte, uint8_t *body, size_t length);

/* message-run.c, connection-run.c */
void on_delivery(Connection *c, const uint8_t *payload);
int run_messages(void);
int run_connections(void);

#endif
