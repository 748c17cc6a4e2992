import org.eclipse.paho.client.mqttv3.IMqttActionListener;
import org.eclipse.paho.client.mqttv3.IMqttDeliveryToken;
import org.eclipse.paho.client.mqttv3.IMqttToken;
import org.eclipse.paho.client.mqttv3.MqttAsyncClient;
import org.eclipse.paho.client.mqttv3.MqttCallback;
import org.eclipse.paho.client.mqttv3.MqttConnectOptions;
import org.eclipse.paho.client.mqttv3.MqttException;
import org.eclipse.paho.client.mqttv3.MqttMessage;
import org.eclipse.paho.client.mqttv3.persist.MemoryPersistence;

/** Paho for Java, MQTT 3 */
final class PahoDriver implements Lines.Driver, MqttCallback {
  private MqttAsyncClient client;

  public static void main(String[] words) throws Exception {
    Lines.features("[4]", "[\"tcp\",\"ws\"]");
    Lines.listen(new PahoDriver());
  }

  @Override
  public void connect(Lines.Connecting where) throws MqttException {
    if (client == null) {
      client = new MqttAsyncClient(where.address(), where.clientId(), new MemoryPersistence());
      client.setCallback(this);
    }
    MqttConnectOptions options = new MqttConnectOptions();
    options.setMqttVersion(MqttConnectOptions.MQTT_VERSION_3_1_1);
    options.setCleanSession(where.isClean());
    options.setMaxInflight(100); // Ten unless said: the eleventh publish would throw.
    options.setServerURIs(new String[] {where.address()});
    Lines.Message will = where.will();
    if (will != null) options.setWill(will.topic(), will.payload().getBytes(), will.qos(), will.retain());
    client.connect(options, null, new IMqttActionListener() {
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
    Lines.say("subscribed", "granted", token.getGrantedQos()[0]);
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
  public void connectionLost(Throwable cause) {
    Lines.say("lost");
  }

  @Override
  public void messageArrived(String topic, MqttMessage message) {
    Lines.show(topic, message.getPayload(), message.getQos(), message.isRetained());
  }

  @Override
  public void deliveryComplete(IMqttDeliveryToken token) {
    Lines.say("published");
  }
}
