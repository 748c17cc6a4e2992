import com.hivemq.client.mqtt.MqttClient;
import com.hivemq.client.mqtt.MqttClientBuilder;
import com.hivemq.client.mqtt.MqttGlobalPublishFilter;
import com.hivemq.client.mqtt.datatypes.MqttQos;
import com.hivemq.client.mqtt.lifecycle.MqttClientConnectedContext;
import com.hivemq.client.mqtt.lifecycle.MqttClientDisconnectedContext;
import com.hivemq.client.mqtt.lifecycle.MqttClientReconnector;
import com.hivemq.client.mqtt.lifecycle.MqttDisconnectSource;
import com.hivemq.client.mqtt.mqtt3.Mqtt3AsyncClient;
import com.hivemq.client.mqtt.mqtt3.lifecycle.Mqtt3ClientConnectedContext;
import com.hivemq.client.mqtt.mqtt3.message.publish.Mqtt3Publish;
import com.hivemq.client.mqtt.mqtt5.Mqtt5AsyncClient;
import com.hivemq.client.mqtt.mqtt5.lifecycle.Mqtt5ClientConnectedContext;
import com.hivemq.client.mqtt.mqtt5.message.publish.Mqtt5Publish;
import java.util.concurrent.CompletableFuture;

/** The HiveMQ client, MQTT 3 and MQTT 5 */
final class HiveMqDriver implements Lines.Driver {
  private Mqtt3AsyncClient client3;
  private Mqtt5AsyncClient client5;
  private boolean isConnected = false;
  /** Where it comes back, when it is told: until then the library keeps what was under way. */
  private CompletableFuture<Lines.Connecting> back;

  public static void main(String[] words) throws Exception {
    Lines.features("[4,5]", "[\"tcp\",\"ws\"]");
    Lines.listen(new HiveMqDriver());
  }

  private static Mqtt3Publish message3(Lines.Message m) {
    return Mqtt3Publish.builder().topic(m.topic()).payload(m.payload().getBytes()).qos(MqttQos.fromCode(m.qos())).retain(m.retain()).build();
  }

  private static Mqtt5Publish message5(Lines.Message m) {
    return Mqtt5Publish.builder().topic(m.topic()).payload(m.payload().getBytes()).qos(MqttQos.fromCode(m.qos())).retain(m.retain()).build();
  }

  private void connected(MqttClientConnectedContext context) {
    isConnected = true;
    boolean session = context instanceof Mqtt5ClientConnectedContext five ? five.getConnAck().isSessionPresent()
        : ((Mqtt3ClientConnectedContext) context).getConnAck().isSessionPresent();
    Lines.say("connected", "session", session);
  }

  private void disconnected(MqttClientDisconnectedContext context) {
    if (context.getSource() == MqttDisconnectSource.USER) return;
    back = new CompletableFuture<>();
    MqttClientReconnector reconnector = context.getReconnector();
    reconnector.reconnectWhen(back, (where, error) -> reconnector.transportConfig().serverHost("127.0.0.1").serverPort(where.port()).applyTransportConfig());
    if (isConnected) Lines.say("lost");
    else Lines.say("refused", "reason", String.valueOf(context.getCause()));
    isConnected = false;
  }

  @Override
  public void connect(Lines.Connecting where) {
    if (back != null) {
      back.complete(where);
      return;
    }
    MqttClientBuilder builder = MqttClient.builder().identifier(where.clientId()).serverHost("127.0.0.1").serverPort(where.port())
        .addConnectedListener(this::connected).addDisconnectedListener(this::disconnected);
    if (where.isWebSocket()) builder = builder.webSocketConfig().serverPath("mqtt").applyWebSocketConfig();
    if (where.level() == 5) connect5(builder, where);
    else connect3(builder, where);
  }

  private void connect3(MqttClientBuilder builder, Lines.Connecting where) {
    client3 = builder.useMqttVersion3().buildAsync();
    client3.publishes(MqttGlobalPublishFilter.ALL, m -> Lines.show(m.getTopic().toString(), m.getPayloadAsBytes(), m.getQos().getCode(), m.isRetain()));
    var connect = client3.connectWith().cleanSession(where.isClean());
    if (where.will() != null) connect.willPublish(message3(where.will()));
    connect.send();
  }

  private void connect5(MqttClientBuilder builder, Lines.Connecting where) {
    client5 = builder.useMqttVersion5().buildAsync();
    client5.publishes(MqttGlobalPublishFilter.ALL, m -> Lines.show(m.getTopic().toString(), m.getPayloadAsBytes(), m.getQos().getCode(), m.isRetain()));
    var connect = client5.connectWith().cleanStart(where.isClean()).sessionExpiryInterval(where.isClean() ? 0 : 3600);
    if (where.will() != null) connect.willPublish(message5(where.will()));
    connect.send();
  }

  @Override
  public void subscribe(String filter, int qos) throws Exception {
    int granted = client3 != null
        ? client3.subscribeWith().topicFilter(filter).qos(MqttQos.fromCode(qos)).send().get().getReturnCodes().get(0).getCode()
        : client5.subscribeWith().topicFilter(filter).qos(MqttQos.fromCode(qos)).send().get().getReasonCodes().get(0).getCode();
    Lines.say("subscribed", "granted", granted);
  }

  @Override
  public void publish(Lines.Message message) {
    CompletableFuture<?> published = client3 != null ? client3.publish(message3(message)) : client5.publish(message5(message));
    published.whenComplete((result, error) -> {
      if (error == null) Lines.say("published");
      else Lines.say("failed", "reason", String.valueOf(error));
    });
  }

  @Override
  public void disconnect() throws Exception {
    (client3 != null ? client3.disconnect() : client5.disconnect()).get();
    Lines.say("disconnected");
  }
}
