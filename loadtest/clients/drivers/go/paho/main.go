// The driver of paho.mqtt.golang.
package main

import (
	"fmt"
	"net"
	"net/url"

	"dunlin/client-drivers/internal/lines"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

var (
	client mqtt.Client
	port   int
)

func create(where lines.Connecting) {
	options := mqtt.NewClientOptions()
	options.SetClientID(where.ClientID).SetProtocolVersion(4).SetCleanSession(where.IsClean)
	options.SetAutoReconnect(false).SetConnectRetry(false)
	if where.Transport == "ws" {
		options.AddBroker(fmt.Sprintf("ws://127.0.0.1:%d/mqtt", where.Port))
	} else {
		// One client that comes back to another port.
		options.AddBroker("tcp://127.0.0.1")
		options.SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) {
			return net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		})
	}
	if will := where.Will; will != nil {
		options.SetWill(will.Topic, will.Payload, will.QoS, will.Retain)
	}
	options.SetConnectionLostHandler(func(mqtt.Client, error) { lines.Say("lost") })
	options.SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) {
		lines.Show(lines.Message{Topic: m.Topic(), QoS: m.Qos(), Retain: m.Retained(), Payload: string(m.Payload())})
	})
	client = mqtt.NewClient(options)
}

func connect(where lines.Connecting) {
	port = where.Port
	if client == nil {
		create(where)
	}
	token := client.Connect()
	token.Wait()
	if token.Error() != nil {
		lines.Say("refused", "reason", token.Error().Error())
		return
	}
	lines.Say("connected", "session", token.(*mqtt.ConnectToken).SessionPresent())
}

func subscribe(filter string, qos byte) {
	token := client.Subscribe(filter, qos, nil)
	token.Wait()
	lines.Say("subscribed", "granted", token.(*mqtt.SubscribeToken).Result()[filter])
}

func publish(m lines.Message) {
	token := client.Publish(m.Topic, m.QoS, m.Retain, m.Payload)
	go func() {
		token.Wait()
		if token.Error() != nil {
			lines.Say("failed", "reason", token.Error().Error())
		} else {
			lines.Say("published")
		}
	}()
}

func disconnect() {
	client.Disconnect(1000)
	lines.Say("disconnected")
}

func main() {
	lines.Say("features", "levels", []int{4}, "transports", []string{"tcp", "ws"})
	lines.Listen(lines.Handlers{Connect: connect, Subscribe: subscribe, Publish: publish, Disconnect: disconnect})
}
