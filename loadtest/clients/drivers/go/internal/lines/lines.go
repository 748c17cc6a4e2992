// Package lines is the line protocol for drivers in Go: words with tabs between come in, one object a line goes out.
package lines

import (
	"bufio"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"sync"
)

// Message is one to publish, to leave as a will, or that came.
type Message struct {
	Topic   string
	QoS     byte
	Retain  bool
	Payload string
}

// Connecting is where a client connects, and as whom.
type Connecting struct {
	Transport string
	Port      int
	Level     int
	ClientID  string
	IsClean   bool
	Will      *Message
}

// Handlers do what is asked for.
type Handlers struct {
	Connect    func(Connecting)
	Subscribe  func(filter string, qos byte)
	Publish    func(Message)
	Disconnect func()
}

var writing sync.Mutex

// Say writes one event with fields after it, name by name.
func Say(event string, fields ...any) {
	var line strings.Builder
	line.WriteString(`{"event":` + strconv.Quote(event))
	for at := 0; at < len(fields); at += 2 {
		value, _ := json.Marshal(fields[at+1])
		line.WriteString(`,"` + fields[at].(string) + `":` + string(value))
	}
	line.WriteString("}\n")
	writing.Lock()
	defer writing.Unlock()
	os.Stdout.WriteString(line.String())
}

// Show writes a message that came.
func Show(message Message) {
	Say("message", "topic", message.Topic, "payload", message.Payload, "qos", message.QoS, "retain", message.Retain)
}

func number(word string) int {
	value, err := strconv.Atoi(word)
	if err != nil {
		panic(err)
	}
	return value
}

func message(words []string) Message {
	return Message{words[0], byte(number(words[1])), words[2] == "1", words[3]}
}

// Listen calls a handler for each command until nobody sends any more. Commands do not wait for what a publish comes to.
func Listen(handlers Handlers) {
	scanner := bufio.NewScanner(os.Stdin)
	for scanner.Scan() {
		words := strings.Split(scanner.Text(), "\t")
		switch words[0] {
		case "connect":
			where := Connecting{words[1], number(words[2]), number(words[3]), words[4], words[5] == "1", nil}
			if len(words) > 6 {
				will := message(words[6:])
				where.Will = &will
			}
			handlers.Connect(where)
		case "subscribe":
			handlers.Subscribe(words[1], byte(number(words[2])))
		case "publish":
			handlers.Publish(message(words[1:]))
		case "disconnect":
			handlers.Disconnect()
		}
	}
}
