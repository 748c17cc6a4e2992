import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;

/** The line protocol for drivers in Java: words with tabs between come in, one object a line goes out. Topics and payloads of the story need no escapes. */
final class Lines {
  record Message(String topic, int qos, boolean retain, String payload) {
    private static Message of(String[] words, int from) {
      return new Message(words[from], Integer.parseInt(words[from + 1]), words[from + 2].equals("1"), words.length > from + 3 ? words[from + 3] : "");
    }
  }

  /** Where a client connects, and as whom; `will` may be null. */
  record Connecting(String transport, int port, int level, String clientId, boolean isClean, Message will) {
    boolean isWebSocket() {
      return transport.equals("ws");
    }

    String address() {
      return isWebSocket() ? "ws://127.0.0.1:" + port + "/mqtt" : "tcp://127.0.0.1:" + port;
    }
  }

  interface Driver {
    void connect(Connecting where) throws Exception;

    void subscribe(String filter, int qos) throws Exception;

    void publish(Message message) throws Exception;

    void disconnect() throws Exception;
  }

  /** Writes one event; `fields` are names and values by turns. */
  static synchronized void say(String event, Object... fields) {
    StringBuilder line = new StringBuilder("{\"event\":\"" + event + "\"");
    for (int at = 0; at < fields.length; at += 2) {
      Object value = fields[at + 1];
      String shown = value instanceof String text ? "\"" + text.replaceAll("[\"\\\\\\p{Cntrl}]", " ") + "\"" : String.valueOf(value);
      line.append(",\"").append(fields[at]).append("\":").append(shown);
    }
    System.out.println(line.append("}"));
  }

  static void features(String levels, String transports) {
    System.out.println("{\"event\":\"features\",\"levels\":" + levels + ",\"transports\":" + transports + "}");
  }

  static void show(String topic, byte[] payload, int qos, boolean retain) {
    say("message", "topic", topic, "payload", new String(payload), "qos", qos, "retain", retain);
  }

  /** Calls the driver for each command until nobody sends any more. */
  static void listen(Driver driver) throws IOException {
    BufferedReader reader = new BufferedReader(new InputStreamReader(System.in));
    for (String line = reader.readLine(); line != null; line = reader.readLine()) {
      String[] words = line.split("\t", -1);
      try {
        switch (words[0]) {
          case "connect" -> driver.connect(new Connecting(words[1], Integer.parseInt(words[2]), Integer.parseInt(words[3]), words[4],
              words[5].equals("1"), words.length > 6 ? Message.of(words, 6) : null));
          case "subscribe" -> driver.subscribe(words[1], Integer.parseInt(words[2]));
          case "publish" -> driver.publish(Message.of(words, 1));
          case "disconnect" -> driver.disconnect();
          default -> throw new IllegalArgumentException(words[0]);
        }
      } catch (Exception error) {
        say(words[0].equals("publish") ? "failed" : "refused", "reason", String.valueOf(error));
      }
    }
    System.exit(0);
  }
}
