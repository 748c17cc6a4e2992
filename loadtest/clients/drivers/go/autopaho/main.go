// The driver of paho.golang, by way of autopaho.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"

	"dunlin/client-drivers/internal/lines"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"
	"github.com/eclipse/paho.golang/paho/session/state"
)

var (
	manager *autopaho.ConnectionManager
	// What is kept of a client that comes back.
	session   = state.NewInMemory()
	isLeaving bool
)

func configuration(where lines.Connecting) autopaho.ClientConfig {
	address, _ := url.Parse(fmt.Sprintf("mqtt://127.0.0.1:%d", where.Port))
	if where.Transport == "ws" {
		address, _ = url.Parse(fmt.Sprintf("ws://127.0.0.1:%d/mqtt", where.Port))
	}
	config := autopaho.ClientConfig{
		ServerUrls:                    []*url.URL{address},
		KeepAlive:                     60,
		CleanStartOnInitialConnection: where.IsClean,
		OnConnectionUp: func(_ *autopaho.ConnectionManager, connack *paho.Connack) {
			lines.Say("connected", "session", connack.SessionPresent)
		},
		OnConnectionDown: func() bool {
			if !isLeaving {
				lines.Say("lost")
			}
			return false // It comes back when it is told.
		},
		OnConnectError: func(err error) { lines.Say("refused", "reason", err.Error()) },
	}
	config.ClientID = where.ClientID
	config.Session = session
	config.OnPublishReceived = []func(paho.PublishReceived) (bool, error){func(came paho.PublishReceived) (bool, error) {
		m := came.Packet
		lines.Show(lines.Message{Topic: m.Topic, QoS: m.QoS, Retain: m.Retain, Payload: string(m.Payload)})
		return true, nil
	}}
	if !where.IsClean {
		config.SessionExpiryInterval = 3600
	}
	if will := where.Will; will != nil {
		config.WillMessage = &paho.WillMessage{Topic: will.Topic, QoS: will.QoS, Retain: will.Retain, Payload: []byte(will.Payload)}
	}
	return config
}

func connect(where lines.Connecting) {
	isLeaving = false
	var err error
	if manager, err = autopaho.NewConnection(context.Background(), configuration(where)); err != nil {
		lines.Say("refused", "reason", err.Error())
	}
}

func subscribe(filter string, qos byte) {
	suback, err := manager.Subscribe(context.Background(), &paho.Subscribe{
		Subscriptions: []paho.SubscribeOptions{{Topic: filter, QoS: qos}},
	})
	if err != nil {
		lines.Say("subscribed", "granted", 128)
		return
	}
	lines.Say("subscribed", "granted", suback.Reasons[0])
}

// One after the other, in order, and beside the other commands.
var queue = make(chan lines.Message, 100)

func publishQueued() {
	for m := range queue {
		_, err := manager.Publish(context.Background(), &paho.Publish{
			Topic: m.Topic, QoS: m.QoS, Retain: m.Retain, Payload: []byte(m.Payload),
		})
		// What is stored is sent after the next connect; nobody tells when.
		if err == nil || errors.Is(err, paho.ErrNetworkErrorAfterStored) {
			lines.Say("published")
		} else {
			lines.Say("failed", "reason", err.Error())
		}
	}
}

func publish(m lines.Message) { queue <- m }

func disconnect() {
	isLeaving = true
	if err := manager.Disconnect(context.Background()); err != nil && !errors.Is(err, net.ErrClosed) {
		lines.Say("lost")
		return
	}
	lines.Say("disconnected")
}

func main() {
	lines.Say("features", "levels", []int{5}, "transports", []string{"tcp", "ws"})
	go publishQueued()
	lines.Listen(lines.Handlers{Connect: connect, Subscribe: subscribe, Publish: publish, Disconnect: disconnect})
}
