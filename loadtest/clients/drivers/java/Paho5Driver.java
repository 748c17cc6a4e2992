import org.eclipse.paho.mqttv5.client.IMqttToken;
import org.eclipse.paho.mqttv5.client.MqttActionListener;
import org.eclipse.paho.mqttv5.client.MqttAsyncClient;
import org.eclipse.paho.mqttv5.client.MqttCallback;
import org.eclipse.paho.mqttv5.client.MqttConnectionOptions;
import org.eclipse.paho.mqttv5.client.MqttDisconnectResponse;
import org.eclipse.paho.mqttv5.client.persist.MemoryPersistence;
import org.eclipse.paho.mqttv5.common.MqttException;
import org.eclipse.paho.mqttv5.common.MqttMessage;
import org.eclipse.paho.mqttv5.common.packet.MqttProperties;

/** Paho for Java, MQTT 5 */
final class Paho5Driver implements Lines.Driver, MqttCallback {
  private MqttAsyncClient client;

  public static void main(String[] words) throws Exception {
    Lines.features("[5]", "[\"tcp\",\"ws\"]");
    Lines.listen(new Paho5Driver());
  }

  @Override
  public void connect(Lines.Connecting where) throws MqttException {
    if (client == null) {
      client = new MqttAsyncClient(where.address(), where.clientId(), new MemoryPersistence());
      client.setCallback(this);
    }
    MqttConnectionOptions options = new MqttConnectionOptions();
    options.setCleanStart(where.isClean());
    options.setSessionExpiryInterval(where.isClean() ? 0L : 3600L);
    options.setServerURIs(new String[] {where.address()});
    options.setAutomaticReconnect(false);
    Lines.Message will = where.will();
    if (will != null) options.setWill(will.topic(), new MqttMessage(will.payload().getBytes(), will.qos(), will.retain(), null));
    client.connect(options, null, new MqttActionListener() {
      @Override
      public void onSuccess(IMqttToken token) {
        Lines.say("connected", "session", token.getSessionPresent());
      }

      @Override
      public void onFailure(IMqttToken token, Throwable error) {
        Lines.say("refused", "reason", String.valueOf(error));
      }
    });
  }

  @Override
  public void subscribe(String filter, int qos) throws MqttException {
    IMqttToken token = client.subscribe(filter, qos);
    token.waitForCompletion();
    Lines.say("subscribed", "granted", token.getReasonCodes()[0]);
  }

  @Override
  public void publish(Lines.Message message) throws MqttException {
    client.publish(message.topic(), message.payload().getBytes(), message.qos(), message.retain());
  }

  @Override
  public void disconnect() throws MqttException {
    client.disconnect().waitForCompletion();
    Lines.say("disconnected");
  }

  @Override
  public void disconnected(MqttDisconnectResponse response) {
    Lines.say("lost");
  }

  @Override
  public void messageArrived(String topic, MqttMessage message) {
    Lines.show(topic, message.getPayload(), message.getQos(), message.isRetained());
  }

  @Override
  public void deliveryComplete(IMqttToken token) {
    Lines.say("published");
  }

  @Override
  public void mqttErrorOccurred(MqttException error) {
    System.err.println(error);
  }

  @Override
  public void connectComplete(boolean isAgain, String address) {}

  @Override
  public void authPacketArrived(int reasonCode, MqttProperties properties) {}
}
