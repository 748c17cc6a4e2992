/* mqload: a closed-loop MQTT load generator for loopback, one thread, epoll. Costs a fraction of what a broker costs per
 * message, and keeps a bounded number of messages in flight, so that no broker is measured while it drops or queues
 * without bound. `mqload --help` lists the options; the last line of its output is one JSON object. */
#include "mqload.h"

int main(int argc, char **argv) {
  parse_options(argc, argv);
  start_events();
  return options.mode == MODE_CONN || options.mode == MODE_IDLE ? run_connections() : run_messages();
}
